"""Makes what is here match the groups' records, as far as this node's session allows: each resource's next step, after
all others of its group have been looked at.

Level-triggered: it is asked again whenever anything may have changed. A step that changes the state of one resource may
be what another one waited for, so the group is looked at again until nothing more is to be done.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping

import structlog

from outlast.core.membership.membership import Session as OwnSession
from outlast.core.owner.duty import Duty, Here, Step, duty, next_step
from outlast.core.owner.ordering import ALONE, Place, Stand, places
from outlast.core.owner.resource import E, S, runs_nothing
from outlast.core.owner.restarting import Attempt, restart, retry
from outlast.core.owner.start_order import OPEN, Gate
from outlast.core.volume.changing import held_up
from outlast.core.volume.volumes import volumes
from outlast.model import keys
from outlast.model.group import Group
from outlast.ports.environment import Environment
from outlast.service.hosting.gates import Gates
from outlast.service.hosting.handing import Handing
from outlast.service.hosting.local import Local, Remark
from outlast.service.hosting.records import Records
from outlast.service.hosting.saving import Saving
from outlast.service.hosting.strays import Strays
from outlast.service.hosting.turns import NodeTurns
from outlast.service.store import Store
from outlast.service.watchdog import Arming

log = structlog.get_logger()

SOONEST_S = 0.001
"""A pause that no rounding of times makes none."""
TURN_S = 1.0
_CERTAINLY_HERE = frozenset(
    {
        S.ONLINE, S.UNCERTAIN, S.ONLINE_PENDING, S.OFFLINE_PENDING, S.FAILING, S.STUCK, S.HANDING_OVER, S.CALLING_BACK,
        S.SAVING,
    }
)  # fmt: skip
"""Not what is being ended at once: what begins after that is another start, of what only stood here, say."""


class Duties:
    def __init__(
        self,
        store: Store,
        env: Environment,
        session: OwnSession,
        watchdog: Arming,
        records: Records,
        locals: Mapping[str, Local],
        handing: Handing,
        strays: Strays,
        saving: Saving,
        feed: Callable[[Local, E, str], None],
        let_go: Callable[[Local, bool], None],
    ) -> None:
        self.gates = Gates(store, env.clock)
        self.turns = NodeTurns(store, env, records, locals, self._tries_again, self._handed_to)
        self.changed = asyncio.Event()
        """Set when there may be something to report."""
        self.remarks: list[Remark] = []
        """What is worth an event; taken by the reporter."""
        self._store = store
        self._clock = env.clock
        self._session = session
        self._watchdog = watchdog
        self._records = records
        self._locals = locals
        self._handing = handing
        self._strays = strays
        self._saving = saving
        self._feed = feed
        self._let_go = let_go
        self._looking: set[str] = set()
        """Groups that are being looked at."""
        self._again: set[str] = set()
        """Those of them in which something changed meanwhile."""
        self._alarms: dict[str, float] = {}
        """When time alone changes what is to be done about a group."""
        self._alarm_set = asyncio.Event()
        self._releasing = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_when_due())
            tasks.create_task(self._look_when_nodes_change())

    async def _look_when_nodes_change(self) -> None:
        """What was handed over to one that is silent now, or has left, and is still this node's, may run on here."""
        changes = self._store.subscribe(keys.SILENCES, keys.SESSIONS)
        while True:
            await changes.wait()
            for local in [one for one in self._locals.values() if one.state is S.HANDED_OVER]:
                self.look_at(local.resource.group)

    async def _look_when_due(self) -> None:
        """Look again at what waits for a time."""
        while True:
            now = self._clock.now()
            for name in [name for name, at_s in self._alarms.items() if at_s <= now]:
                del self._alarms[name]
                self.look_at(name)
            self._alarm_set.clear()
            try:
                soonest_s = min(self._alarms.values(), default=None)
                async with asyncio.timeout(None if soonest_s is None else max(SOONEST_S, soonest_s - now)):
                    await self._alarm_set.wait()
            except TimeoutError:
                pass

    def apply(self, local: Local) -> None:
        """What is to be done with this resource now, and with the others of its group?"""
        if local.must_stop:
            if not runs_nothing(local.state):
                self._feed(local, E.WANT_TERMINATED, local.must_stop)
            return
        if not self._session.valid(self._clock.now()):
            return
        group = self._records.group(local)
        if group is None or local.name not in group.resources:
            self._let_go(local, False)
        else:
            self.look_at(group.name)

    def look_at(self, name: str) -> None:
        """At all of a group that is here."""
        if name in self._looking:
            self._again.add(name)
            return
        self._looking.add(name)
        try:
            self._again.add(name)
            while name in self._again:
                self._again.discard(name)
                self._look_once(name)
        finally:
            self._looking.discard(name)
            self._again.discard(name)
        if not self._looking:
            self._release()

    def _release(self) -> None:
        """Somebody is done with his start: the next ones have their turn."""
        if self._releasing:
            return
        self._releasing = True
        try:
            while self.turns.freed:
                self.turns.freed = False
                for name in self.turns.waiting():
                    self.look_at(name)
                    if self.turns.waits(name):
                        break  # and all behind it wait for the same
        finally:
            self._releasing = False

    def expect(self, changed: Collection[str]) -> None:
        """Records are other ones, and are about to be looked at one by one."""
        if keys.CLUSTER in changed:  # armed again, say: all that was not started for that comes now
            changed = [*changed, *(keys.GROUPS + name for name in self._store.groups)]
        for key in changed:
            if key.startswith(keys.GROUPS):
                self.turns.note(key.removeprefix(keys.GROUPS))
        self._release()

    def others_changed(self, key: str) -> None:
        """The record or the report of a group is another one: a start may have waited for it."""
        self.gates.follow(key)
        for name in self.gates.waiting():
            if key not in (keys.GROUPS + name, keys.STATUS + name):
                self.look_at(name)

    def _look_once(self, name: str) -> None:
        group = self._store.groups.get(name)
        if group is None or not self._session.valid(self._clock.now()):
            return
        what = duty(group, self._store.me)
        found = self._places(group) if group.owner == self._store.me else {}
        gate, turn = OPEN, ""
        if what is Duty.RUN:
            gate = self._gate(group)
            turn = self._turn(group, found, gate)
        else:
            self.turns.leaves(name)
        for local in self._of(group):
            if what is Duty.RECEIVE:
                local.receives_epoch = group.epoch
            if not local.must_stop:
                self._take_step(local, group, found.get(local.name, ALONE), gate, turn)
            if name in self._again:
                return  # what was found out about the others is no longer so

    def _of(self, group: Group) -> Iterator[Local]:
        for name in group.resources:
            local = self._locals.get(name)
            if local is not None and local.resource.group == group.name:
                yield local

    def _gate(self, group: Group) -> Gate:
        changes = self._store.volume_changes
        if changes and (
            held := held_up(group, self._store.resources, volumes(self._store.resources), changes.values())
        ):
            return Gate(f"waits for {held}")
        if not group.start_after and not self.gates.left_off(group):
            return OPEN
        found = self.gates.of(group, runs=any(local.state in _CERTAINLY_HERE for local in self._of(group)))
        if found.again_in_s is not None:
            self._wake(group.name, self._clock.now() + found.again_in_s)
        return found

    def _turn(self, group: Group, found: Mapping[str, Place], gate: Gate) -> str:
        words, at_s = self.turns.of(group, found, gate)
        if at_s is not None:
            self._wake(group.name, at_s)
        return words

    def _places(self, group: Group) -> Mapping[str, Place]:
        stands = []
        for name in group.resources:
            local, resource = self._locals.get(name), self._store.resources.get(name)
            if local is not None:
                stands.append(self._stand(local, group))
            elif resource is not None:
                stands.append(Stand(resource, S.DETACHED))
        stopping = duty(group, self._store.me) is not Duty.RUN
        return {} if self._records.hold() else places(stands, stopping=stopping)

    def _stand(self, local: Local, group: Group) -> Stand:
        failed = local.state is S.FAILED and group.epoch <= local.failed_epoch
        lost = failed and (not self._comes_back(local, group) or bool(self._records.left_alone(local)))
        # What is being stopped is not up, whatever still runs of it.
        state = S.OFFLINE_PENDING if local.is_stopping else local.state
        return Stand(local.resource, state, lost, maintained=bool(self._records.maintenance(local)))

    def _take_step(self, local: Local, group: Group, place: Place, gate: Gate, turn: str) -> None:
        self._records.forget_switch(local, group)
        attempt = self._attempt(local, group)
        due = attempt is not None and attempt.at_s <= self._clock.now()
        if attempt is not None and not due:
            self._wake(group.name, attempt.at_s)
        here = self._here(local, group, place, gate, turn, due=due)
        what = next_step(group, self._store.me, here, hold=self._records.hold())
        again = attempt.words if attempt is not None and attempt.of and not here.left_alone else ""
        if (local.here, local.again, local.announced) != (here, again, what is Step.ANNOUNCE):
            local.here, local.again, local.announced = here, again, what is Step.ANNOUNCE
            self.changed.set()
        match what:
            case Step.NOTHING | Step.ANNOUNCE:
                pass
            case Step.ONLINE:
                self._start(local, group, attempt, gate)
            case Step.OFFLINE:
                self._feed(local, E.WANT_OFFLINE, place.barred or (place.waits and f"waits for {place.waits}"))
            case Step.TERMINATE:
                self._terminate(local, group)
            case Step.FORGET:
                self._let_go(local, True)
            case with_its_state:
                self._take_along(with_its_state, local, group)

    def _here(self, local: Local, group: Group, place: Place, gate: Gate, turn: str, *, due: bool) -> Here:
        left_alone = self._records.left_alone(local)
        stray = self._strays.look_at(local, group)
        if stray.until_s is not None:
            self._wake(group.name, stray.until_s)
        return Here(
            state=local.state,
            failed_epoch=local.failed_epoch,
            promised=self._records.promised(local, group),
            switched_off=bool(local.switched_off),
            switched_on=bool(local.switched_on) or self._records.started_by_hand(local, group),
            tries_again=due,
            place=place,
            gate=gate.shut,
            turn=turn,
            left_alone=left_alone,
            stopping=local.is_stopping,
            tried_move=local.handover.move if local.handover is not None and local.handover.why else -1,
            handing_to=local.handing_to(group),
            left_by_hand=local.left_by_hand(group),
            left_in=local.left_in,
            handed_to=self._handed_to(local, group),
            can_save=self._records.can_save(local),
            saved_in_vain=self._saving.in_vain(local, group),
            may_be_saved=self._saving.may_be_saved(local, group),
            has_state=self._saving.has_state(local),
            new_here=stray.new_here,
            adoptable=stray.adoptable,
            owner_heard=stray.owner_heard,
            told_of=stray.told_of,
        )

    def _take_along(self, what: Step, local: Local, group: Group) -> None:
        """It goes, and its state with it."""
        match what:
            case Step.HAND_OVER:
                self._hand_over(local, group)
            case Step.SAVE:
                self._saving.begins(local, group)
                self._feed(local, E.WANT_SAVED, "its state is saved")
            case Step.CALL_BACK:
                self._feed(local, E.WANT_CALLED_BACK, "")
            case Step.TAKE_UP:
                if self._watchdog.may_start():
                    self._feed(local, E.WANT_TAKEN_UP, self._handing.words(group))
            case Step.STAND_STILL:
                self._feed(local, E.WANT_STILL, "")

    def _hand_over(self, local: Local, group: Group) -> None:
        waits = self._handing.turn_of(local, self._locals.values())
        if waits:
            self._wake(group.name, self._clock.now() + TURN_S)
            return
        self._handing.begins(local, group)
        self._feed(local, E.WANT_HANDED_OVER, f"it is handed over to {group.move_to}")

    def _handed_to(self, local: Local, group: Group) -> str:
        """The node where it stands, if that is a member: it is about to be given to it."""
        said = local.handed_over(group)
        if said is None or not said.done:
            return ""
        return said.to if said.to in self._store.sessions and said.to not in self._store.silences else ""

    def _start(self, local: Local, group: Group, attempt: Attempt | None, gate: Gate) -> None:
        if not self._watchdog.may_start():
            return
        if attempt is None:
            self._feed(local, E.WANT_ONLINE, gate.late)
            return
        if attempt.of:
            local.restarts_s.append(self._clock.now())
            words = f"{local.name} {attempt.words} on {self._store.me}: {local.why}"
            self.remarks.append(Remark("restarted", words, group.name))
        else:
            local.restarts_s.clear()
        self._feed(local, E.WANT_ONLINE, f"{attempt.words}: {local.why}")

    def _attempt(self, local: Local, group: Group) -> Attempt | None:
        """The next one here, at this epoch; None: it has not failed, or stays failed."""
        if local.restarts_epoch != group.epoch:
            local.restarts_s, local.restarts_epoch = [], group.epoch
        if local.state is not S.FAILED or group.epoch > local.failed_epoch:
            return None
        soon = restart(local.resource, local.restarts_s, local.failed_at_s) if local.spent_epoch < group.epoch else None
        return soon or retry(local.resource, group, local.failed_at_s)

    def _tries_again(self, local: Local, group: Group) -> bool:
        attempt = self._attempt(local, group)
        return attempt is not None and attempt.at_s <= self._clock.now()

    def _comes_back(self, local: Local, group: Group) -> bool:
        """Soon: for the retry after long nobody waits."""
        attempt = self._attempt(local, group)
        return attempt is not None and (attempt.of > 0 or attempt.at_s <= self._clock.now())

    def _terminate(self, local: Local, group: Group) -> None:
        me = self._store.me
        held = local.came is not None and local.state in (S.HOLDING, S.RECEIVED)
        if group.owner != me and local.state is S.UNCERTAIN and local.receives_epoch == group.epoch:
            # It was never ours: what cannot be told of it is only whether it still stands still.
            words = f"what had arrived of {local.name} on {me} is dropped: it stays on {group.owner}"
            self.remarks.append(Remark("not-moved", words, group.name))
        elif group.owner != me and (held or local.state in (S.ONLINE, S.UNCERTAIN)):
            self.remarks.append(Remark("stopped", self._strays.words(local), group.name))
        self._feed(local, E.WANT_TERMINATED, "" if group.owner == me else f"{me} does not own it")

    def _wake(self, group: str, at_s: float) -> None:
        if at_s < self._alarms.get(group, float("inf")):
            self._alarms[group] = at_s
            self._alarm_set.set()
