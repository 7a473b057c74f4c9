"""Who should vote? One change at a time, and none that would leave the rest without a majority."""

from typing import Any

import msgspec
from member_builders import INDEX, learner, standing, status, unstarted, url, voters

from outlast.core.quorum.voting import (
    LAG,
    START_PATIENCE_S,
    AddLearner,
    HandOver,
    Promote,
    Remove,
    Step,
    VoteView,
    decide_votes,
)


def step(view: VoteView, **changes: Any) -> Step | None:
    return decide_votes(msgspec.structs.replace(view, **changes)).step


def removed(found: Step | None) -> str:
    return found.name if isinstance(found, Remove) else ""


def added(found: Step | None) -> str:
    return found.name if isinstance(found, AddLearner) else ""


def test_a_healthy_cluster_is_left_as_it_is() -> None:
    for names in (("n1",), ("n1", "n2"), ("n1", "n2", "n3"), ("n1", "n2", "w1"), ("n1", "n2", "n3", "n4", "n5")):
        assert decide_votes(standing(*names)).step is None, names


def test_a_node_that_has_been_dead_for_long_enough_votes_no_more() -> None:
    view = standing("n1", "n2", "n3", dead="n3")
    assert removed(step(view)) == "n3"
    assert step(view, dead_s={"n3": 59.0}) is None


def test_a_node_that_is_silent_without_proof_keeps_its_vote() -> None:
    assert step(standing("n1", "n2", "n3", dead="n3"), dead_s={}) is None


def test_nobody_is_removed_when_too_few_of_the_rest_are_well() -> None:
    plan = decide_votes(standing("n1", "n2", "n3", "n4", dead="n3 n4"))
    assert removed(plan.step) == ""
    assert "too few" in plan.words[0]


def test_a_voter_that_lags_or_follows_nobody_counts_for_nothing() -> None:
    view = standing("n1", "n2", "n3", dead="n3")
    behind = {**view.statuses, "id-n2": status("n2", index=INDEX - LAG - 1)}
    lost = {**view.statuses, "id-n2": msgspec.structs.replace(status("n2"), leader="")}
    assert step(view, statuses=behind) is None
    assert step(view, statuses=lost) is None


def test_one_change_at_a_time() -> None:
    assert removed(step(standing("n1", "n2", "n3", "n4", "n5", dead="n4 n5"))) == "n4"
    assert removed(step(standing("n1", "n2", "n3", "n5", dead="n5"))) == "n5"


def test_a_witness_that_nobody_reaches_votes_no_more() -> None:
    view = standing("n1", "n2", "w1", dead="w1")
    assert removed(step(view)) == "w1"
    assert step(view, unanswered_s={"id-w1": 59.0}) is None


def test_a_node_that_left_in_order_and_is_off_votes_no_more() -> None:
    """A machine in maintenance: were it lost to the vote for longer, the next one to fail would stop the database."""
    view = standing("n1", "n2", "n3")
    off = {"left": frozenset(("n3",)), "unanswered_s": {"id-n3": 60.0}}
    found = step(view, statuses={id: view.statuses[id] for id in ("id-n1", "id-n2")}, **off)
    assert isinstance(found, Remove)
    assert found.why == "n3 left the cluster in order, and its member has not answered for 60 s"
    assert step(view, left=frozenset(("n3",)), unanswered_s={"id-n3": 59.0}) is None
    assert step(view, left=frozenset(("n3",))) is None, "its member is well: only its service was stopped"


def test_a_node_that_nobody_reaches_needs_proof_of_its_death() -> None:
    assert step(standing("n1", "n2", "n3"), unanswered_s={"id-n3": 1e6}) is None


def test_a_machine_that_asks_to_be_added_becomes_a_learner() -> None:
    assert step(standing("n1", "n2", asking="n3")) == AddLearner(
        "n3", url("n3"), "n3 is here without data and should vote"
    )


def test_a_machine_that_the_cluster_does_not_know_is_not_added() -> None:
    assert step(standing("n1", "n2", asking="n3"), machines={}) is None


def test_a_voter_whose_data_is_gone_is_taken_out_before_it_is_added_again() -> None:
    view = standing("n1", "n2", "n3", asking="n3")
    assert removed(step(view, statuses={id: view.statuses[id] for id in ("id-n1", "id-n2")})) == "n3"


