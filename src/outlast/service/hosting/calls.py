"""The calls into a resource's plugin, each with its deadline."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from outlast.core.coordinator.adopting import STAND_STILL
from outlast.core.owner.resource import Call
from outlast.model import keys
from outlast.model.group import Definition, Resource
from outlast.model.health import Found, Health, Spec
from outlast.model.saved import SavedState
from outlast.model.transfer import Destination, Transfer
from outlast.ports.database import Unavailable
from outlast.ports.environment import Environment
from outlast.ports.hosts import CallFailed, Host
from outlast.service.hosting.hosts import HostKeeper, Progress, own_host
from outlast.service.store import READ_TIMEOUT_S

T = TypeVar("T")

OPEN_DEADLINE_S = 15.0
TERMINATE_DEADLINE_S = 15.0
LET_GO_DEADLINE_S = 15.0
DISCOVER_DEADLINE_S = 15.0
HAND_OVER_STALLS_S = 60.0
"""So long without a word of progress, and handing over hangs."""
SAVING_STALLS_S = 120.0
"""Likewise while a state is saved: a disk may stall longer than a network."""
CALL_BACK_DEADLINE_S = 15.0
STAND_STILL_DEADLINE_S = 6.0
"""A missed deadline kills the host, and the next one tries again."""
KNOWN_TIMEOUT_S = 0.5
"""For reading a definition anew that is known: a host that was replaced must soon be able to stop what runs."""
BEYOND_FORCE_S = 15.0
"""What `offline` may take beyond its time limit, after which it stops by force."""


class Calls:
    """Each method raises what `HostKeeper.call` raises."""

    def __init__(self, env: Environment, hosts: HostKeeper) -> None:
        self._env = env
        self._hosts = hosts
        self._definitions: dict[str, str] = {}
        """As they were read last: what runs must be opened, to be stopped, also when the database cannot be reached."""

    async def open(self, resource: Resource) -> Health:
        spec = Spec(
            name=resource.name,
            type=resource.type,
            definition=await self._definition(resource.name),
            identity=resource.identity,
            properties=resource.properties,
            state_dir=resource.state_dir,
        )
        return await self._call(resource, "open", OPEN_DEADLINE_S, lambda host, _: host.open(spec))

    async def make(self, call: Call, resource: Resource) -> None:
        """ONLINE, OFFLINE or TERMINATE. A missed deadline of the first two leaves the host alive, so that it can be
        asked to terminate the resource first."""
        name, limit_s = resource.name, resource.offline_timeout_s
        if call is Call.ONLINE:
            await self._call(
                resource, "online", resource.online_timeout_s, lambda host, go_on: host.online(name, go_on), blame=False
            )
        elif call is Call.OFFLINE:
            await self._call(
                resource,
                "offline",
                limit_s + BEYOND_FORCE_S,
                lambda host, go_on: host.offline(name, limit_s, go_on),
                blame=False,
            )
        elif call is Call.TERMINATE:
            await self._call(resource, "terminate", TERMINATE_DEADLINE_S, lambda host, _: host.terminate(name))

    async def hand_over(self, resource: Resource, to: Destination, on_transfer: Callable[[Transfer], None]) -> None:
        """A missed deadline kills the host: what it had begun is looked at by the next one."""
        limit_s = min(HAND_OVER_STALLS_S, resource.deadlock_timeout_s)

        async def hand_over(host: Host, go_on: Progress) -> None:
            def told(transfer: Transfer) -> None:
                go_on(transfer.words)
                on_transfer(transfer)

            await host.hand_over(resource.name, to, told)

        await self._call(resource, "hand_over", limit_s, hand_over)

    async def call_back(self, resource: Resource) -> None:
        await self._call(
            resource, "call_back", CALL_BACK_DEADLINE_S, lambda host, _: host.call_back(resource.name), blame=False
        )

    async def take_up(self, resource: Resource) -> None:
        name = resource.name
        await self._call(
            resource, "take_up", resource.online_timeout_s, lambda host, go_on: host.take_up(name, go_on), blame=False
        )

    async def stand_still(self, resource: Resource) -> None:
        name = resource.name
        await self._call(
            resource, STAND_STILL, STAND_STILL_DEADLINE_S, lambda host, _: host.control(name, STAND_STILL, {})
        )

    async def save(self, resource: Resource, stop: str) -> SavedState:
        """A missed deadline kills the host: what it had begun is looked at by the next one."""
        name, directory = resource.name, resource.state_dir
        limit_s = min(SAVING_STALLS_S, resource.deadlock_timeout_s)
        return await self._call(resource, "save", limit_s, lambda host, go_on: host.save(name, stop, directory, go_on))

    async def restore(self, resource: Resource, state: SavedState) -> None:
        name = resource.name
        await self._call(
            resource,
            "restore",
            resource.online_timeout_s,
            lambda host, go_on: host.restore(name, state, go_on),
            blame=False,
        )

    async def let_go(self, resource: Resource, *, forget: bool) -> None:
        """Close it; `forget`: and leave nothing of it behind on this node."""
        name = resource.name
        if forget:
            await self._call(resource, "forget", LET_GO_DEADLINE_S, lambda host, _: host.forget(name))
        await self._call(resource, "close", LET_GO_DEADLINE_S, lambda host, _: host.close(name))

    async def discover(self, type_name: str) -> Sequence[Found]:
        return await self._hosts.call(
            type_name, "discover", DISCOVER_DEADLINE_S, lambda host, _: host.discover(type_name)
        )

    async def _call(
        self,
        resource: Resource,
        name: str,
        deadline_s: float,
        what: Callable[[Host, Progress], Awaitable[T]],
        *,
        blame: bool = True,
    ) -> T:
        # As in the original, the lower of the two limits wins.
        limit_s = min(deadline_s, resource.deadlock_timeout_s)
        return await self._hosts.call(resource.type, name, limit_s, what, blame=blame, alone=own_host(resource))

    async def _definition(self, name: str) -> str:
        key = keys.DEFINITIONS + name
        try:
            timeout_s = KNOWN_TIMEOUT_S if name in self._definitions else READ_TIMEOUT_S
            snapshot = await self._env.database.read(key, timeout_s=timeout_s)
        except Unavailable:
            if name in self._definitions:
                return self._definitions[name]
            raise
        for entry in snapshot.entries:
            if entry.key == key:
                self._definitions[name] = msgspec.json.decode(entry.value, type=Definition).text
                return self._definitions[name]
        raise CallFailed(f"the definition of {name} is not in the cluster database; protect it again")
