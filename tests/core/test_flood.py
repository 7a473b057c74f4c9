"""What a rule sends next: everything, in order, once, and never more than so much in a minute."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notice_builders import event, rule

from outlast.core.notices.flood import LONGEST_RETRY_S, RETRY_S, WINDOW_S, Flood, Place, after, retry_s
from outlast.model.notice import Notice


def flood(count: int = 0, per_minute: int = 3) -> Flood:
    found = Flood(rule(per_minute=per_minute), "c")
    for number in range(1, count + 1):
        found.add(event(number), Place(number, event(number).id))
    return found


def sent(by: Flood, now: float) -> list[str]:
    """What it sends at that moment, all of it taken."""
    found = []
    while (notice := by.next(now)) is not None:
        found.append(notice.words)
        by.was_taken(now)
    return found


def test_each_event_is_a_notice_while_there_are_not_too_many() -> None:
    assert sent(flood(3), 0.0) == ["thing 1 failed", "thing 2 failed", "thing 3 failed"]


def test_what_is_too_much_for_a_minute_is_one_notice_that_counts_it() -> None:
    first, second, rest = sent(flood(10), 0.0)
    assert (first, second) == ("thing 1 failed", "thing 2 failed")
    assert rest == "8 events were held back, for no more than 3 notices a minute are sent: 8 failed"


def test_what_comes_while_nothing_may_be_sent_is_summed_up_when_it_may() -> None:
    busy = flood(3)
    sent(busy, 0.0)
    for number in (4, 5):
        busy.add(event(number), Place(number, ""))
    assert busy.next(1.0) is None
    assert busy.deadline(1.0) == WINDOW_S
    assert sent(busy, WINDOW_S) == ["thing 4 failed", "thing 5 failed"]  # all three are free again by then


def test_one_a_minute_is_possible_too() -> None:
    assert sent(flood(1, per_minute=1), 0.0) == ["thing 1 failed"]
    [only] = sent(flood(4, per_minute=1), 0.0)
    assert only.startswith("4 events were held back")


def test_what_was_not_taken_is_sent_again_as_it_was_later_and_later() -> None:
    failing = flood(2)
    before = failing.next(0.0)
    failing.failed(0.0)
    assert failing.next(RETRY_S - 0.1) is None
    assert failing.deadline(0.0) == RETRY_S
    assert failing.next(RETRY_S) == before
    failing.failed(RETRY_S)
    assert failing.deadline(RETRY_S) == RETRY_S + 2 * RETRY_S
    assert failing.next(3 * RETRY_S) == before
    failing.was_taken(3 * RETRY_S)
    assert sent(failing, 3 * RETRY_S) == ["thing 2 failed"]


def test_a_receiver_may_ask_for_patience() -> None:
    busy = flood(1)
    busy.next(0.0)
    busy.failed(0.0, asked_s=120.0)
    assert busy.deadline(0.0) == 120.0


@pytest.mark.parametrize(
    ("failures", "wait_s"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, LONGEST_RETRY_S), (10_000, LONGEST_RETRY_S)]
)
def test_tries_become_rarer_and_never_end(failures: int, wait_s: float) -> None:
    assert retry_s(failures) == wait_s


def test_where_it_has_come_to_is_the_last_that_was_told() -> None:
    busy = flood(10)
    places = []
    while busy.next(0.0) is not None:
        places.append(busy.was_taken(0.0).revision)
    assert places == [1, 2, 10]
    assert busy.deadline(0.0) is None


def test_of_events_of_one_revision_those_that_are_left_come_after() -> None:
    log = [(Place(5, "c"), event(3)), (Place(5, "a"), event(1)), (Place(4, "z"), event(0)), (Place(5, "b"), event(2))]
    assert [place.event for place, _ in after(Place(5, "a"), log)] == ["b", "c"]


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=40), st.integers(1, 5), st.integers(1, 100))
def test_nothing_is_lost_and_nothing_sent_too_often_whatever_comes_and_fails(
    story: Sequence[tuple[int, bool]], per_minute: int, pause_s: int
) -> None:
    by, now, number = flood(per_minute=per_minute), 0.0, 0
    taken: list[tuple[float, Notice]] = []
    for count, works in [*story, *((0, True) for _ in range(300))]:
        for _ in range(count):
            number += 1
            by.add(event(number), Place(number, ""))
        while (notice := by.next(now)) is not None:
            if works:
                taken.append((now, notice))
                by.was_taken(now)
            else:
                by.failed(now)
        now += pause_s
    assert sum(notice.held_back or 1 for _, notice in taken) == number
    assert len({notice.id for _, notice in taken}) == len(taken)
    for start, _ in taken:
        assert sum(start <= at < start + WINDOW_S for at, _ in taken) <= per_minute
