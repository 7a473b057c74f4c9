"""A group of several resources, on n2, that failed while its owner lives: does it move, and what comes before that?"""

from typing import Any

import msgspec
import pytest

from build import failure, group, incarnation, node, observed, resource, silence, view
from outlast.core.coordinator.failing import failed, in_maintenance, why_it_stays
from outlast.core.coordinator.failover import decide
from outlast.model.group import Group, Resource, Wanted
from outlast.model.node import ProofKind
from outlast.model.plan import Assign, ClearMove, ForgetFailures, LeaveOff, Plan, WishMove
from outlast.model.policy import Priority, RestartAction
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, ResourceStatus, State
from outlast.model.view import ClusterView

ON, OFF, FAILED, UNKNOWN = State.ONLINE, State.OFFLINE, State.FAILED, State.UNKNOWN
PROVEN = ProofKind.FENCE
HOUR_S = 3600.0


def app(*names: str, **more: Any) -> Group:
    return group("app", on="n2", resources=names or ("disk", "web"), **more)


def report(of: Group, **states: State) -> GroupStatus:
    resources = {name: ResourceStatus(state, f"{name} is so") for name, state in states.items()}
    return GroupStatus(of.name, of.owner, incarnation(of.owner), of.epoch, resources)


def seen(of: Group, changed: dict[str, dict[str, Any]] | None = None, *, states: Any, **more: Any) -> ClusterView:
    """`changed`: fields of its resources that differ."""
    resources = [
        msgspec.structs.replace(resource(name, group=of.name), **(changed or {}).get(name, {})) for name in of.resources
    ]
    return view(of, statuses=[report(of, **states)], resources=resources, **more)


def waits(plan: Plan) -> str:
    return "; ".join(waiting.why for waiting in plan.waiting)


# -- what still runs ------------------------------------------------------------------------------------------------


def test_while_some_of_it_runs_a_failed_group_is_first_taken_offline_and_the_failure_counts() -> None:
    (wish,) = decide(seen(app(), states={"disk": ON, "web": FAILED})).actions
    assert isinstance(wish, WishMove)
    assert (wish.group, wish.to, wish.why) == ("app", "n1", "it failed on n2: web: web is so")
    assert wish.failure is not None
    assert (wish.failure.id, wish.failure.node, wish.failure.why) == ("app-3", "n2", "web: web is so")


def test_when_nothing_of_it_runs_any_more_it_goes_at_once() -> None:
    (assign,) = decide(seen(app(), states={"disk": OFF, "web": FAILED})).actions
    assert isinstance(assign, Assign)
    assert (assign.owner, assign.epoch) == ("n1", 4)


def test_on_its_way_it_waits_until_nothing_of_it_runs_and_the_failure_is_told_but_not_counted_twice() -> None:
    leaving = app(move_to="n3", failures=(failure("app-3", on="n2"),))
    plan = decide(seen(leaving, states={"disk": ON, "web": FAILED}))
    assert plan.actions == ()
    assert waits(plan) == "n2 to take it offline before it moves to n3"
    (assign,) = decide(seen(leaving, states={"disk": OFF, "web": FAILED})).actions
    assert isinstance(assign, Assign)
    assert (assign.owner, assign.failure) == ("n3", None)
    assert assign.why == "it failed on n2: QEMU ended with signal 9"


def test_a_failure_that_was_counted_when_the_move_was_wished_is_not_counted_again_by_the_next_wish() -> None:
    counted = app(failures=(failure("app-3", on="n2"), failure("app-2", on="n3")))
    (wish,) = decide(seen(counted, states={"disk": ON, "web": FAILED})).actions
    assert isinstance(wish, WishMove)
    assert wish.failure is None
    assert wish.to == "n1"


def test_nothing_is_taken_offline_while_no_other_node_could_take_it_and_what_failed_is_tried_again_beside_it() -> None:
    plan = decide(seen(app(possible_owners=("n2",)), states={"disk": ON, "web": FAILED}))
    (assign,) = plan.actions
    assert isinstance(assign, Assign)
    assert (assign.owner, assign.epoch) == ("n2", 4)
    assert assign.failure is not None
    assert assign.reasons[0] == "n2 again, beside what runs: no other node can take it"
    assert "not n1: it is no possible owner of the group" in assign.reasons


def test_where_it_is_it_is_not_tried_again_when_its_node_may_not_have_it_either() -> None:
    plan = decide(seen(app(possible_owners=("n4",)), states={"disk": ON, "web": FAILED}))
    assert plan.actions == ()
    assert "a node that can take it, while the rest of it runs on here" in waits(plan)
    assert "not n1: it is no possible owner of the group" in waits(plan)


