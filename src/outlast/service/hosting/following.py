"""Writes down what was changed of a resource's definition at this node's own console, so that every node has it.

Only the owner's word counts, at its epoch, and never while the records are held. What it must not follow it tells all
the same, as an event. What runs goes on as it is; the new definition counts from the next start.
"""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from outlast.core.membership.membership import Session as OwnSession
from outlast.core.owner.redefined import changes, elsewhere_unknown
from outlast.core.placement.admission import admit
from outlast.core.placement.placed import Placed
from outlast.model import keys
from outlast.model.group import Definition, Group, Resource
from outlast.model.health import Redefinition
from outlast.model.view import ClusterView
from outlast.ports.database import Committed, Compare, Database, Unavailable, Write
from outlast.ports.environment import Clock
from outlast.service.hosting.resources import Resources
from outlast.service.journal import Journal
from outlast.service.store import READ_TIMEOUT_S, RETRY_S, Store, put

log = structlog.get_logger()

LATER_S = 1.0
"""While it cannot be written (no session, a hold), it is tried so often."""


class Following:
    def __init__(
        self,
        store: Store,
        resources: Resources,
        session: OwnSession,
        journal: Journal,
        clock: Clock,
        view: Callable[[], ClusterView],
    ) -> None:
        self._store = store
        self._resources = resources
        self._session = session
        self._journal = journal
        self._clock = clock
        self._view = view
        self._waiting: dict[str, Redefinition] = {}
        """By resource: what is to be written."""

    async def run(self) -> None:
        while True:
            await self._hear()
            for name, change in list(self._waiting.items()):
                try:
                    if await self._is_done(name, change) and self._waiting.get(name) is change:
                        del self._waiting[name]
                except Unavailable:
                    await asyncio.sleep(RETRY_S)

    async def _hear(self) -> None:
        """What came last is what counts, but the words tell the way from where it began."""
        try:
            async with asyncio.timeout(LATER_S if self._waiting else None):
                name, change = await self._resources.redefined.get()
        except TimeoutError:
            return
        if not self._is_ours(name):
            return
        before = self._waiting.get(name)
        self._waiting[name] = change if before is None else msgspec.structs.replace(change, was=before.was)

    def _is_ours(self, name: str) -> bool:
        """Not what is found when it has just come here: somebody did that while another node, or nobody, had it."""
        record = self._store.resources.get(name)
        group = self._store.groups.get(record.group) if record is not None else None
        status = self._store.statuses.get(group.name) if group is not None else None
        if group is None or status is None or group.owner != self._store.me:
            return False
        return (status.node, status.epoch) == (self._store.me, group.epoch)

    async def _is_done(self, name: str, change: Redefinition) -> bool:
        """False: it must be tried again."""
        known, revision = await _read(self._store.database, keys.DEFINITIONS + name)
        # From here on to the transaction nothing is awaited: it compares what is looked at now.
        record = self._store.resources.get(name)
        group = self._store.groups.get(record.group) if record is not None else None
        if record is None or group is None or group.owner != self._store.me:
            return True  # It is not ours to follow: what lies here is another node's, or nobody's.
        if self._store.settings.hold or not self._session.valid(self._clock.now()):
            return False
        if change.problem:
            words = f"{name} was changed at the console of {self._store.me}, which is not followed: {change.problem}"
            return await self._write(group, [], [self._event(group, words)])
        # It may stand there already: the answer to an earlier attempt was lost.
        if known != change.definition and not await self._follow(record, group, change, revision):
            return False
        local = self._resources.locals.get(name)
        if local is not None:
            local.redefined = True
        return True

    async def _follow(self, record: Resource, group: Group, change: Redefinition, revision: int) -> bool:
        was, now, key = change.was, change.now, keys.DEFINITIONS + record.name
        after = msgspec.structs.replace(
            record,
            memory_mib=now.memory_mib if now.memory_mib != was.memory_mib else record.memory_mib,
            vcpus=now.vcpus if now.vcpus != was.vcpus else record.vcpus,
            networks=tuple(sorted(set(now.networks))) if now.networks != was.networks else record.networks,
            disks=tuple(sorted(set(now.disks) - {""})) if now.disks != was.disks else record.disks,
            cpu=now.cpu if now.cpu != was.cpu else record.cpu,
            host_devices=now.host_devices if now.host_devices != was.host_devices else record.host_devices,
            seen_by=(group.owner,) if elsewhere_unknown(was, now) else record.seen_by,
            blind_on={} if elsewhere_unknown(was, now) else record.blind_on,
        )
        words = f"{record.name} was changed at the console of {self._store.me}: {changes(was, now)}"
        if after.seen_by != record.seen_by:
            words += f"; whether other nodes can run it so is not known: `outlast vm check {record.name}`"
        if after.memory_mib > record.memory_mib and (warning := self._warning(group, after)):
            words += f"; {warning}"
        definition = put(key, Definition(record.name, change.definition))
        compares = [Compare(key, revision), *self._store.unchanged(keys.RESOURCES + record.name)]
        writes = [definition, put(keys.RESOURCES + record.name, after), self._event(group, words)]
        return await self._write(group, compares, writes)

    def _warning(self, group: Group, after: Resource) -> str:
        """What is to be said of its new size; "" when there is room for it."""
        view = self._view()
        known = {**view.resources, after.name: after}
        lacks = Placed(msgspec.structs.replace(view, resources=known)).lacks(group, group.owner)
        if lacks:
            return f"{group.owner} has no room for it: {lacks}"
        found = admit(view, group, [after])
        return found.warning or found.refused

    async def _write(self, group: Group, compares: list[Compare], writes: list[Write]) -> bool:
        # As the owner at this epoch, and not after it was called silent (rule 2).
        mine = [*self._store.unchanged(keys.GROUPS + group.name), Compare(keys.SILENCES + self._store.me, 0)]
        return isinstance(await self._store.transact([*compares, *mine], writes), Committed)

    def _event(self, group: Group, words: str) -> Write:
        return self._journal.event("definition", words, group=group.name, about=self._store.me)


async def _read(database: Database, key: str) -> tuple[str, int]:
    """The definition, and the revision of its record; 0: there is none."""
    snapshot = await database.read(key, timeout_s=READ_TIMEOUT_S)
    for entry in snapshot.entries:
        if entry.key == key:
            return msgspec.json.decode(entry.value, type=Definition).text, entry.revision
    return "", 0
