"""May a node run on while the database is away, and who may promise it to wait? Times are seconds of one clock."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.core.membership.certainty import (
    Pledges,
    Promise,
    Standing,
    Wait,
    certainty,
    counts_from,
    missing,
    why_not,
)
from outlast.core.membership.membership import Observer, Session
from outlast.core.membership.timing import timing
from outlast.core.quorum.leaderless import Look

TIMES = timing(5.0)
GAP_S = TIMES.steady_gap_s
NOBODY: dict[str, float] = {}


def look(*, voters: tuple[str, ...] = ("n1", "n2"), leaderless_s: float | None = 10.0, at_s: float = 100.0) -> Look:
    """What n1's own member said at `at_s`."""
    since_s = None if leaderless_s is None else at_s - leaderless_s
    return Look(at_s=at_s, voters=voters, i_vote="n1" in voters, me="n1", leaderless_since_s=since_s)


# --- the node that asks -----------------------------------------------------------------------------------------------


def test_when_all_have_promised_it_is_certain_since_the_first_of_them_was_asked() -> None:
    found = certainty(["n2", "n3"], {"n2": 99.0, "n3": 98.5}, NOBODY, None, 100.0, GAP_S)
    assert found is not None
    assert found.since_s == 98.5
    assert found.words == "n2, n3 promised to decide nothing meanwhile"


@pytest.mark.parametrize("promised_s", [{}, {"n2": 99.0}, {"n3": 99.0}, {"n2": 99.0, "n4": 99.0}])
def test_as_long_as_one_has_not_promised_nothing_is_certain(promised_s: dict[str, float]) -> None:
    assert certainty(["n2", "n3"], promised_s, NOBODY, None, 100.0, GAP_S) is None
    assert missing(["n2", "n3"], promised_s, NOBODY) != ()


def test_who_is_proven_off_need_not_promise_anything() -> None:
    found = certainty(["n2", "n3"], {"n2": 99.0}, {"n3": 97.0}, None, 100.0, GAP_S)
    assert found is not None
    assert found.since_s == 99.0
    assert "n3 is off" in found.words


def test_a_node_that_knew_of_no_other_runs_on() -> None:
    found = certainty([], NOBODY, NOBODY, None, 100.0, GAP_S)
    assert found is not None
    assert found.since_s == 100.0


def test_one_of_two_voters_that_follows_no_leader_is_certain_without_a_promise() -> None:
    found = certainty(["n2", "n3"], NOBODY, NOBODY, look(at_s=99.5), 100.0, GAP_S)
    assert found is not None
    assert found.since_s == 99.5
    assert "only n2 votes besides" in found.words


@pytest.mark.parametrize(
    "doubtful",
    [
        look(leaderless_s=None),
        look(leaderless_s=GAP_S),
        look(voters=("n1", "n2", "n3")),
        look(voters=("n2", "n3")),
        look(voters=("n1",)),
        msgspec.structs.replace(look(), learners=("n3",)),
        None,
    ],
)
def test_otherwise_its_own_vote_proves_nothing(doubtful: Look | None) -> None:
    assert certainty(["n2"], NOBODY, NOBODY, doubtful, 100.0, GAP_S) is None


def test_of_two_grounds_the_later_counts() -> None:
    by_promise = certainty(["n2"], {"n2": 99.9}, NOBODY, look(at_s=99.5), 100.0, GAP_S)
    by_votes = certainty(["n2"], {"n2": 99.1}, NOBODY, look(at_s=99.5), 100.0, GAP_S)
    assert by_promise is not None
    assert by_votes is not None
    assert (by_promise.since_s, by_votes.since_s) == (99.9, 99.5)


def test_a_permit_that_has_ended_is_not_revived_by_a_promise() -> None:
    own = Session(TIMES)
    own.renewed(sent_at=10.0)
    own.closed()
    assert not own.vouched(since_s=11.0)
    assert not own.valid(11.0)


def test_a_promise_never_shortens_a_permit() -> None:
    own = Session(TIMES)
    own.renewed(sent_at=10.0)
    assert not own.vouched(since_s=9.0)
    assert own.permit_until_s == 10.0 + TIMES.permit_s
    assert own.vouched(since_s=11.0)
    assert own.permit_until_s == 11.0 + TIMES.permit_s


@given(st.floats(0.0, 1e5), st.floats(0.0, 3.0), st.floats(1.0, 300.0))
def test_the_permit_of_who_was_promised_ends_before_the_one_that_promised_may_decide(
    asked_at: float, on_the_way_s: float, node_timeout_s: float
) -> None:
    times = timing(node_timeout_s)
    own, pledges = Session(times), Pledges()
    own.renewed(asked_at - times.permit_s / 2)
    pledges.promise("n1", times.node_timeout_s, asked_at + on_the_way_s)
    own.vouched(asked_at)
    assert own.permit_until_s is not None
    assert not pledges.begin("n1", own.permit_until_s)


@given(st.floats(0.0, 1e5), st.floats(0.0, 3.0), st.floats(0.0, 1.0), st.floats(1.0, 300.0))
def test_the_permit_of_who_was_promised_what_is_left_ends_before_that(
    asked_at: float, on_the_way_s: float, counted: float, node_timeout_s: float
) -> None:
    times = timing(node_timeout_s)
    own, pledges, counted_s = Session(times), Pledges(), counted * node_timeout_s
    own.renewed(asked_at - times.permit_s + 0.001)
    pledges.promise("n1", times.node_timeout_s, asked_at + on_the_way_s - counted_s)
    if own.vouched(counts_from(asked_at, Promise(counted_s))):
        assert own.permit_until_s is not None
        assert not pledges.begin("n1", own.permit_until_s)