def test_nor_while_nobody_knows_whether_a_part_of_it_runs() -> None:
    plan = decide(seen(app(), states={"disk": UNKNOWN, "web": FAILED}))
    assert plan.actions == ()
    assert "n2 to find out whether disk runs" in waits(plan)


def test_the_node_that_a_failed_group_is_to_leave_for_is_one_where_it_has_not_failed() -> None:
    tried = app(failures=(failure("app-2", on="n1"),))
    (wish,) = decide(seen(tried, states={"disk": ON, "web": FAILED})).actions
    assert isinstance(wish, WishMove)
    assert wish.to == "n3"


# -- what moves nothing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [RestartAction.NOTHING, RestartAction.RESTART])
@pytest.mark.parametrize("other", [ON, OFF])
def test_a_resource_whose_restart_action_is_not_failover_moves_its_group_nowhere(
    action: RestartAction, other: State
) -> None:
    plan = decide(seen(app(), {"web": {"restart_action": action}}, states={"disk": other, "web": FAILED}))
    assert plan.actions == ()
    assert waits(plan) == (
        f"an administrator: web failed and stays here, since its restart_action is {action.value}; "
        "`outlast resource online web` tries again (last failure: web is so)"
    )


def test_another_one_that_failed_as_well_moves_it_all_the_same() -> None:
    stays = {"disk": {"restart_action": RestartAction.NOTHING}}
    (assign,) = decide(seen(app(), stays, states={"disk": FAILED, "web": FAILED})).actions
    assert isinstance(assign, Assign)
    assert assign.why == "it failed on n2: web: web is so"


def test_what_is_wanted_off_moves_nothing() -> None:
    changed = {"web": {"wanted": Wanted.OFFLINE}}
    assert decide(seen(app(), changed, states={"disk": ON, "web": FAILED})).actions == ()


def test_what_is_in_maintenance_is_not_moved_until_its_node_is_proven_dead() -> None:
    for kept, changed in (
        (app(maintenance="new disks"), {}),
        (app(), {"disk": {"maintenance": "new disks"}}),
    ):
        plan = decide(seen(kept, changed, states={"disk": OFF, "web": FAILED}))
        assert plan.actions == ()
        assert "the end of its maintenance" in waits(plan)
        assert "new disks" in waits(plan)
        dead = decide(seen(kept, changed, states={"disk": OFF, "web": FAILED}, silences=[silence("n2", proof=PROVEN)]))
        assert [type(action) for action in dead.actions] == [Assign]


def test_a_move_of_what_is_in_maintenance_is_cleared_but_finished_when_nothing_runs_any_more() -> None:
    kept = app(maintenance="new disks", move_to="n3")
    assert decide(seen(kept, states={"disk": ON, "web": OFF})).actions == (
        ClearMove("app", "it is in maintenance: new disks"),
    )
    (assign,) = decide(seen(kept, states={"disk": OFF, "web": OFF})).actions
    assert isinstance(assign, Assign)


def test_the_maintenance_of_one_resource_keeps_its_whole_group() -> None:
    known: dict[str, Resource] = {"disk": resource("disk", maintenance="new disks"), "web": resource("web")}
    assert in_maintenance(app(), known) == "disk: new disks"
    assert in_maintenance(app("web"), known) == ""
    assert in_maintenance(app("disk"), known) == "new disks"


def test_a_lock_keeps_no_failed_group_here() -> None:
    (assign,) = decide(seen(app(locked="backup"), states={"disk": OFF, "web": FAILED})).actions
    assert isinstance(assign, Assign)


def test_failed_are_those_that_are_reported_so_in_the_order_of_the_group() -> None:
    of = app("a", "b", "c")
    assert list(failed(of, report(of, c=FAILED, b=ON, a=FAILED))) == ["a", "c"]
    assert why_it_stays(of, report(of, a=ON, b=ON, c=FAILED), seen(of, states={})) == ""


# -- when its failovers are spent -----------------------------------------------------------------------------------

SPENT = app("web", failures=(failure("app-1"), failure("app-2", on="n3")))


def test_after_its_retry_time_the_failures_are_forgotten_and_until_then_it_waits() -> None:
    def at(failed_s: float) -> Plan:
        return decide(seen(SPENT, states={"web": FAILED}, observed=observed(failed_s={"app": failed_s})))

    early = at(HOUR_S - 1)
    assert early.actions == ()
    assert waits(early).startswith("an administrator, or 1 h to pass: it failed over 2 times")
    assert early.wake_in_s == 1.0
    words = "its failures are forgotten, and it is tried anew: 1 h passed"
    assert at(HOUR_S).actions == (ForgetFailures("app", ("app-1", "app-2"), words),)


