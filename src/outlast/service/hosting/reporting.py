"""Tells the cluster how this node's groups are, on change, and writes down what people did at a node's own console.

A status counts only for its epoch, and is written only while the group's record is as it was when it was made up.
"""

import asyncio
from typing import NamedTuple

import msgspec

from outlast.core.group_state import combined
from outlast.core.membership import Session as OwnSession
from outlast.core.resource import PUBLISHED, S
from outlast.model import keys
from outlast.model.group import Group, Wanted
from outlast.model.status import GroupStatus, ResourceStatus, State
from outlast.ports.database import Committed, Compare, Unavailable, Write
from outlast.ports.environment import Clock
from outlast.service.hosting.local import Local
from outlast.service.hosting.resources import Resources
from outlast.service.journal import Journal
from outlast.service.membership import Membership
from outlast.service.store import RETRY_S, Store, put

GROUPS_PER_TRANSACTION = 30
"""Each costs up to four writes; a transaction holds 128."""
UNKNOWN_GRACE_S = 3.0
"""A host that is being replaced knows nothing for a moment: that alone is not worth telling."""

_WORDS = {
    State.ONLINE: ("online", "is online on"),
    State.OFFLINE: ("offline", "is offline on"),
    State.FAILED: ("failed", "failed on"),
    State.ONLINE_PENDING: ("online-pending", "is being brought online on"),
    State.UNKNOWN: ("unknown", "may or may not run on"),
}


class Part(NamedTuple):
    """What is written together: about one group, or one event."""

    compares: list[Compare]
    writes: list[Write]
    status: GroupStatus | None = None


class Reporting:
    def __init__(
        self,
        store: Store,
        resources: Resources,
        membership: Membership,
        session: OwnSession,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._store = store
        self._resources = resources
        self._membership = membership
        self._session = session
        self._journal = journal
        self._clock = clock

    async def run(self) -> None:
        changed = self._resources.changed
        while True:
            try:
                async with asyncio.timeout(UNKNOWN_GRACE_S):
                    await changed.wait()
            except TimeoutError:
                pass
            changed.clear()
            if not self._session.valid(self._clock.now()):
                continue
            try:
                if not await self._report():
                    changed.set()
            except Unavailable:
                changed.set()
                await asyncio.sleep(RETRY_S)

    async def _report(self) -> bool:
        """Write all that changed. False when something was refused, and is to be made up anew."""
        parts = [part for group in self._mine() if (part := self._part(group)) is not None]
        told = len(self._resources.remarks)
        parts += self._remarks()
        done = True
        for start in range(0, len(parts), GROUPS_PER_TRANSACTION):
            batch = parts[start : start + GROUPS_PER_TRANSACTION]
            if await self._commit(batch):
                continue
            done = False
            for part in batch if len(batch) > 1 else []:
                await self._commit([part])
        del self._resources.remarks[:told]  # not before: the database may not have answered
        return done

    async def _commit(self, parts: list[Part]) -> bool:
        compares = [compare for part in parts for compare in part.compares]
        writes = [write for part in parts for write in part.writes]
        statuses = [part.status for part in parts if part.status is not None]
        for status in statuses:
            self._resources.standing.sending(status)
        if not isinstance(await self._store.transact(compares, writes), Committed):
            return False
        for status in statuses:
            self._resources.standing.written(status)
            self._resources.reported(status.group)
        return True

    def _mine(self) -> list[Group]:
        return [group for group in self._store.groups.values() if group.owner == self._store.me]

    def _part(self, group: Group) -> Part | None:
        """What to write about one group; None when the cluster knows it all."""
        present = self._store.statuses.get(group.name)
        if present is not None and not self._current(present, group):
            present = None
        status = self._status(group, present)
        writes: list[Write] = []
        intent = self._intent(group)
        if intent is not None:
            record, event_words = intent
            writes.append(put(keys.GROUPS + group.name, record))
            writes.append(self._journal.event("intent", event_words, group=group.name))
        if status is not None and status == present and not self._resources.standing.takes_back(status):
            status = None
        if status is not None:
            writes.append(put(keys.STATUS + group.name, status))
            after = combined(status.resources.values())
            before = combined(present.resources.values()) if present is not None else None
            if after.state in _WORDS and (before is None or before.state is not after.state):
                kind, words = _WORDS[after.state]
                text = f"{group.name} {words} {self._store.me}" + (f": {after.why}" if after.why else "")
                writes.append(self._journal.event(kind, text, group=group.name, about=self._store.me))
        # The report before this one too: one that is still under way must not be written after this one.
        compares = self._store.unchanged(keys.GROUPS + group.name, keys.STATUS + group.name)
        return Part(compares, writes, status) if writes else None

    def _current(self, status: GroupStatus, group: Group) -> bool:
        mine = (group.epoch, self._store.me, self._membership.incarnation)
        return (status.epoch, status.node, status.incarnation) == mine

    def _status(self, group: Group, present: GroupStatus | None) -> GroupStatus | None:
        found: dict[str, ResourceStatus] = {}
        for name in group.resources:
            before = present.resources.get(name) if present is not None else None
            status = self._resource_status(group, name, before)
            if status is None:
                return None
            found[name] = status
        return GroupStatus(group.name, self._store.me, self._membership.incarnation, group.epoch, found)

    def _resource_status(self, group: Group, name: str, before: ResourceStatus | None) -> ResourceStatus | None:
        """None: not worth telling yet."""
        local = self._resources.locals.get(name)
        if local is None:
            resource = self._store.resources.get(name)
            problem = self._resources.problem(resource.type) if resource is not None else "its record is gone"
            return ResourceStatus(State.UNKNOWN, problem) if problem else None
        if local.announced:
            return ResourceStatus(State.ONLINE_PENDING)
        if local.state is S.FAILED and group.epoch > local.failed_epoch:
            return before  # it failed at an earlier epoch and is about to be tried again
        state = PUBLISHED[local.state]
        if state is State.UNKNOWN:
            if self._clock.now() - local.since < UNKNOWN_GRACE_S:
                return before
            problem = self._resources.problem(local.resource.type)
            return ResourceStatus(state, problem or local.why or "its plugin has not answered yet")
        return ResourceStatus(state, local.why)

    def _intent(self, group: Group) -> tuple[Group, str] | None:
        """Somebody switched it off or on without asking the cluster: that is an intent too (rule 10)."""
        for local in (self._resources.locals.get(name) for name in group.resources):
            if local is None:
                continue
            wanted = self._changed_intent(local, group)
            if wanted is not None:
                how = local.switched_off if wanted is Wanted.OFFLINE else local.switched_on
                record = msgspec.structs.replace(
                    group, wanted=wanted, intents=group.intents + 1, wanted_by=f"{how}, on {self._store.me}"
                )
                return record, f"{group.name} is wanted {wanted.value}: {how}, on {self._store.me}"
        return None

    def _changed_intent(self, local: Local, group: Group) -> Wanted | None:
        if local.switched_at != group.intents:
            return None
        if local.switched_off and group.wanted is Wanted.ONLINE:
            return Wanted.OFFLINE
        if local.switched_on and group.wanted is Wanted.OFFLINE:
            return Wanted.ONLINE
        return None

    def _remarks(self) -> list[Part]:
        me = self._store.me
        return [
            Part([], [self._journal.event(remark.kind, remark.words, group=remark.group, about=me)])
            for remark in self._resources.remarks
        ]
