"""May the quorum be forced here? Only where it is needed, and when nobody else can run or has more."""

from typing import Any

import msgspec

from outlast.core.quorum.force_quorum import Alone, Confirm, ForceView, Outcome, Refused, WaitNoLonger, force_quorum
from outlast.model.roll import Noted, Roll, Stage, Trace

NOTED = Noted("a1", generation=4, trace=Trace(3, 900), voters=("n1", "n2", "n3"))


def view(*heard: Roll, stage: Stage = Stage.STARTED, off: str = "", **noted: Any) -> ForceView:
    """n1, one of three voters, sees no leader."""
    known = msgspec.structs.replace(NOTED, **noted)
    return ForceView("n1", stage, known, {roll.node: roll for roll in heard}, frozenset(off.split()))


def forced(*heard: Roll, stage: Stage = Stage.STARTED, off: str = "", **noted: Any) -> Outcome:
    return force_quorum(view(*heard, stage=stage, off=off, **noted))


def waits(name: str, *, generation: int = 4, index: int = 900) -> Roll:
    return Roll(name, Stage.WAITS, generation=generation, trace=Trace(3, index))


def why(outcome: Outcome) -> str:
    return outcome.why if isinstance(outcome, Refused) else ""


def test_all_that_are_left_behind_must_be_confirmed_off_first() -> None:
    assert forced() == Confirm(("n2", "n3"), alone=True)
    assert forced(off="n2") == Confirm(("n3",), alone=True)
    assert forced(off="n2 n3") == Alone(("n2", "n3"), ("n2", "n3"))


def test_with_a_majority_here_it_is_enough_to_know_that_the_others_are_off() -> None:
    assert forced(waits("n2")) == Confirm(("n3",), alone=False)
    assert forced(waits("n2"), off="n3") == WaitNoLonger(("n3",))


def test_it_is_refused_where_it_is_not_needed() -> None:
    assert "has a quorum" in why(forced(stage=Stage.RUNS, off="n2 n3"))
    assert "the cluster runs" in why(forced(Roll("n2", Stage.RUNS, generation=4), off="n3"))
    assert "start by themselves" in why(forced(waits("n2"), waits("n3")))


def test_it_is_refused_where_there_is_nothing_to_go_on_with() -> None:
    assert "no data" in why(forced(stage=Stage.EMPTY, off="n2 n3"))
    assert "no member" in why(forced(stage=Stage.ABSENT, off="n2 n3"))
    assert "does not vote" in why(forced(voters=("n2", "n3", "n4"), off="n2 n3 n4"))


def test_it_is_refused_while_another_node_has_more() -> None:
    assert "n2 went on" in why(forced(waits("n2", generation=5), off="n3"))
    five = ("n1", "n2", "n3", "n4", "n5")
    assert "n2 has more" in why(forced(waits("n2", index=901), off="n3 n4 n5", voters=five))
    assert isinstance(forced(waits("n2", index=899), off="n3 n4 n5", voters=five), Alone)


def test_who_is_here_but_too_few_is_left_behind_too() -> None:
    five = ("n1", "n2", "n3", "n4", "n5")
    assert forced(waits("n2"), off="n3 n4 n5", voters=five) == Alone(five[1:], five[1:])


def test_a_witness_need_not_be_off_but_its_vote_counts() -> None:
    pair: dict[str, Any] = {"voters": ("n1", "n2", "w1"), "witnesses": ("w1",)}
    assert forced(**pair) == Confirm(("n2",), alone=True)
    assert forced(off="n2", **pair) == Alone(("n2",), ("n2", "w1"))
    assert forced(waits("w1"), off="n2", **pair) == WaitNoLonger(("n2",))


def test_one_that_has_no_data_need_not_be_off() -> None:
    assert forced(Roll("n2", Stage.EMPTY), off="n3") == Alone(("n2", "n3"), ("n2", "n3"))


def test_those_left_behind_by_an_earlier_one_must_be_off_as_well() -> None:
    assert forced(voters=("n1",), left_behind=("n2", "n3")) == Confirm(("n2", "n3"), alone=False)
    assert forced(voters=("n1",), left_behind=("n2", "n3"), off="n2 n3") == WaitNoLonger(("n2", "n3"))


def test_a_node_that_has_lost_power_may_have_been_left_behind_and_goes_on_alone_only_when_the_others_are_lost() -> None:
    booted = msgspec.structs.replace(view(off="n2 n3"), same_life=False)
    assert "--others-are-lost" in why(force_quorum(booted))
    assert isinstance(force_quorum(msgspec.structs.replace(booted, others_lost=True)), Alone)
    with_majority = msgspec.structs.replace(view(waits("n2"), off="n3"), same_life=False)
    assert isinstance(force_quorum(with_majority), WaitNoLonger)


def test_the_last_voter_of_all_starts_by_itself() -> None:
    assert "start by themselves" in why(forced(voters=("n1",)))
