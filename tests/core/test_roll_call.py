"""May this node's member start? After a boot only when nobody can have gone on without it, or somebody says how."""

from typing import Any

import msgspec
import pytest

from outlast.core.quorum.roll_call import Begin, Hold, Rejoin, RollCallView, Verdict, roll_call
from outlast.model.member import Member
from outlast.model.roll import Noted, Roll, RollAnswer, Stage, Trace

URL = "https://n1:2380"
MEMBERS = tuple(Member(f"a{n}", f"n{n}", (f"https://n{n}:2380",)) for n in (1, 2, 3))
NOTED = Noted("a1", generation=4, trace=Trace(3, 900), voters=("n1", "n2", "n3"))


def called(*answers: RollAnswer, **changes: Any) -> Verdict:
    """n1 after a boot, with the data of one of three voters."""
    view = RollCallView("n1", URL, has_data=True, same_life=False, noted=NOTED)
    return roll_call(msgspec.structs.replace(view, answers={answer.mine.node: answer for answer in answers}, **changes))


def runs(node: str, *, members: tuple[Member, ...] = MEMBERS, generation: int = 4, **more: Any) -> RollAnswer:
    return RollAnswer(Roll(node, Stage.RUNS, generation=generation), members, **more)


def waits(node: str, *, stage: Stage = Stage.WAITS, generation: int = 4, **more: Any) -> RollAnswer:
    return RollAnswer(Roll(node, stage, generation=generation), **more)


def noted(**changes: Any) -> Noted:
    return msgspec.structs.replace(NOTED, **changes)


def test_in_the_same_life_it_starts_at_once() -> None:
    assert isinstance(called(same_life=True), Begin)


def test_in_the_same_life_too_it_joins_again_when_it_was_taken_out() -> None:
    assert isinstance(called(runs("n2", members=MEMBERS[1:]), same_life=True), Rejoin)
    assert isinstance(called(runs("n2"), same_life=True), Begin)
    assert isinstance(called(runs("n2", members=MEMBERS[1:], generation=3), same_life=True), Begin)


def test_a_member_that_cannot_run_with_its_data_joins_again_while_the_cluster_runs_without_it() -> None:
    assert isinstance(called(runs("n2"), same_life=True, failed_starts=5), Rejoin)
    assert isinstance(called(runs("n2"), same_life=True, failed_starts=4), Begin)
    assert isinstance(called(waits("n2"), same_life=True, failed_starts=5), Begin)


def test_after_a_boot_it_does_not_start_by_itself() -> None:
    verdict = called()
    assert isinstance(verdict, Hold)
    assert verdict.why.startswith("word from n2, n3:")


def test_it_starts_when_one_peer_says_that_the_cluster_runs_and_it_belongs_to_it() -> None:
    assert isinstance(called(runs("n2")), Begin)


def test_it_joins_again_when_the_cluster_went_on_without_it() -> None:
    assert called(runs("n2", members=MEMBERS[1:])) == Rejoin("n2 says that the cluster went on without it")


def test_a_member_of_that_name_with_another_id_is_not_this_one() -> None:
    replaced = (msgspec.structs.replace(MEMBERS[0], id="b1"), *MEMBERS[1:])
    assert isinstance(called(runs("n2", members=replaced)), Rejoin)


@pytest.mark.parametrize("remembered", [Trace(4, 900), Trace(3, 901)])
def test_a_disk_from_the_past_is_thrown_away_when_the_cluster_runs(remembered: Trace) -> None:
    verdict = called(runs("n2", yours=Trace(3, 900)), waits("n3", yours=remembered))
    assert isinstance(verdict, Rejoin)
    assert "from the past" in verdict.why


def test_a_disk_from_the_past_does_not_start_when_nobody_runs_and_is_not_thrown_away_either() -> None:
    assert isinstance(called(waits("n2"), waits("n3", yours=Trace(4, 950))), Hold)


def test_what_peers_remember_of_a_disk_that_went_further_since_is_no_objection() -> None:
    assert isinstance(called(runs("n2", yours=Trace(3, 850)), runs("n3", yours=Trace(2, 100))), Begin)


def test_when_nobody_runs_it_starts_when_all_voters_wait() -> None:
    assert isinstance(called(waits("n2"), waits("n3")), Begin)
    assert isinstance(called(waits("n2", stage=Stage.STARTED), waits("n3", stage=Stage.EMPTY)), Begin)


def test_one_voter_that_was_not_heard_is_one_too_many() -> None:
    assert isinstance(called(waits("n2")), Hold)
    assert isinstance(called(waits("n2"), RollAnswer(Roll("n3", Stage.ABSENT))), Hold)


def test_a_voter_that_is_certainly_off_need_not_be_heard() -> None:
    assert isinstance(called(waits("n2"), off=frozenset({"n3"})), Begin)


def test_a_witness_need_not_be_heard_because_it_never_goes_on_alone() -> None:
    pair = noted(voters=("n1", "n2", "w1"), witnesses=("w1",))
    assert isinstance(called(waits("n2"), noted=pair), Begin)
    assert isinstance(called(waits("w1"), noted=pair), Hold)


def test_it_waits_for_one_that_has_gone_further() -> None:
    verdict = called(waits("n2"), waits("n3", generation=5))
    assert isinstance(verdict, Hold)
    assert verdict.why.startswith("n3")


def test_who_went_on_alone_starts_without_the_others() -> None:
    assert isinstance(called(noted=noted(voters=("n1",), generation=5)), Begin)


def test_after_a_forced_quorum_those_left_behind_must_be_heard_before_it_starts_after_a_boot() -> None:
    forced = noted(voters=("n1",), generation=5, left_behind=("n2", "n3"))
    assert isinstance(called(noted=forced), Hold)
    assert isinstance(called(waits("n2"), waits("n3"), noted=forced), Begin)


def test_it_gives_nothing_up_when_an_older_generation_runs() -> None:
    verdict = called(runs("n2", members=MEMBERS[1:], generation=3))
    assert isinstance(verdict, Hold)
    assert "generation 4" in verdict.why


def test_of_two_that_run_the_newer_generation_counts() -> None:
    assert isinstance(called(runs("n2", generation=4), runs("n3", members=MEMBERS[2:], generation=5)), Rejoin)


def test_without_data_it_starts_only_once_it_was_added() -> None:
    added = (Member("a9", "", (URL,), learner=True), *MEMBERS[1:])
    assert isinstance(called(has_data=False), Hold)
    assert isinstance(called(runs("n2", members=MEMBERS[1:]), has_data=False), Hold)
    assert called(runs("n2", members=added), has_data=False) == Begin(
        "it was added to the cluster", {"n1": URL, "n2": "https://n2:2380", "n3": "https://n3:2380"}, "a9"
    )


def test_without_data_it_does_not_start_in_the_place_of_the_member_that_had_it() -> None:
    assert isinstance(called(runs("n2"), has_data=False), Hold)
    assert isinstance(called(runs("n2"), has_data=False, same_life=True), Hold)
