"""When a group returns to the node that it left: here it left n1, and runs on n2."""

from typing import Any

import msgspec
import pytest

from build import group, node, observed, session, silence, status, view
from outlast.core.coordinator import failback
from outlast.core.coordinator.failover import decide
from outlast.model.group import Failure, Group, Wanted
from outlast.model.node import ProofKind
from outlast.model.plan import Assign, ChangeNode, ForgetReturn, Plan, WishMove
from outlast.model.policy import Failback
from outlast.model.settings import Settings
from outlast.model.status import State
from outlast.model.view import ClusterView

LONG = {"n1": 1e6, "n2": 1e6, "n3": 1e6}


def away(**changes: Any) -> Group:
    return group("web", on="n2", **{"return_to": "n1", "failback": Failback.NOW, **changes})


def settled(*groups: Group, hour: int = 0, ages: Any = None, **changes: Any) -> ClusterView:
    return view(*groups, observed=observed(session_age_s=LONG if ages is None else ages, hour=hour), **changes)


def calling(name: str = "n1", **changes: Any) -> Any:
    others = [node(one) for one in ("n1", "n2", "n3") if one != name]
    return (msgspec.structs.replace(node(name), calls_back=True, **changes), *others)


def wishes(plan: Plan) -> list[tuple[str, str]]:
    return [(action.group, action.to) for action in plan.actions if isinstance(action, WishMove)]


def test_it_returns_as_soon_as_its_node_can_take_it() -> None:
    assert decide(settled(away())).actions == (WishMove("web", "n1", "it returns to n1, where it was"),)


def test_what_went_elsewhere_because_its_preferred_owner_was_away_goes_there_when_it_is_back() -> None:
    web = group("web", on="", preferred_owners=("n1",), failback=Failback.NOW)
    assert failback.comes_back_to(web, "n2", settled(web)) == "n1"
    assert failback.comes_back_to(web, "n1", settled(web)) is None
    plan = decide(settled(away(preferred_owners=("n1",))))
    assert plan.actions == (WishMove("web", "n1", "it returns to n1, which it prefers"),)


def test_nothing_returns_by_itself_to_a_preferred_owner_on_which_it_has_failed() -> None:
    failed = Failure("web-1", "n1", "QEMU ended", 0.0)
    web = group("web", on="n1", preferred_owners=("n1", "n3"), failback=Failback.NOW, failures=(failed,))
    assert failback.comes_back_to(web, "n2", settled(web)) == "n3"
    assert failback.comes_back_to(web, "n3", settled(web)) is None


def test_a_node_that_came_a_moment_ago_gets_nothing_back_yet() -> None:
    plan = decide(settled(away(), ages={"n1": 10.0}))
    assert plan == Plan((), (), failback.SETTLED_S - 10.0)


@pytest.mark.parametrize(("hour", "goes"), [(21, False), (22, True), (3, True), (5, True), (6, False)])
def test_within_certain_hours_only_also_over_midnight(hour: int, goes: bool) -> None:
    web = away(failback=Failback.WINDOW, failback_hours=(22, 6))
    plan = decide(settled(web, hour=hour))
    assert bool(wishes(plan)) is goes
    assert goes or plan.wake_in_s == failback.LOOK_AGAIN_S


def test_hours_that_begin_where_they_end_are_the_whole_day() -> None:
    assert all(failback.in_hours((0, 0), hour) for hour in range(24))
    assert [hour for hour in range(24) if failback.in_hours((9, 11), hour)] == [9, 10]


def test_by_default_it_stays_and_forgets_where_it_was_once_that_node_takes_groups_again() -> None:
    web = away(failback=Failback.NEVER)
    assert decide(settled(web)).actions == (ForgetReturn("web"),)
    drained = (msgspec.structs.replace(node("n1"), paused=True, draining=True), node("n2"), node("n3"))
    assert decide(settled(web, nodes=drained)) == Plan()


def test_what_left_a_node_that_calls_it_back_returns_whatever_its_failback_says_and_at_once() -> None:
    web = away(failback=Failback.NEVER)
    plan = decide(settled(web, nodes=calling(), ages={"n1": 1.0}))
    assert plan.actions == (WishMove("web", "n1", "it is called back to n1, where it was"),)


def test_what_is_just_leaving_does_not_forget_where_it_was() -> None:
    leaving = group("web", on="n1", return_to="n1", move_to="n2")
    drained = (msgspec.structs.replace(node("n1"), paused=True, draining=True), node("n2"), node("n3"))
    assert decide(settled(leaving, nodes=drained)).actions == ()


def test_a_node_calls_back_until_all_is_there() -> None:
    back = group("web", on="n1", return_to="n1")
    assert decide(settled(back, nodes=calling())).actions == (
        ForgetReturn("web"),
        ChangeNode("n1", "", calls_back=False),
    )


def test_what_is_wanted_offline_is_not_called_back() -> None:
    web = away(wanted=Wanted.OFFLINE, failback=Failback.NEVER)
    assert ForgetReturn("web") in decide(settled(web, nodes=calling())).actions


@pytest.mark.parametrize("refusal", [{"paused": True}, {"quarantined": "it was lost 3 times"}])
def test_a_node_that_takes_nothing_gets_nothing_back(refusal: dict[str, Any]) -> None:
    nodes = (msgspec.structs.replace(node("n1"), **refusal), node("n2"), node("n3"))
    assert decide(settled(away(), nodes=nodes)).actions == ()


@pytest.mark.parametrize("kept", [{"locked": "backup"}, {"maintenance": "new disks"}])
def test_what_somebody_keeps_where_it_is_does_not_return(kept: dict[str, Any]) -> None:
    assert decide(settled(away(**kept))).actions == ()


@pytest.mark.parametrize("state", [State.ONLINE_PENDING, State.OFFLINE_PENDING, State.UNKNOWN])
def test_only_what_runs_well_returns(state: State) -> None:
    web = away()
    assert wishes(decide(settled(web, statuses=[status(web, state)]))) == []


def test_only_so_many_return_at_once_the_most_urgent_first() -> None:
    groups = [msgspec.structs.replace(away(), name=name, resources=(name,)) for name in ("a", "b", "c")]
    assert wishes(decide(settled(*groups, settings=Settings(parallel_moves=2)))) == [("a", "n1"), ("b", "n1")]


def test_a_node_that_is_gone_for_good_is_forgotten() -> None:
    assert decide(settled(away(return_to="n9"))).actions == (ForgetReturn("web"),)


def test_what_a_dead_node_leaves_behind_remembers_where_it_was_if_it_ever_fails_back() -> None:
    for policy, home in ((Failback.NOW, "n1"), (Failback.WINDOW, "n1"), (Failback.NEVER, None)):
        dead = view(group("web", failback=policy), me="n2", silences=[silence("n1", proof=ProofKind.FENCE)])
        (assigned,) = [action for action in decide(dead).actions if isinstance(action, Assign)]
        assert assigned.return_to == home


def test_what_failed_does_not_return_to_where_it_failed() -> None:
    web = group("web", failback=Failback.NOW)
    (assigned,) = decide(view(web, statuses=[status(web, State.FAILED)])).actions
    assert isinstance(assigned, Assign)
    assert assigned.return_to is None


def test_its_first_node_stays_its_home_over_a_second_loss() -> None:
    web = group("web", on="n2", failback=Failback.NOW, return_to="n1")
    sessions = [session("n3")]
    dead = view(web, me="n3", sessions=sessions, silences=[silence("n2", proof=ProofKind.FENCE)])
    (assigned,) = [action for action in decide(dead).actions if isinstance(action, Assign)]
    assert assigned.return_to is None
