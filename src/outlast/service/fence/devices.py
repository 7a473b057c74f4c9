"""The fence devices of all nodes: are their parameters right, where are their secrets, do they answer?

Secret parameters are sealed and stand under `secrets/fence/ID`, apart from their device. Everything sealed is kept in
memory, as it is sealed: a node must be fenced also while the database is away.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog

from outlast.core.fence.agents import is_known, no_proof
from outlast.core.fence.fence_parameters import device_problems, is_secret, named, problems, translated
from outlast.model import keys
from outlast.model.fence import FenceAgent, FenceDevice, Power
from outlast.model.secret import Sealed
from outlast.ports.database import Compare, Database, Delete, Unavailable, Write
from outlast.ports.fence import Fence, FenceFailed
from outlast.ports.secrets import NoSecret, Secrets
from outlast.service.agreed_key import agreed_key
from outlast.service.journal import Journal
from outlast.service.store import READ_TIMEOUT_S, RETRY_S, Store, put

log = structlog.get_logger()

DESCRIBE_TIMEOUT_S = 15.0
AT_ONCE = 4
"""Agents that describe themselves beside each other: each is a Python of its own."""


class WrongDevice(ValueError):
    """It could not work like that; the text says why."""


class ProvesNothing(FenceFailed):
    """Its word would be no proof of death; the text says why."""


class FenceDevices:
    def __init__(self, fence: Fence, secrets: Secrets | None, database: Database, journal: Journal) -> None:
        self._fence = fence
        self._secrets = secrets
        self._database = database
        self._journal = journal
        self._sealed: dict[str, Sealed] = {}
        self._agents: dict[str, FenceAgent | str] = {}
        """What has been asked before; a text says why one does not describe itself."""

    async def run(self, store: Store) -> None:
        """Have all secrets, and what unknown agents say of themselves, at hand before they are needed."""
        changes = store.subscribe(keys.NODES)
        wait_s: float | None = 0.0
        while True:
            await changes.wait(wait_s)
            wait_s = None
            wanted = {device.sealed for node in store.nodes.values() for device in node.fence if device.sealed}
            for known in [id for id in self._sealed if id not in wanted]:
                del self._sealed[known]
            for id in sorted(wanted - set(self._sealed)):
                try:
                    await self._load(id)
                except Unavailable:
                    wait_s = RETRY_S
                except NoSecret as error:
                    log.warning("a fence device cannot be used by this node", why=str(error))
            for agent in {device.agent for node in store.nodes.values() for device in node.fence}:
                if not is_known(agent):
                    await self._learn(agent)  # now, so that it costs no time when it is used

    # --- agents -----------------------------------------------------------------------------------------------------

    async def agents(self) -> dict[str, FenceAgent | str]:
        """All that are installed here; a text says why one cannot be used."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(name: str) -> None:
            async with gate:
                await self._learn(name)

        names = await self._fence.agents()
        await asyncio.gather(*(ask(name) for name in names))
        return {name: self._agents[name] for name in names}

    async def describe(self, agent: str) -> FenceAgent:
        """Raises `FenceFailed`."""
        known = self._agents.get(agent)
        if not isinstance(known, FenceAgent):
            known = await self._fence.describe(agent, timeout_s=DESCRIBE_TIMEOUT_S)
            self._agents[agent] = known
        return known

    async def _learn(self, agent: str) -> None:
        """What it says of itself, or that it says nothing."""
        try:
            await self.describe(agent)
        except FenceFailed as error:
            self._agents[agent] = str(error)

    async def checked(self, device: FenceDevice, others: Sequence[FenceDevice]) -> FenceDevice:
        """With its parameters by their present names. Raises `WrongDevice`, or `FenceFailed`: no such agent."""
        agent = await self.describe(device.agent)
        device = msgspec.structs.replace(device, parameters=translated(device.parameters, agent))
        if proves_nothing := no_proof(device, agent):
            raise WrongDevice(proves_nothing)
        wrong = (*device_problems(device, others), *problems(device.parameters, agent))
        if wrong:
            raise WrongDevice("; ".join(wrong))
        return device

    # --- secrets ----------------------------------------------------------------------------------------------------

    async def seal(self, device: FenceDevice) -> tuple[FenceDevice, list[Compare], list[Write]]:
        """The device as its record shall be, and what must be written with it. Raises `NoSecret`."""
        secret = {name: value for name, value in device.parameters.items() if is_secret(name)}
        if not secret:
            return msgspec.structs.replace(device, hidden=(), sealed=""), [], []
        secrets = self._needed()
        compares, writes = await agreed_key(secrets, self._database)
        id = self._journal.new_id()
        sealed = Sealed(secrets.seal(_purpose(id), secret))
        self._sealed[id] = sealed
        plain = {name: value for name, value in device.parameters.items() if name not in secret}
        record = msgspec.structs.replace(device, parameters=plain, hidden=tuple(sorted(secret)), sealed=id)
        return record, compares, [*writes, put(keys.FENCE_SECRETS + id, sealed)]

    async def opened(self, device: FenceDevice) -> FenceDevice:
        """With all its parameters. Raises `FenceFailed` when its secrets cannot be had here."""
        if not device.sealed:
            return device
        try:
            sealed = await self._load(device.sealed)
            secret = self._needed().open(_purpose(device.sealed), sealed.text)
        except (NoSecret, Unavailable) as error:
            raise FenceFailed(f"its secret parameters cannot be had: {error}") from None
        return msgspec.structs.replace(device, parameters={**device.parameters, **secret})

    async def to_prove(self, device: FenceDevice) -> FenceDevice:
        """As `opened`, for use. Raises `ProvesNothing` when its word would be no proof."""
        if not is_known(device.agent) and device.agent not in self._agents:
            await self._learn(device.agent)
        described = self._agents.get(device.agent)
        if why := no_proof(device, described if isinstance(described, FenceAgent) else None):
            raise ProvesNothing(why)
        return await self.opened(device)

    async def adopted(
        self, configured: Sequence[FenceDevice], before: Sequence[FenceDevice]
    ) -> tuple[tuple[FenceDevice, ...], list[Compare], list[Write]]:
        """The devices of a node's outlast.toml as its record shall have them. What has not changed stays as it is."""
        known = {device.name: device for device in before}
        found: list[FenceDevice] = []
        compares: list[Compare] = []
        writes: list[Write] = []
        for device in named(configured):
            if why := no_proof(device):
                log.warning("a fence device in outlast.toml is never used", device=device.name, why=why)
            old = known.get(device.name)
            if old is not None and await self._same(old, device):
                found.append(old)
                continue
            record, more_compares, more_writes = await self.seal(device)
            found.append(record)
            compares, writes = [*compares, *more_compares], [*writes, *more_writes]
        kept = {device.sealed for device in found}
        gone = [device.sealed for device in before if device.sealed and device.sealed not in kept]
        return tuple(found), compares[:1], [*writes, *(Delete(keys.FENCE_SECRETS + id) for id in gone)]

    # --- devices ----------------------------------------------------------------------------------------------------

    async def status(self, node: str, device: FenceDevice) -> Power:
        """Raises `FenceFailed`."""
        opened = await self.to_prove(device)
        try:
            async with asyncio.timeout(device.timeout_s + 1.0):
                return await self._fence.status(node, opened, timeout_s=device.timeout_s)
        except OSError as error:  # a TimeoutError is an OSError
            raise FenceFailed(str(error) or f"no answer within {device.timeout_s:g} s") from None

    async def _load(self, id: str) -> Sealed:
        if id not in self._sealed:
            key = keys.FENCE_SECRETS + id
            snapshot = await self._database.read(key, timeout_s=READ_TIMEOUT_S)
            found = next((entry.value for entry in snapshot.entries if entry.key == key), None)
            if found is None:
                raise NoSecret("they are not in the database any more; set the device anew")
            self._sealed[id] = msgspec.json.decode(found, type=Sealed)
        return self._sealed[id]

    async def _same(self, old: FenceDevice, configured: FenceDevice) -> bool:
        try:
            present = await self.opened(old)
        except FenceFailed:
            return False
        return msgspec.structs.replace(present, hidden=(), sealed="") == configured

    def _needed(self) -> Secrets:
        if self._secrets is None:
            raise NoSecret("there is no place for a key on this node")
        return self._secrets


def _purpose(id: str) -> str:
    return keys.FENCE_SECRETS + id
