"""Tells the cluster how this node's groups are, on change, and writes down what people did at a node's own console.

A status counts only for its epoch, and is written only while the group's record is as it was when it was made up.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from outlast.core.group.group_state import combined
from outlast.core.membership.membership import Session as OwnSession
from outlast.core.owner.duty import Here
from outlast.core.owner.resource import PUBLISHED, runs_nothing
from outlast.core.owner.switched import Intent, Switched, intent
from outlast.core.owner.telling import stands_for_a_moment, told
from outlast.model import keys
from outlast.model.group import Group, Resource, Wanted
from outlast.model.status import GroupStatus, ResourceStatus, State
from outlast.ports.database import Committed, Compare, Unavailable, Write
from outlast.ports.environment import Clock
from outlast.service.hosting.local import Local, Told
from outlast.service.hosting.resources import Resources
from outlast.service.journal import Journal
from outlast.service.membership import Membership
from outlast.service.store import RETRY_S, Store, put

MOST_AT_ONCE = 120
"""A transaction holds 128 compares, and as many writes. One compare is common to all."""
SWITCHED_AT_ONCE = 20
"""Resources of one group; those beyond are told in the next report."""
UNKNOWN_GRACE_S = 3.0
"""A host that is being replaced knows nothing for a moment: that alone is not worth telling."""

_WORDS = {
    State.ONLINE: ("online", "is online on"),
    State.OFFLINE: ("offline", "is offline on"),
    State.FAILED: ("failed", "failed on"),
    State.ONLINE_PENDING: ("online-pending", "is being brought online on"),
    State.UNKNOWN: ("unknown", "may or may not run on"),
    State.PARTIAL: ("partially-online", "is partially online on"),
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
        membership.untold = self._untold

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
        parts += self._of_strays()
        self._bind(parts)
        told = len(self._resources.remarks)
        parts += [self._record(group) for group in self._resources.strays.records()]
        parts += self._remarks()
        done = True
        for batch in _batches(parts):
            if await self._commit(batch):
                continue
            done = False
            for part in batch if len(batch) > 1 else []:
                await self._commit([part])
        del self._resources.remarks[:told]  # not before: the database may not have answered
        return done

    def _bind(self, parts: Iterable[Part]) -> None:
        """All at once, before anything is awaited: what is about to be told of one group binds while another one's
        report is still under way."""
        for part in parts:
            if part.status is not None:
                self._resources.standing.sending(part.status)

    async def _commit(self, parts: list[Part]) -> bool:
        compares = [compare for part in parts for compare in part.compares]
        writes = [write for part in parts for write in part.writes]
        statuses = [part.status for part in parts if part.status is not None]
        if compares:
            # Who is called silent has no session any more, whatever it was promised: what is announced by its report
            # would be started without one (rule 2).
            compares.append(Compare(keys.SILENCES + self._store.me, 0))
        if not isinstance(await self._store.transact(compares, writes), Committed):
            return False
        for status in statuses:
            self._resources.standing.written(status)
            self._resources.reported(status.group)
        return True

    def _untold(self) -> tuple[str, ...]:
        """What may run here although our report that nothing of it does may stand: what is told of it after an outage
        comes after the first renewal, and what no host has open just now is not seen."""
        me, records = self._store.me, self._resources.records
        found = (
            group.name
            for local in self._resources.locals.values()
            if not (runs_nothing(local.state) and local.opened)
            and (group := records.group(local)) is not None
            and group.owner == me
            and records.promised(local, group)
        )
        return tuple(sorted(set(found)))

    def _mine(self) -> list[Group]:
        return [group for group in self._store.groups.values() if group.owner == self._store.me]

    def _part(self, group: Group) -> Part | None:
        """What to write about one group; None when the cluster knows it all."""
        present = self._store.statuses.get(group.name)
        if present is not None and not self._current(present, group):
            present = None
        status = self._status(group, present)
        compares, writes = self._records(group)
        if status is not None and status == present and not self._resources.standing.takes_back(status):
            status = None
        if status is not None:
            writes.append(put(keys.STATUS + group.name, status))
            after = combined(status.resources)
            before = combined(present.resources) if present is not None else None
            if after.state in _WORDS and (before is None or before.state is not after.state):
                kind, text = self._told(group, status, after)
                writes.append(self._journal.event(kind, text, group=group.name, about=self._store.me))
        # The report before this one too: one that is still under way must not be written after this one.
        compares += self._store.unchanged(keys.GROUPS + group.name, keys.STATUS + group.name)
        return Part(compares, writes, status) if writes else None

    def _told(self, group: Group, status: GroupStatus, after: ResourceStatus) -> tuple[str, str]:
        """The kind and the words of the event that tells of it."""
        gone = next((name for name, one in status.resources.items() if one.handover and one.handover.done), "")
        if after.state is State.OFFLINE and gone:
            said, local = status.resources[gone].handover, self._resources.locals.get(gone)
            how = f": {local.handed_how}" if local is not None and local.handed_how else ""
            return "handed-over", f"{group.name} was handed over to {said.to if said else ''} as it ran{how}"
        kind, words = _WORDS[after.state]
        return kind, f"{group.name} {words} {self._store.me}" + (f": {after.why}" if after.why else "")

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
        life = self._membership.incarnation
        return GroupStatus(group.name, self._store.me, life, group.epoch, found, group.intents)

    def _resource_status(self, group: Group, name: str, before: ResourceStatus | None) -> ResourceStatus | None:
        """None: not worth telling yet."""
        local = self._resources.locals.get(name)
        if local is None:
            resource = self._store.resources.get(name)
            problem = self._resources.problem(resource.type) if resource is not None else "its record is gone"
            return ResourceStatus(State.UNKNOWN, problem) if problem else None
        if not local.announced and PUBLISHED[local.state] is State.UNKNOWN:
            just_so = self._clock.now() - local.since < UNKNOWN_GRACE_S
            if just_so and stands_for_a_moment(before, local.last_known):
                return before
            problem = self._resources.problem(local.resource.type)
            return ResourceStatus(State.UNKNOWN, problem or local.why or "its plugin has not answered yet")
        # As it is now: what follows from the others of its group may have been looked at before.
        here = msgspec.structs.replace(
            local.here or Here(local.state),
            state=local.state,
            failed_epoch=local.failed_epoch,
            switched_off=bool(local.switched_off),
        )
        status = told(
            group,
            self._store.me,
            here,
            local.why,
            announced=local.announced,
            again=local.again,
            before=before,
        )
        if status is None:
            return None
        held_back = self._resources.held_back(local)
        if held_back and status.state is State.ONLINE:
            # What it says between two ends of its host is no word to rely on, and would be news each time.
            return ResourceStatus(State.UNKNOWN, held_back)
        runs = status.state is State.ONLINE
        told_before = before.guest if before is not None else None
        return msgspec.structs.replace(
            status,
            answers=runs and local.is_well,
            handover=local.handed_over(group),
            guest=(local.guest if local.guest_known else told_before) if runs else None,
        )

    def _records(self, group: Group) -> tuple[list[Compare], list[Write]]:
        """What its owner writes down of it besides: what is wanted of it by now, and what state of it is saved."""
        found, states = self._intent(group), self._states(group)
        changed = {one.name: one for one in (found.resources if found is not None else ())}
        for one in states:
            base = changed.get(one.name, one)
            changed[one.name] = msgspec.structs.replace(base, saved=one.saved, taken=one.taken)
        compares = self._store.unchanged(*(keys.RESOURCES + name for name in changed))
        writes: list[Write] = [put(keys.RESOURCES + name, one) for name, one in changed.items()]
        if found is not None and found.group != group:
            writes.append(put(keys.GROUPS + group.name, found.group))
        words = [*(found.words if found is not None else ())]
        writes += [self._journal.event("intent", one, group=group.name) for one in words]
        writes += [self._journal.event("saved", one, group=group.name) for one in self._dropped(states)]
        return compares, writes

    def _states(self, group: Group) -> list[Resource]:
        locals = [local for name in group.resources if (local := self._resources.locals.get(name)) is not None]
        return [one for local in locals if (one := self._resources.saving.record(local)) is not None]

    def _dropped(self, states: Iterable[Resource]) -> list[str]:
        locals, saving = self._resources.locals, self._resources.saving
        return [words for one in states if (words := saving.dropped(locals[one.name], one))]

    def _of_strays(self) -> list[Part]:
        """What ran here although another node owns it: the state that was saved of it is of the past all the same."""
        found = []
        for local in self._resources.locals.values():
            group = self._store.groups.get(local.resource.group)
            if group is None or group.owner == self._store.me:
                continue
            record = self._resources.saving.record_of_stray(local)
            if record is not None:
                key = keys.RESOURCES + record.name
                told = [self._journal.event("saved", one, group=group.name) for one in self._dropped([record])]
                found.append(Part(self._store.unchanged(key), [put(key, record), *told]))
        return found

    def _intent(self, group: Group) -> Intent | None:
        """What somebody did without asking the cluster is an intent too (rule 10); and who does not start by itself is
        wanted offline after its node's end. What could not be saved is wanted online as before."""
        store = self._store
        locals = [local for name in group.resources if (local := self._resources.locals.get(name)) is not None]
        switched = [one for local in locals if (one := self._switched(local, group)) is not None]
        found = intent(group, store.resources, switched[:SWITCHED_AT_ONCE], store.me)
        if found is not None:
            for one in switched[:SWITCHED_AT_ONCE]:
                after = found.group
                self._resources.locals[one.resource].told = Told(
                    group.intents, after.intents, after.wanted_by, one.wanted
                )
        left_off = self._resources.duties.gates.left_off(group)
        if found is None and left_off:
            record = msgspec.structs.replace(
                group, wanted=Wanted.OFFLINE, wanted_by=left_off, intents=group.intents + 1
            )
            found = Intent(record, (), (f"{group.name} is wanted offline: {left_off}",))
        runs_on = next((why for local in locals if (why := self._resources.saving.runs_on(group, local))), "")
        if found is None and runs_on:
            by = f"{group.wanted_by}, who wanted it saved"
            record = msgspec.structs.replace(group, wanted=Wanted.ONLINE, wanted_by=by, intents=group.intents + 1)
            found = Intent(record, (), (f"{group.name} is wanted online again: {runs_on}",))
        return found

    def _switched(self, local: Local, group: Group) -> Switched | None:
        if local.switched_at != group.intents:
            return None
        if local.switched_off:
            return Switched(local.name, Wanted.OFFLINE, local.switched_off)
        return Switched(local.name, Wanted.ONLINE, local.switched_on) if local.switched_on else None

    def _record(self, group: Group) -> Part:
        """What appeared here of another node's, or does no longer."""
        return Part(self._store.unchanged(keys.GROUPS + group.name), [put(keys.GROUPS + group.name, group)])

    def _remarks(self) -> list[Part]:
        me = self._store.me
        return [
            Part([], [self._journal.event(remark.kind, remark.words, group=remark.group, about=me)])
            for remark in self._resources.remarks
        ]


def _batches(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """As many as go into one transaction."""
    batch: list[Part] = []
    size = 0
    for part in parts:
        one = max(len(part.compares), len(part.writes))
        if batch and size + one > MOST_AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(part)
        size += one
    if batch:
        yield batch
