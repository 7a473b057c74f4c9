"""Puts the state of resources away, and lets them go on from it: each state once at most.

A state stands in its resource's record. Who is about to bring the resource online takes it out there first, in the same
write that tells that it is about to (`reporting.py`): the record compares, so there is one who has taken it. Only the
service that took it may go on from it, once, and puts it back only when its plugin says that nothing ran. Whatever else
becomes of it, it is gone, and the resource starts anew: what may have run once is never gone on from again.
"""

from collections.abc import Callable

import msgspec

from outlast.core.owner.own_stop import OwnStop
from outlast.core.owner.resource import Call, S, runs_nothing
from outlast.model.group import Group, Resource, Wanted
from outlast.model.health import Health
from outlast.model.saved import SavedState
from outlast.model.status import Handover
from outlast.ports.hosts import CallFailed
from outlast.service.hosting.calls import Calls
from outlast.service.hosting.local import Local
from outlast.service.hosting.records import Records
from outlast.service.store import Store

_RUNS = (S.ONLINE, S.HANDING_OVER, S.CALLING_BACK)


def stop_of(group: Group) -> str:
    """What the present wish to stop it is called: its state belongs to that alone."""
    return f"{group.epoch}-{group.intents}-{group.moves}"


def wish_of(group: Group) -> tuple[int, int, int]:
    return group.epoch, group.intents, group.moves


