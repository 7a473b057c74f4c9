"""Every time follows from node_timeout, and whatever it is, a node has stopped before anybody may ask for its death."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.core.membership.timing import (
    LONGEST_NODE_TIMEOUT_S,
    SHORTEST_NODE_TIMEOUT_S,
    Impossible,
    timing,
    watchdog_proof_s,
)

node_timeouts = st.floats(SHORTEST_NODE_TIMEOUT_S, LONGEST_NODE_TIMEOUT_S)


@given(node_timeouts)
def test_a_permit_ends_before_its_node_can_be_called_silent(node_timeout_s: float) -> None:
    times = timing(node_timeout_s)
    assert times.permit_s + times.guard_s == pytest.approx(node_timeout_s)
    assert 0.3 <= times.guard_s < times.permit_s


@given(node_timeouts)
def test_a_lost_renewal_can_be_repeated_before_the_permit_ends(node_timeout_s: float) -> None:
    times = timing(node_timeout_s)
    assert times.renew_interval_s <= min(1.0, node_timeout_s / 6)
    assert times.renew_interval_s + times.renew_timeout_s < times.permit_s
    assert 2 * times.renew_timeout_s <= times.permit_s


@given(node_timeouts)
def test_an_observer_that_misses_its_own_beats_notices_before_it_could_call_anybody_silent(
    node_timeout_s: float,
) -> None:
    times = timing(node_timeout_s)
    assert times.renew_interval_s < times.steady_gap_s < times.node_timeout_s


@given(node_timeouts)
def test_the_watchdog_lets_a_node_stop_everything_first(node_timeout_s: float) -> None:
    times = timing(node_timeout_s)
    assert times.watchdog_s >= times.permit_s + times.guard_s


@given(node_timeouts)
def test_the_watchdogs_proof_waits_for_a_whole_countdown_after_the_last_meal_that_was_possible(
    node_timeout_s: float,
) -> None:
    times = timing(node_timeout_s)
    last_meal_s = (
        times.permit_s
    )  # after the last renewal was sent; a silence is written `node_timeout` after it, at best
    proof_s = times.node_timeout_s + watchdog_proof_s(times.watchdog_s)
    assert proof_s >= last_meal_s + times.watchdog_s + times.guard_s


@pytest.mark.parametrize("node_timeout_s", [0.0, -5.0, 0.99, 300.1, float("nan"), float("inf")])
def test_a_time_out_that_cannot_work_is_refused_with_the_reason(node_timeout_s: float) -> None:
    with pytest.raises(Impossible, match="no time to repeat a lost renewal"):
        timing(node_timeout_s)


def test_the_default_of_five_seconds_gives_these_times() -> None:
    times = timing(5.0)
    assert (times.permit_s, times.guard_s, times.watchdog_s) == (4.25, 0.75, 7.0)
    assert times.renew_interval_s == pytest.approx(0.833, abs=0.001)