def test_who_wants_no_retry_gets_none() -> None:
    never = msgspec.structs.replace(SPENT, retry_after_s=0.0)
    plan = decide(seen(never, states={"web": FAILED}, observed=observed(failed_s={"app": 9 * HOUR_S})))
    assert plan.actions == ()
    assert waits(plan).startswith("an administrator: it failed over 2 times")


def test_a_group_that_may_not_fail_over_at_all_is_tried_again_where_it_is() -> None:
    here = app("web", failover_threshold=0)
    (assign,) = decide(seen(here, states={"web": FAILED}, observed=observed(failed_s={"app": HOUR_S}))).actions
    assert isinstance(assign, Assign)
    assert (assign.owner, assign.epoch, assign.failure) == ("n2", 4, None)
    assert decide(seen(here, states={"web": FAILED})).actions == ()


def test_a_group_that_may_not_fail_over_is_not_tried_anew_while_the_rest_of_it_runs() -> None:
    here = app(failover_threshold=0)
    late = observed(failed_s={"app": HOUR_S})
    assert decide(seen(here, states={"disk": ON, "web": FAILED}, observed=late)).actions == ()


# -- no auto start --------------------------------------------------------------------------------------------------

MANUAL = app("web", priority=Priority.NO_AUTO_START)


def test_what_does_not_start_by_itself_is_left_off_when_its_node_is_proven_dead() -> None:
    for state in (ON, State.ONLINE_PENDING, FAILED, UNKNOWN):
        plan = decide(seen(MANUAL, states={"web": state}, silences=[silence("n2", proof=PROVEN)]))
        assert plan.actions == (LeaveOff("app", "n2 is dead, and its priority is no auto start", released=True),)


def test_and_likewise_when_its_node_left_in_order() -> None:
    gone = seen(MANUAL, states={"web": ON})
    gone = msgspec.structs.replace(gone, sessions={name: gone.sessions[name] for name in ("n1", "n3")})
    assert decide(gone).actions == (LeaveOff("app", "n2 left the cluster, and its priority is no auto start", True),)


def test_it_is_not_left_off_before_its_nodes_death_is_proven() -> None:
    plan = decide(seen(MANUAL, states={"web": ON}, silences=[silence("n2")]))
    assert not [action for action in plan.actions if isinstance(action, LeaveOff | Assign)]


def test_an_administrators_word_that_was_not_carried_out_before_the_death_still_stands() -> None:
    dead = [silence("n2", proof=PROVEN)]
    for of in (MANUAL, msgspec.structs.replace(MANUAL, epoch=7)):  # reported off; not reported at this epoch at all
        seen_ = seen(MANUAL, states={"web": OFF}, silences=dead)
        plan = decide(msgspec.structs.replace(seen_, groups={"app": of}))
        assert [type(action) for action in plan.actions] == [Assign]


def test_a_failure_of_what_does_not_start_by_itself_moves_it_like_any_other() -> None:
    (assign,) = decide(seen(MANUAL, states={"web": FAILED})).actions
    assert isinstance(assign, Assign)


# -- order ----------------------------------------------------------------------------------------------------------


def test_groups_are_placed_in_order_of_their_priority() -> None:
    ranks = {"a": Priority.LOW, "b": Priority.MEDIUM, "c": Priority.HIGH}
    groups = [group(name, on="n2", priority=rank) for name, rank in ranks.items()]
    plan = decide(view(*groups, silences=[silence("n2", proof=PROVEN)], settings=Settings()))
    assert [action.group for action in plan.actions if isinstance(action, Assign)] == ["c", "b", "a"]


def test_what_is_urgent_gets_the_last_room() -> None:
    room_mib = 1024
    groups = [group("a", on="n2", priority=Priority.LOW), group("b", on="n2", priority=Priority.HIGH)]
    plan = decide(
        view(
            *groups,
            nodes=[node("n1"), node("n2")],
            resources=[resource(name, memory_mib=room_mib) for name in ("a", "b")],
            sessions=[msgspec.structs.replace(one, memory_mib=room_mib) for one in view().sessions.values()],
            silences=[silence("n2", proof=PROVEN)],
        )
    )
    assert [action.group for action in plan.actions if isinstance(action, Assign)] == ["b"]
    assert [waiting.group for waiting in plan.waiting] == ["a"]