def test_a_learner_whose_data_is_gone_is_taken_out_too() -> None:
    view = standing("n1", "n2", asking="n3")
    assert removed(step(view, members=(*view.members, learner("n3")), present_s={"id-n3": 5.0})) == "n3"


def test_what_a_machine_said_before_its_member_started_is_no_word_about_that_member() -> None:
    view = standing("n1", "n2", asking="n3")
    earlier = {"present_s": {"id-n3": 5.0}, "asked_s": {"n3": 6.0}}
    assert removed(step(view, members=(*view.members, learner("n3")), **earlier)) == ""
    assert removed(step(standing("n1", "n2", "n3", asking="n3"), **earlier)) == ""


def test_a_learner_is_promoted_and_until_then_nobody_else_is_added() -> None:
    view = standing("n1", "n2", asking="n4 n5")
    members = (*view.members, learner("n3"))
    assert step(view, members=members) is None  # it does not answer yet
    ready = step(view, members=members, statuses={**view.statuses, "id-n3": status("n3")})
    assert ready == Promote("n3", "id-n3", "n3 is here and learns what is written")


def test_a_member_that_never_starts_gives_up_its_place() -> None:
    view = standing("n1", "n2")
    members = (*view.members, unstarted("n3"))
    assert step(view, members=members, present_s={"id-n3": START_PATIENCE_S}) is None
    assert isinstance(step(view, members=members, present_s={"id-n3": START_PATIENCE_S + 1}), Remove)


def test_a_member_of_a_join_under_way_is_left_to_the_join() -> None:
    view = standing("n1", "n2")
    members = (*view.members, unstarted("n3"))
    late = {"id-n3": START_PATIENCE_S + 1}
    assert step(view, members=members, present_s=late, joining=frozenset({url("n3")})) is None


def test_a_dead_voter_is_taken_out_before_a_learner_is_promoted() -> None:
    view = standing("n1", "n2", "n3", dead="n3")
    learns = (*view.members, learner("n4"))
    assert removed(step(view, members=learns, statuses={**view.statuses, "id-n4": status("n4")})) == "n3"


def test_four_nodes_have_three_votes() -> None:
    plan = decide_votes(standing("n1", "n2", "n3", asking="n4"))
    assert plan.step is None
    assert plan.words == ("n4 need not vote: 3 machines do",)


def test_five_nodes_have_five_votes_one_after_the_other() -> None:
    view = standing("n1", "n2", "n3", asking="n4 n5")
    assert added(step(view)) == "n4"
    assert added(step(view, members=voters("n1", "n2", "n3", "n4"), asking={"n5": view.asking["n5"]})) == "n5"


def test_a_living_voter_is_not_taken_out_for_an_odd_number() -> None:
    assert step(standing("n1", "n2", "n3", "n4")) is None


def test_at_most_seven_vote() -> None:
    seven = tuple(f"n{n}" for n in range(1, 8))
    assert step(standing(*seven, asking="n8 n9")) is None
    assert added(step(standing(*seven[:6], asking="n8 n9"))) == "n8"


def test_a_witness_votes_when_the_nodes_are_even_in_number() -> None:
    assert added(step(standing("n1", "n2", asking="w1"))) == "w1"
    assert added(step(standing("n1", "n2", "n3", asking="w1"))) == ""


def test_a_fourth_node_votes_together_with_a_witness() -> None:
    view = standing("n1", "n2", "n3", asking="n4 w1")
    assert added(step(view)) == "n4"
    assert added(step(standing("n1", "n2", "n3", "n4", asking="w1"))) == "w1"


def test_a_third_node_takes_the_vote_of_the_witness_but_only_once_it_votes() -> None:
    assert added(step(standing("n1", "n2", "w1", asking="n3"))) == "n3"
    assert removed(step(standing("n1", "n2", "n3", "w1"))) == "w1"


def test_the_last_node_votes_alone_without_its_witness() -> None:
    assert removed(step(standing("n1", "n2", "w1", dead="n2"))) == "n2"
    assert removed(step(standing("n1", "w1"))) == "w1"


def test_before_the_leader_is_taken_out_another_one_leads() -> None:
    assert isinstance(step(standing("n1", "n2", "n3", "w1", leader="w1")), HandOver)


def test_a_witness_is_not_removed_when_the_last_node_is_not_well() -> None:
    view = standing("n1", "w1", leader="w1")
    assert step(view, statuses={"id-w1": status("w1", leader="w1")}) is None
