"""How to break one rule in the running code of this process: what takes more than a line for the catalog."""

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from outlast.core.coordinator import failover
from outlast.core.coordinator.round import Round
from outlast.core.fence import fencing
from outlast.core.group import group_state
from outlast.core.membership import certainty, membership
from outlast.core.owner import duty, resource
from outlast.core.owner.resource import Call, E, S
from outlast.core.quorum import last_one, roll_call
from outlast.lab.lab import Lab
from outlast.model.group import Group
from outlast.model.health import Health
from outlast.model.node import Silence
from outlast.model.plan import Assign
from outlast.model.view import ClusterView
from outlast.ports.database import Compare
from outlast.service import membership as service_membership
from outlast.service import recording
from outlast.service.hosting import reporting
from outlast.service.hosting.local import Local
from outlast.service.hosting.resources import Resources
from outlast.service.quorum.member_keeper import MemberKeeper

Break = Callable[[], None]


def swap(old: Any, new: Any) -> None:
    """Everywhere where the function is known by its name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("outlast"):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)


def always(old: Any, value: Any) -> Break:
    return lambda: swap(old, lambda *arguments, **options: value)


def method(owner: type, name: str, new: Any) -> Break:
    return lambda: setattr(owner, name, new)


def no_new_epoch() -> None:
    init = Round.assign

    def assign(self: Any, group: Group, *rest: Any, **options: Any) -> None:
        init(self, group, *rest, **options)
        last = self._actions[-1]
        assert isinstance(last, Assign)
        self._actions[-1] = msgspec.structs.replace(last, epoch=group.epoch)

    setattr(Round, "assign", assign)  # noqa: B010


def compares_nothing(name: str) -> Break:
    def apply() -> None:
        original = getattr(recording.Recording, name)
        setattr(recording.Recording, name, lambda self, action, *more: ([], original(self, action, *more)[1]))

    return apply


def reports_compare_only_the_group() -> None:
    original = reporting.Reporting._part

    def part(self: Any, group: Group) -> Any:
        made = original(self, group)
        return made if made is None else made._replace(compares=made.compares[:1])

    setattr(reporting.Reporting, "_part", part)  # noqa: B010


def reports_while_it_is_called_silent() -> None:
    """It compares something that is never there."""
    setattr(reporting, "Compare", lambda key, revision: Compare(f"{key}/none", revision))  # noqa: B010


def binds_only_when_it_is_sent() -> None:
    bind, commit = reporting.Reporting._bind, reporting.Reporting._commit

    async def late(self: Any, parts: Any) -> bool:
        bind(self, parts)
        return await commit(self, parts)

    setattr(reporting.Reporting, "_bind", lambda self, parts: None)  # noqa: B010
    setattr(reporting.Reporting, "_commit", late)  # noqa: B010


def starts_without_taking_back() -> None:
    original = duty._towards_online
    swap(original, lambda group, here: original(group, msgspec.structs.replace(here, promised=False)))


def opens_on_an_old_picture() -> None:
    original = service_membership.Membership._has_opened
    setattr(  # noqa: B010
        service_membership.Membership, "_has_opened", lambda self, opening, revision: original(self, opening, 0)
    )


def permit_from_the_answer() -> None:
    original = service_membership.Membership._acknowledged
    setattr(  # noqa: B010
        service_membership.Membership, "_acknowledged", lambda self, sent_at: original(self, self._env.clock.now())
    )


def continues_whatever_the_permit() -> None:
    def continues(self: Any) -> bool:
        present = self._store.sessions.get(self._store.me)
        return present is not None and present.incarnation == self._env.incarnations.load() and not self.silenced()

    setattr(service_membership.Membership, "continues", continues)  # noqa: B010


def silence_is_death() -> None:
    setattr(  # noqa: B010
        failover._Looking,
        "_owner_declared_silent",
        lambda self, group: self._place(group, f"{group.owner} is silent", avoid=group.owner),
    )


def any_life_is_proven(silence: Any, view: ClusterView) -> Any:
    return view.observed.fence_reports.get(silence.node)


def judges_while_cut_off() -> None:
    def silent_s(self: Any, nodes: Any, now: float) -> dict[str, float]:
        found = {node: now - self._baseline(node) for node in nodes}
        return {node: seconds for node, seconds in found.items() if seconds >= self.timing.node_timeout_s}

    setattr(membership.Observer, "silent_s", silent_s)  # noqa: B010


async def nothing_is_in_the_way(*arguments: Any, **options: Any) -> str:
    return ""


def a_host_that_died_ran_nothing() -> None:
    for state in S:
        if (state, E.HOST_DIED) in resource.TRANSITIONS:
            resource.TRANSITIONS[state, E.HOST_DIED] = (S.OFFLINE, Call.NONE)


def unknown_is_failed() -> None:
    original = group_state.reported

    def reported(*arguments: Any) -> Any:
        found = original(*arguments)
        if found is not None and found.state.value == "unknown":
            return msgspec.structs.replace(found, state=type(found.state).FAILED)
        return found

    setattr(failover, "reported", reported)  # noqa: B010


def nothing_is_meant() -> None:
    original = resource.judge

    def judged(*arguments: Any, **options: Any) -> Any:
        verdict = original(*arguments, **options)
        if verdict.switched_off:
            return msgspec.structs.replace(verdict, event=E.FOUND_FAILED, switched_off=False)
        return verdict

    swap(original, judged)


def promises_bind_nobody() -> None:
    setattr(certainty.Pledges, "left_s", lambda self, node, now: 0.0)  # noqa: B010
    setattr(certainty.Pledges, "all_left_s", lambda self, now: {})  # noqa: B010


def time_of_an_outage_counts() -> None:
    setattr(membership.Observer, "steady_s", lambda self, now: 1e9)  # noqa: B010


def one_of_a_level_is_enough() -> None:
    original = fencing.Ladder.handle

    def handle(self: Any, event: Any, now: float) -> Any:
        if isinstance(event, fencing.Confirmed) and event.device in self._asked:
            return [fencing.Proven((event.device,), event.words)]
        return original(self, event, now)

    setattr(fencing.Ladder, "handle", handle)  # noqa: B010


async def never_heard(self: Any) -> bool:
    return False


def unfenced_last_one() -> None:
    original = last_one.last_one
    swap(original, lambda view: original(msgspec.structs.replace(view, confirmed_off=view.confirmed_off or "surely")))


def drops_the_end_of_the_log() -> None:
    original = MemberKeeper.go_alone

    def go_alone(self: Any, *left_behind: Any, whole_log: bool = False, **rest: Any) -> Any:
        return original(self, *left_behind, **rest)

    method(MemberKeeper, "go_alone", go_alone)()


def forgets_the_hold() -> None:
    """As if it had never been noted: a service that starts again knows nothing of it."""
    original = MemberKeeper._read_marks

    def read(self: Any) -> None:
        told, self._on_hold = self._on_hold, lambda why: None
        original(self)
        self._on_hold = told
        self.noted = msgspec.structs.replace(self.noted, hold="")

    setattr(MemberKeeper, "_read_marks", read)  # noqa: B010


def takes_back_what_was_tried() -> None:
    original = MemberKeeper._note

    def note(self: Any, **changes: object) -> None:
        original(self, **{name: value for name, value in changes.items() if name != "alone_tried"})

    setattr(MemberKeeper, "_note", note)  # noqa: B010


def last_one_of_another_life() -> None:
    original = last_one.last_one
    swap(original, lambda view: original(msgspec.structs.replace(view, session_until_loss=True)))


def hold_holds_nothing() -> None:
    original = duty.next_step
    swap(original, lambda group, me, here, *, hold=False: original(group, me, here))


def fails_without_terminating() -> None:
    original = Resources._believe

    def believe(self: Resources, local: Local, health: Health) -> None:
        by_hand = health.running and health.why.startswith("an administrator")
        original(self, local, msgspec.structs.replace(health, running=False) if by_hand else health)

    Resources._believe = believe  # type: ignore[method-assign]


def images_are_locked() -> None:
    create = Lab.create_guest

    def locked(self: Lab, kind: str, name: str, *, image_lock: bool = True, on_node: str = "") -> str:
        return create(self, kind, name, on_node=on_node)

    setattr(Lab, "create_guest", locked)  # noqa: B010


def starts_at_once(view: roll_call.RollCallView) -> roll_call.Verdict:
    return roll_call.Begin("it has data")


def whoever_it_is(view: ClusterView, name: str) -> Silence:
    return view.silences.get(name) or Silence(name, view.sessions[name].incarnation, "an administrator said so")
