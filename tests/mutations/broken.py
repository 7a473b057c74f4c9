"""How to break one rule in the running code of this process: what takes more than a line for the catalog."""

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from outlast.core import certainty, duty, failover, fencing, group_state, membership, resource
from outlast.core.quorum import last_one, roll_call
from outlast.core.resource import Call, E, S
from outlast.model.group import Group
from outlast.model.node import Silence
from outlast.model.plan import Assign
from outlast.model.view import ClusterView
from outlast.service import coordinator
from outlast.service import membership as service_membership
from outlast.service.hosting import reporting

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
    init = failover._Round._assign

    def assign(self: Any, group: Group, *rest: Any, **options: Any) -> None:
        init(self, group, *rest, **options)
        last = self.actions[-1]
        assert isinstance(last, Assign)
        self.actions[-1] = msgspec.structs.replace(last, epoch=group.epoch)

    setattr(failover._Round, "_assign", assign)  # noqa: B010


def compares_nothing(name: str) -> Break:
    def apply() -> None:
        original = getattr(coordinator.Coordinating, name)
        setattr(coordinator.Coordinating, name, lambda self, action: ([], original(self, action)[1]))

    return apply


def reports_compare_only_the_group() -> None:
    original = reporting.Reporting._part

    def part(self: Any, group: Group) -> Any:
        made = original(self, group)
        return made if made is None else made._replace(compares=made.compares[:1])

    setattr(reporting.Reporting, "_part", part)  # noqa: B010


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
        failover._Round,
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


def last_one_of_another_life() -> None:
    original = last_one.last_one
    swap(original, lambda view: original(msgspec.structs.replace(view, session_until_loss=True)))


def hold_holds_nothing() -> None:
    original = duty.next_step
    swap(original, lambda group, me, here, *, hold=False: original(group, me, here))


def starts_at_once(view: roll_call.RollCallView) -> roll_call.Verdict:
    return roll_call.Begin("it has data")


def whoever_it_is(view: ClusterView, name: str) -> Silence:
    return view.silences.get(name) or Silence(name, view.sessions[name].incarnation, "an administrator said so")