def test_an_observer_that_promised_starts_its_timers_again_when_it_has_the_database_back() -> None:
    """So its own judgement comes no earlier than the end of its promise, even if it forgets that."""
    watcher = Observer(TIMES, 0.0)
    watcher.saw_record("n1", 0.0)
    promised_at = GAP_S + 0.1
    assert not watcher.reaches_database(promised_at)
    watcher.own_write_acknowledged(promised_at + 0.1)
    for beat in range(1, 20):
        now = promised_at + 0.1 + beat * TIMES.renew_interval_s
        watcher.own_write_acknowledged(now)
        if now < promised_at + TIMES.node_timeout_s:
            assert watcher.silent_s(["n1"], now) == {}


def test_whose_own_renewal_is_overdue_holds_against_nobody_what_it_has_counted() -> None:
    """It may be cut off too, and those who noticed first must not pay for that. For itself it goes on counting."""
    watcher = Observer(TIMES, 0.0)
    watcher.saw_record("n1", 0.0)
    for beat in range(4):
        watcher.own_write_acknowledged(beat * TIMES.renew_interval_s)
    overdue_at = 3 * TIMES.renew_interval_s + TIMES.overdue_s
    assert watcher.held_against_s("n1", overdue_at - 0.1) == pytest.approx(overdue_at - 0.1)
    assert watcher.held_against_s("n1", overdue_at + 0.1) == 0.0
    assert watcher.counted_s("n1", overdue_at + 0.1) == pytest.approx(overdue_at + 0.1)


# --- the node that is asked -------------------------------------------------------------------------------------------


def standing(**changes: Any) -> Standing:
    """n2 may promise n1."""
    well = Standing(
        asker="n1",
        has_picture=True,
        counted_s=0.0,
        known_incarnation="n1-life-1",
        asker_silent=False,
        undecided=False,
    )
    return msgspec.structs.replace(well, **changes)


WAIT = Wait("n1-life-1", 5.0)


def test_who_cannot_decide_and_has_decided_nothing_promises() -> None:
    assert why_not(WAIT, standing()) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"has_picture": False}, "it has no picture of the cluster yet"),
        ({"counted_s": 5.0}, "it reaches the database, and counts the silence of n1"),
        ({"undecided": True}, "does not know what became of it"),
        ({"asker_silent": True}, "n1 is declared silent"),
        ({"known_incarnation": "n1-life-2"}, "it knows another life of n1"),
        ({"known_incarnation": ""}, "it knows another life of n1"),
    ],
)
def test_who_could_decide_or_may_have_decided_refuses_and_says_why(changes: dict[str, Any], words: str) -> None:
    assert words in why_not(WAIT, standing(**changes))


@pytest.mark.parametrize("counted_s", [0.0, 1.0, 4.9])
def test_who_has_counted_a_part_of_the_silence_promises_what_is_left(counted_s: float) -> None:
    assert why_not(WAIT, standing(counted_s=counted_s)) == ""
    assert why_not(WAIT, standing(counted_s=counted_s, asker_silent=True)) == "n1 is declared silent"


@pytest.mark.parametrize("for_s", [0.0, -1.0, 301.0, float("nan"), float("inf")])
def test_nobody_waits_for_no_time_or_for_ever(for_s: float) -> None:
    assert why_not(Wait("n1-life-1", for_s), standing()) != ""


def test_a_promise_and_a_write_against_the_same_node_exclude_one_another() -> None:
    pledges = Pledges()
    pledges.promise("n1", 5.0, since_s=100.0)
    assert not pledges.begin("n1", 104.9)
    assert pledges.begin("n3", 104.9)
    assert pledges.begin("n1", 105.1)
    assert pledges.undecided("n1")
    pledges.end("n1", known=True)
    assert not pledges.undecided("n1")


def test_a_write_whose_outcome_is_not_known_is_undecided_until_it_was_read() -> None:
    pledges = Pledges()
    assert pledges.begin("n1", 100.0)
    pledges.end("n1", known=False)
    assert pledges.undecided("n1")
    before = pledges.unknown
    assert before == {"n1"}
    assert pledges.begin("n3", 101.0)
    pledges.end("n3", known=False)
    pledges.found_out(before)  # what was read then says nothing of a write that ended later
    assert not pledges.undecided("n1")
    assert pledges.undecided("n3")


def test_of_two_writes_at_once_both_must_have_ended() -> None:
    pledges = Pledges()
    assert pledges.begin("n1", 100.0)
    assert pledges.begin("n1", 100.0)
    pledges.end("n1", known=True)
    assert pledges.undecided("n1")
    pledges.end("n1", known=True)
    assert not pledges.undecided("n1")


def test_a_promise_that_is_repeated_for_a_shorter_time_stands_as_it_was() -> None:
    pledges = Pledges()
    pledges.promise("n1", 10.0, since_s=100.0)
    pledges.promise("n1", 1.0, since_s=101.0)
    assert pledges.left_s("n1", 101.0) == 9.0
    assert pledges.over_s("n1", 112.0) == 2.0
    assert pledges.over_s("n3", 112.0) == float("inf")
    assert pledges.all_left_s(101.0) == {"n1": 9.0}
    assert pledges.all_left_s(110.0) == {}
