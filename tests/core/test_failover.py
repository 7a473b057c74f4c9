"""What the coordinator does next, by example. The cluster is healthy but for what a test says; n1 owns `web`."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from build import (
    confirmed,
    failure,
    group,
    incarnation,
    node,
    observed,
    session,
    silence,
    status,
    view,
)
from outlast.core.coordinator.failover import decide
from outlast.core.membership.timing import watchdog_proof_s
from outlast.model.group import AWAY, Group, Wanted
from outlast.model.node import Offer, ProofKind
from outlast.model.plan import Assign, ClearMove, DeclareSilent, Fence, ForgetFailures, Plan, RecordProof
from outlast.model.policy import Failback
from outlast.model.status import State
from outlast.model.view import ClusterView

PROVEN = ProofKind.FENCE


def assigned(plan: Plan) -> dict[str, str]:
    return {action.group: action.owner for action in plan.actions if isinstance(action, Assign)}


def kinds(plan: Plan) -> list[type]:
    return [type(action) for action in plan.actions]


def waits(plan: Plan, name: str = "web") -> str:
    return "; ".join(waiting.why for waiting in plan.waiting if waiting.group == name)


def owner_reports(state: State, **changes: Any) -> ClusterView:
    """n2 owns it, so that the coordinator is not its owner."""
    web = changes.pop("web", group("web", on="n2"))
    return view(web, statuses=[status(web, state)], **changes)


# -- nothing to do ------------------------------------------------------------------------------------------------


def test_a_healthy_cluster_needs_no_decision() -> None:
    assert decide(view(group("web"), group("db", on="n2"))) == Plan()


@pytest.mark.parametrize("state", [State.ONLINE, State.ONLINE_PENDING, State.OFFLINE_PENDING, State.OFFLINE])
def test_a_living_owner_that_can_run_it_is_left_to_its_work(state: State) -> None:
    assert decide(owner_reports(state)) == Plan()


def test_an_owner_that_has_not_reported_at_this_epoch_yet_is_about_to() -> None:
    web = group("web", on="n2", epoch=4)
    assert decide(view(web, statuses=[status(web, State.FAILED, epoch=3)])) == Plan()


# -- silence and proof (rule 4) ------------------------------------------------------------------------------------


def test_a_silent_node_is_first_declared_silent_and_loses_nothing_by_that() -> None:
    plan = decide(view(group("web", on="n2"), observed=observed(silent_s={"n2": 5.2})))
    (declared,) = plan.actions
    assert declared == DeclareSilent("n2", incarnation("n2"), 0.0, "n2 wrote no session record for 5.2 s")
    assert waits(plan) == "n2 is silent"


def test_the_coordinator_never_declares_itself_silent_nor_anybody_twice_nor_one_without_a_session() -> None:
    silent = observed(silent_s={"n1": 9.0, "n2": 9.0, "n3": 9.0})
    plan = decide(view(observed=silent, silences=[silence("n2")], sessions=[session("n1"), session("n2")]))
    assert plan.actions == ()


def test_whom_this_node_promised_to_wait_for_it_does_not_declare_silent() -> None:
    plan = decide(view(group("web1", on="n2"), observed=observed(silent_s={"n2": 6.0}, promised_s={"n2": 2.0})))
    assert plan.actions == ()
    assert plan.wake_in_s == 2.0


def test_a_node_that_counts_by_a_longer_time_out_is_silent_later() -> None:
    slow = msgspec.structs.replace(session("n2"), node_timeout_s=10.0)
    sessions = [session("n1"), slow, session("n3")]
    early = decide(view(sessions=sessions, observed=observed(silent_s={"n2": 6.0})))
    assert early.actions == ()
    assert early.wake_in_s == 4.0
    late = decide(view(sessions=sessions, observed=observed(silent_s={"n2": 10.0})))
    assert isinstance(late.actions[0], DeclareSilent)


def test_the_watchdog_that_a_silent_node_had_declared_stands_in_its_silence() -> None:
    sessions = [session("n1"), session("n2", watchdog_s=7.5)]
    plan = decide(view(sessions=sessions, observed=observed(silent_s={"n2": 6.0})))
    assert plan.actions == (DeclareSilent("n2", incarnation("n2"), 7.5, "n2 wrote no session record for 6.0 s"),)


def test_a_declared_silence_without_proof_gives_nothing_away_but_is_followed_by_fencing() -> None:
    plan = decide(view(group("web", on="n2"), silences=[silence("n2")]))
    assert plan.actions == (Fence("n2", incarnation("n2")),)
    assert "proof that n2 is dead" in waits(plan)


def test_a_confirmed_fence_is_first_recorded_and_only_then_acted_on() -> None:
    web = group("web", on="n2")
    plan = decide(view(web, silences=[silence("n2")], observed=observed(fence_reports={"n2": confirmed("n2")})))
    assert kinds(plan) == [RecordProof]
    assert waits(plan) == "n2's death to be recorded"


@pytest.mark.parametrize("proof", list(ProofKind))
def test_the_groups_of_a_node_that_is_proven_dead_go_to_the_others(proof: ProofKind) -> None:
    plan = decide(view(group("web", on="n2"), silences=[silence("n2", proof=proof)]))
    (assign,) = plan.actions
    assert isinstance(assign, Assign)
    assert (assign.owner, assign.epoch) == ("n1", 4)
    assert assign.why == "n2 is dead: the fence device confirmed"
    assert "not n2: it is no member now" in assign.reasons


def test_nobody_is_fenced_for_whom_no_group_waits() -> None:
    off = group("web", on="n2", wanted=Wanted.OFFLINE)
    assert decide(view(off, silences=[silence("n2")])) == Plan()


def test_a_wish_to_move_what_is_wanted_offline_fences_nobody_either() -> None:
    off = group("web", on="n2", wanted=Wanted.OFFLINE, move_to="n3")
    assert kinds(decide(view(off, silences=[silence("n2")]))) == [ClearMove]
    assert kinds(decide(view(off, silences=[silence("n2", proof=PROVEN)]))) == [ClearMove]


def test_what_a_dead_node_reported_before_its_death_does_not_matter() -> None:
    for state in State:
        plan = decide(owner_reports(state, silences=[silence("n2", proof=PROVEN)]))
        assert assigned(plan) == {"web": "n1"}


def test_a_node_that_failed_before_its_silence_is_still_not_overtaken_without_proof() -> None:
    assert assigned(decide(owner_reports(State.FAILED, silences=[silence("n2")]))) == {}
    assert assigned(decide(owner_reports(State.FAILED, observed=observed(silent_s={"n2": 5.0})))) == {}


def test_all_groups_of_a_dead_node_move_in_one_decision_and_are_spread() -> None:
    groups = [group(f"vm{number}", on="n3") for number in range(4)]
    plan = decide(view(*groups, silences=[silence("n3", proof=PROVEN)]))
    assert sorted(assigned(plan).values()) == ["n1", "n1", "n2", "n2"]


def test_what_a_node_left_behind_in_order_is_placed_at_once() -> None:
    plan = decide(view(group("web", on="n2"), sessions=[session("n1"), session("n3")]))
    assert assigned(plan) == {"web": "n1"}


# -- a living owner (rules 1 and 8) ---------------------------------------------------------------------------------


def test_a_failed_group_is_tried_on_another_node_at_the_next_epoch_and_the_failure_counts() -> None:
    plan = decide(owner_reports(State.FAILED))
    (assign,) = plan.actions
    assert isinstance(assign, Assign)
    assert (assign.owner, assign.epoch) == ("n1", 4)
    assert assign.failure is not None
    assert (assign.failure.id, assign.failure.node, assign.failure.why) == ("web-3", "n2", "as it is")


def test_the_node_where_it_failed_is_avoided_even_when_it_is_preferred() -> None:
    web = group("web", on="n2", preferred_owners=("n2", "n3"))
    assert assigned(decide(owner_reports(State.FAILED, web=web))) == {"web": "n3"}


def test_a_failed_group_is_tried_where_it_was_when_no_other_node_can_take_it() -> None:
    plan = decide(owner_reports(State.FAILED, web=group("web", on="n2", possible_owners=("n2",))))
    (assign,) = plan.actions
    assert isinstance(assign, Assign)
    assert (assign.owner, assign.epoch) == ("n2", 4)
    assert assign.reasons[0] == "n2 again: no other node can take it"


def fails_often(**more: Any) -> Group:
    failures = (failure("web-1", on="n2"), failure("web-2", on="n2"))
    return group("web", on="n2", failures=failures, failover_threshold=50, **more)


def test_where_it_failed_before_it_is_not_tried_again_at_once() -> None:
    web, ages = fails_often(possible_owners=("n2",)), {"web-1": 2.5, "web-2": 0.5}
    plan = decide(owner_reports(State.FAILED, web=web, observed=observed(failure_age_s=ages)))
    assert (plan.actions, plan.wake_in_s) == ((), 1.5)
    assert waits(plan).startswith("2 s to pass before n2 tries it again")
    ages["web-2"] = 2.0
    assert assigned(decide(owner_reports(State.FAILED, web=web, observed=observed(failure_age_s=ages)))) == {
        "web": "n2"
    }


def test_a_node_where_it_has_not_failed_takes_it_at_once_however_often_it_failed_elsewhere() -> None:
    assert assigned(decide(owner_reports(State.FAILED, web=fails_often(possible_owners=("n2", "n3"))))) == {"web": "n3"}


def test_what_its_node_left_behind_is_started_at_once_also_where_it_failed_before() -> None:
    failures = tuple(failure(f"web-{number}", on="n1") for number in range(3))
    web = group("web", on="n3", failures=failures, possible_owners=("n1", "n3"))
    assert assigned(decide(view(web, silences=[silence("n3", proof=PROVEN)]))) == {"web": "n1"}


def test_unknown_never_leads_to_a_start_elsewhere() -> None:
    plan = decide(owner_reports(State.UNKNOWN))
    assert plan.actions == ()
    assert waits(plan) == "n2 to find out whether it runs: as it is"


def test_a_group_that_failed_too_often_stays_failed_and_says_what_to_do() -> None:
    web = group("web", on="n2", failures=(failure("web-1"), failure("web-2")))
    plan = decide(owner_reports(State.FAILED, web=web))
    assert plan.actions == ()
    assert "outlast group online web" in waits(plan)


def test_a_failed_group_is_tried_where_it_has_not_failed_yet() -> None:
    web = group("web", on="n2", failures=(failure("web-1", on="n1"),), preferred_owners=("n1",))
    assert assigned(decide(owner_reports(State.FAILED, web=web))) == {"web": "n3"}
    tried = group("web", on="n2", failures=(failure("web-1", on="n1"), failure("web-2", on="n3")), failover_threshold=9)
    assert assigned(decide(owner_reports(State.FAILED, web=tried))) == {"web": "n1"}


def test_the_death_of_its_node_does_not_count_against_a_group() -> None:
    web = group("web", on="n2", failures=(failure("web-1", on="n2"), failure("web-2", on="n3")))
    assert assigned(decide(view(web, silences=[silence("n2", proof=PROVEN)]))) == {"web": "n1"}


def test_an_owner_that_runs_nothing_of_it_and_cannot_gives_it_up() -> None:
    broken = session("n2", offers=[Offer("vm", problem="its files changed")])
    plan = decide(owner_reports(State.OFFLINE, sessions=[session("n1"), broken, session("n3")]))
    assert assigned(plan) == {"web": "n1"}


def test_an_owner_with_a_broken_plugin_keeps_what_runs() -> None:
    broken = session("n2", offers=[Offer("vm", problem="its files changed")])
    assert decide(owner_reports(State.ONLINE, sessions=[session("n1"), broken, session("n3")])) == Plan()


def test_a_failed_group_is_tried_where_it_was_when_all_nodes_are_paused() -> None:
    nodes = [node("n1", paused=True), node("n2", paused=True)]
    web = group("web")
    assert assigned(decide(view(web, nodes=nodes, statuses=[status(web, State.FAILED)]))) == {"web": "n1"}


def test_a_paused_node_keeps_what_it_owns() -> None:
    nodes = [node("n1"), node("n2", paused=True), node("n3")]
    assert decide(owner_reports(State.OFFLINE, nodes=nodes)) == Plan()


# -- intent (rule 10) ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(State))
def test_what_is_switched_off_on_purpose_is_not_healed(state: State) -> None:
    assert decide(owner_reports(state, web=group("web", on="n2", wanted=Wanted.OFFLINE))) == Plan()


def test_what_is_wanted_offline_is_not_placed_when_its_node_is_dead_or_gone() -> None:
    off = group("web", on="n2", wanted=Wanted.OFFLINE)
    assert decide(view(off, silences=[silence("n2", proof=PROVEN)])) == Plan()
    assert decide(view(off, sessions=[session("n1")])) == Plan()
    assert decide(view(group("web", on="", wanted=Wanted.OFFLINE))) == Plan()


# -- moves ---------------------------------------------------------------------------------------------------------


def test_a_moving_group_waits_until_its_owner_has_reported_that_nothing_runs() -> None:
    web = group("web", on="n2", move_to="n3")
    for state in (State.ONLINE, State.OFFLINE_PENDING, State.ONLINE_PENDING, State.UNKNOWN):
        plan = decide(owner_reports(state, web=web))
        assert plan.actions == ()
        doubt = " (as it is)" if state is State.UNKNOWN else ""
        assert waits(plan) == f"n2 to take it offline before it moves to n3{doubt}"


@pytest.mark.parametrize("state", [State.OFFLINE, State.FAILED])
def test_a_moving_group_goes_where_an_administrator_wanted_it_and_that_is_no_failure(state: State) -> None:
    (assign,) = decide(owner_reports(state, web=group("web", on="n2", move_to="n3"))).actions
    assert assign == Assign("web", "n3", 4, "moved from n2 to n3 as asked")


def test_a_group_that_is_wanted_offline_can_be_moved_too() -> None:
    off = group("web", on="n2", move_to="n3", wanted=Wanted.OFFLINE)
    assert assigned(decide(owner_reports(State.OFFLINE, web=off))) == {"web": "n3"}


def test_a_move_that_became_impossible_is_given_up_before_anything_is_given_away() -> None:
    web = group("web", on="n2", move_to="n3")
    plan = decide(owner_reports(State.OFFLINE, web=web, silences=[silence("n3")]))
    assert plan.actions == (ClearMove("web", "it cannot move to n3: it is no member now"),)


def test_a_move_to_where_it_is_is_done() -> None:
    assert kinds(decide(owner_reports(State.ONLINE, web=group("web", on="n2", move_to="n2")))) == [ClearMove]


def test_when_its_owner_dies_a_moving_group_goes_where_it_was_to_go() -> None:
    web = group("web", on="n2", move_to="n3")
    assert assigned(decide(view(web, silences=[silence("n2", proof=PROVEN)]))) == {"web": "n3"}


# -- placing -------------------------------------------------------------------------------------------------------


def test_a_group_without_an_owner_is_placed_on_the_node_with_the_least() -> None:
    plan = decide(view(group("new", on="", epoch=0), group("web", on="n1"), group("db", on="n2")))
    assert plan.actions == (
        Assign(
            "new", "n3", 1, "it had no owner", ("n3: fewest groups (0) of the nodes that can take it (n3, n1, n2)",)
        ),
    )


def test_a_group_that_no_node_can_take_says_why_of_each() -> None:
    web = group("web", on="", possible_owners=("n2",))
    plan = decide(view(web, silences=[silence("n2")]))
    assert plan.actions == ()
    assert waits(plan) == (
        "a node that can take it (it had no owner; not n1: it is no possible owner of the group; "
        "not n2: it is no member now; not n3: it is no possible owner of the group)"
    )


# -- time ----------------------------------------------------------------------------------------------------------


def test_old_failures_are_forgotten_and_until_then_the_decision_is_due_again() -> None:
    web = group("web", on="n2", failures=(failure("web-1"), failure("web-2")))
    ages = observed(failure_age_s={"web-1": 6 * 3600.0, "web-2": 3600.0})
    assert decide(view(web, observed=ages)).actions == (ForgetFailures("web", ("web-1",)),)
    later = group("web", on="n2", failures=(failure("web-2"),))
    assert decide(view(later, observed=ages)).wake_in_s == 5 * 3600.0


def test_the_decision_is_due_again_when_a_watchdog_must_have_bitten() -> None:
    gone = silence("n2", watchdog_s=7.5)
    plan = decide(view(group("web", on="n2"), silences=[gone], observed=observed(silence_age_s={"n2": 2.0})))
    assert plan.wake_in_s == pytest.approx(watchdog_proof_s(7.5) - 2.0)


# -- whatever the view ---------------------------------------------------------------------------------------------

names = st.sampled_from(["n1", "n2", "n3"])


@st.composite
def views(draw: st.DrawFn) -> ClusterView:
    groups: list[Group] = [
        group(
            f"g{number}",
            on=draw(st.sampled_from(["", "n1", "n2", "n3"])),
            wanted=draw(st.sampled_from(Wanted)),
            move_to=draw(st.sampled_from(["", "", "n1", "n3", AWAY])),
            return_to=draw(st.sampled_from(["", "n1", "n2"])),
            failback=draw(st.sampled_from(Failback)),
        )
        for number in range(3)
    ]
    reports = [
        status(one, draw(st.sampled_from(State)), by=draw(names), epoch=draw(st.sampled_from([2, 3])))
        for one in groups
        if draw(st.booleans())
    ]
    silences = [
        silence(name, proof=draw(st.sampled_from([None, ProofKind.FENCE, ProofKind.OPERATOR])))
        for name in draw(st.sets(names, max_size=2))
    ]
    sessions = [session(name, life=draw(st.sampled_from([1, 2]))) for name in draw(st.sets(names, min_size=1))]
    silent = {name: 6.0 for name in draw(st.sets(names, max_size=2))}
    nodes = [
        msgspec.structs.replace(
            node(name),
            draining=draw(st.booleans()),
            force_drain=draw(st.booleans()),
            leaving=draw(st.sampled_from(["", incarnation(name)])),
            calls_back=draw(st.booleans()),
        )
        for name in ("n1", "n2", "n3")
    ]
    look = observed(silent_s=silent)
    return view(*groups, nodes=nodes, statuses=reports, silences=silences, sessions=sessions, observed=look)


def nothing_runs_at(owner: str, of: Group, seen: ClusterView) -> bool:
    """May anybody else start the group? What rules 4 and 8 ask for, said once more and apart from the code."""
    if owner in seen.silences:
        return seen.silences[owner].proof is not None
    if owner not in seen.sessions:
        return True
    report = seen.statuses.get(of.name)
    if owner in seen.observed.silent_s or report is None:
        return False
    counts = (report.node, report.epoch, report.incarnation) == (owner, of.epoch, seen.sessions[owner].incarnation)
    return counts and all(one.state in (State.OFFLINE, State.FAILED) for one in report.resources.values())


def test_a_silent_node_that_votes_in_the_database_is_fenced_after_a_while_also_when_it_owns_nothing() -> None:
    def seen(age_s: float, voters: tuple[str, ...] = ("n1", "n2", "n3")) -> Plan:
        return decide(view(silences=[silence("n3")], observed=observed(silence_age_s={"n3": age_s}, voters=voters)))

    assert seen(60.0).actions == (Fence("n3", incarnation("n3")),)
    assert seen(59.0) == Plan(wake_in_s=1.0)
    assert seen(60.0, voters=("n1", "n2")).actions == ()


@given(views())
def test_whatever_the_view_a_group_changes_hands_only_when_nothing_of_it_can_run(seen: ClusterView) -> None:
    for action in decide(seen).actions:
        if isinstance(action, Assign):
            before = seen.groups[action.group]
            assert action.epoch == before.epoch + 1
            assert not before.owner or nothing_runs_at(before.owner, before, seen)
            assert before.wanted is Wanted.ONLINE or before.move_to in (action.owner, AWAY)
            assert action.owner in seen.sessions
            assert action.owner not in seen.silences
            assert action.owner not in seen.observed.silent_s


@given(views())
def test_whatever_the_view_one_decision_has_one_word_about_each_group_and_node(seen: ClusterView) -> None:
    plan = decide(seen)
    about = [action.group for action in plan.actions if isinstance(action, Assign | ClearMove)]
    declared = [action.node for action in plan.actions if isinstance(action, DeclareSilent)]
    assert len(about) == len(set(about))
    assert len(declared) == len(set(declared))
    assert not {waiting.group for waiting in plan.waiting} & set(assigned(plan))
