"""When is which resource asked whether it is alive?"""

import math

from hypothesis import given
from hypothesis import strategies as st

from outlast.core.owner.polling import Polling

intervals = st.floats(0.1, 3600.0)
times = st.floats(0.0, 1e7)


def test_resources_of_one_interval_are_asked_together_whenever_they_came() -> None:
    polling = Polling()
    polling.watch("a", 5.0, now=100.1)
    polling.watch("b", 5.0, now=104.9)
    assert polling.due(104.99) == []
    assert polling.due(105.0) == ["a", "b"]
    assert polling.due(105.0) == []
    assert polling.deadline() == 110.0


def test_a_resource_that_is_watched_again_is_not_asked_later_for_that() -> None:
    polling = Polling()
    polling.watch("a", 5.0, now=100.0)
    polling.watch("a", 5.0, now=104.0)
    assert polling.deadline() == 105.0


def test_a_changed_interval_counts_at_once() -> None:
    polling = Polling()
    polling.watch("a", 3600.0, now=100.0)
    polling.watch("a", 1.0, now=100.5)
    assert polling.deadline() == 101.0


def test_what_is_left_is_not_asked() -> None:
    polling = Polling()
    polling.watch("a", 5.0, now=0.0)
    polling.leave("a")
    polling.leave("never watched")
    assert polling.deadline() is None
    assert list(polling.watched()) == []
    assert polling.due(1e9) == []


def test_polls_that_were_missed_are_not_made_up_for() -> None:
    polling = Polling()
    polling.watch("a", 5.0, now=0.0)
    assert polling.due(1000.0) == ["a"]
    assert polling.deadline() == 1005.0


@given(times, st.lists(st.tuples(intervals, times), min_size=1, max_size=5))
def test_nobody_is_asked_before_now_or_later_than_one_interval_from_now(
    start_s: float, watched: list[tuple[float, float]]
) -> None:
    polling = Polling()
    for number, (interval_s, later_s) in enumerate(watched):
        name, now_s = str(number), start_s + later_s
        polling.watch(name, interval_s, now_s)
        alone = Polling()
        alone.watch(name, interval_s, now_s)
        due_at = alone.deadline()
        assert due_at is not None
        assert now_s < due_at or math.isclose(now_s, due_at)
        assert due_at <= now_s + interval_s * (1 + 1e-6)
    deadline = polling.deadline()
    assert deadline is not None
    assert polling.due(deadline) != []