class Saving:
    def __init__(
        self,
        store: Store,
        calls: Calls,
        records: Records,
        new_token: Callable[[], str],
        changed: Callable[[], None],
    ) -> None:
        """`new_token`: never the same twice, whichever service asks. `changed`: there is something to tell."""
        self._store = store
        self._calls = calls
        self._records = records
        self._new_token = new_token
        self._changed = changed

    # -- what is to be done ------------------------------------------------------------------------------------------

    def has_state(self, local: Local) -> bool:
        """Is there one to be taken before it is brought online?"""
        kept, record = local.kept, self._store.resources.get(local.name)
        if record is None:
            return False
        _read(local, record)
        return record.saved is not None or kept.saved is not None or kept.put_back is not None

    def may_be_saved(self, local: Local, group: Group) -> bool:
        """A service before this one had begun it, at this epoch, and nobody knows how it ended."""
        stop, known = local.kept.unfinished, local.resource.saved
        if local.stop is not OwnStop.SAVING or not stop.startswith(f"{group.epoch}-"):
            return False
        return known is None or known.id != stop

    def goes_on(self, local: Local) -> bool:
        """A service before this one had begun it, and nobody has seen it run since: a guest stands still meanwhile."""
        return bool(local.kept.unfinished) and local.stands

    def in_vain(self, local: Local, group: Group) -> bool:
        return local.kept.failed == wish_of(group)

    # -- the calls ---------------------------------------------------------------------------------------------------

    def begins(self, local: Local, group: Group) -> None:
        kept = local.kept
        kept.stop, kept.unfinished = kept.unfinished or stop_of(group), ""
        kept.saved, kept.wish, kept.failed = None, wish_of(group), None
        kept.ran = local.state is S.ONLINE

    async def save(self, local: Local) -> None:
        """Raises what `Calls.save` raises."""
        kept = local.kept
        state = await self._calls.save(local.resource, kept.stop)
        kept.saved = msgspec.structs.replace(state, node=self._store.me)
        if kept.ran and kept.past == state.id:
            kept.past = ""  # it was started by hand after it had been saved for that stop, and was saved for it anew

    async def restore(self, local: Local, state: SavedState) -> None:
        """Raises what `Calls.restore` raises."""
        local.kept.taken = None
        try:
            await self._calls.restore(local.resource, state)
        except CallFailed as error:
            if not error.refusal:
                raise
            local.kept.put_back = state
            words = f"cannot go on from its state {state.words}: {error.why}"
            words += f" (`outlast vm start {local.name} --discard-saved-state` starts it anew)"
            raise CallFailed(words, refusal=True) from error

    def failed(self, local: Local, call: Call, why: str) -> None:
        """It was to be saved, in vain; what runs is looked at next."""
        group = self._records.group(local)
        if call is not Call.SAVE or group is None:
            return
        kept = local.kept
        kept.failed, kept.why = kept.wish, why
        if group.move_to and kept.failed == wish_of(group):
            local.handover = Handover(group.moves, group.move_to, why=why, saving=True)
            local.handing = (group.move_to, group.epoch)
        self._changed()

    def found(self, local: Local, health: Health) -> None:
        """Somebody may have put its state away past the cluster: then its next start goes on from there, once, as from
        any other. What a service before this one has taken out of the record is gone (rule 13)."""
        state, kept, group = health.saved, local.kept, self._records.group(local)
        record = self._store.resources.get(local.name)
        if state is None or state.id in (kept.found, kept.past) or record is None:
            return
        if group is None or group.owner != self._store.me:
            return
        kept.found = state.id
        known = record.saved.id if record.saved is not None else _id_of_taken(record)
        if known != state.id:
            kept.saved = msgspec.structs.replace(state, node=self._store.me)
            self._changed()

    def entered(self, local: Local) -> None:
        """It has come into another state."""
        kept = local.kept
        if local.state in _RUNS:
            self.ran(local)
        elif local.state is S.ONLINE_PENDING:
            kept.saved, kept.unfinished = None, ""
        elif local.state is S.DETACHED and local.stop is OwnStop.SAVING:
            kept.unfinished = kept.stop  # its host is gone, and libvirt may go on with it

    def ran(self, local: Local) -> None:
        """Otherwise than from its saved state, if only for a moment: that is of the past."""
        kept = local.kept
        state = kept.saved or local.resource.saved
        kept.past = state.id if state is not None else _id_of_taken(local.resource) or kept.past
        kept.saved = kept.taken = kept.taking = kept.put_back = None

    # -- what is written down ----------------------------------------------------------------------------------------

    def record(self, local: Local) -> Resource | None:
        """The resource's record as it is to be by now; None: as it is."""
        kept, record = local.kept, self._store.resources.get(local.name)
        if record is None:
            return None
        _read(local, record)
        if _is_past(local, record):
            return msgspec.structs.replace(record, saved=None)
        if kept.saved is not None and runs_nothing(local.state):
            if record.saved != kept.saved:
                return msgspec.structs.replace(record, saved=kept.saved)
            kept.saved = None
        if kept.put_back is not None and runs_nothing(local.state):
            if record.saved != kept.put_back:
                return msgspec.structs.replace(record, saved=kept.put_back)
            kept.put_back = None
        return self._take(local, record) if local.announced and record.saved is not None else None

    def record_of_stray(self, local: Local) -> Resource | None:
        """Likewise, of what ran here although another node owns it. That one may have taken the state out of the record
        a moment ago, and might put it back: so it is taken out of his hands as well."""
        record = self._store.resources.get(local.name)
        if record is None or not (record.saved is not None or record.taken):
            return None
        known = record.saved.id if record.saved is not None else _id_of_taken(record)
        ran = local.state in _RUNS or known == local.kept.past
        return msgspec.structs.replace(record, saved=None, taken="") if ran else None

    def _take(self, local: Local, record: Resource) -> Resource:
        state, kept = record.saved, local.kept
        assert state is not None
        if kept.taking is None or kept.taking[0] != state:
            kept.taking = (state, f"{state.id} {self._new_token()}")
        return msgspec.structs.replace(record, saved=None, taken=kept.taking[1])

    def dropped(self, local: Local, record: Resource) -> str:
        """Words for what is dropped by that record; "" when nothing is."""
        before = self._store.resources.get(local.name)
        if before is None or before.saved is None or record.saved is not None or not _is_past(local, before):
            return ""
        return (
            f"the state of {local.name} {before.saved.words} is of the past: "
            f"it was started past the cluster on {self._store.me}"
        )

    def runs_on(self, group: Group, local: Local) -> str:
        """Why it is not offline although it was to be saved; "" otherwise."""
        failed = group.wanted is Wanted.OFFLINE and self.in_vain(local, group) and local.state is S.ONLINE
        if not failed:
            return ""
        return (
            f"{local.name} could not be saved: {local.kept.why}. It runs on; "
            f"`outlast group offline {group.name} --how shutdown` shuts it down"
        )


def _read(local: Local, record: Resource) -> None:
    """What was taken and has come to stand in the record as taken by this service is this service's from then on; until
    another word stands there."""
    kept = local.kept
    if kept.taking is not None and record.saved is None and record.taken == kept.taking[1]:
        (kept.taken, kept.token), kept.taking = kept.taking, None
    if record.taken != kept.token:  # an administrator has dropped it, say, or it was started on another node meanwhile
        kept.taken = kept.put_back = None


def _id_of_taken(record: Resource) -> str:
    """Of the state that was taken out of the record last; "": none was."""
    return record.taken.partition(" ")[0]


def _is_past(local: Local, record: Resource) -> bool:
    """Has it run otherwise since its state was saved?"""
    return record.saved is not None and (local.state in _RUNS or record.saved.id == local.kept.past)
