"""A watchdog counts while anything may run, and the cluster never relies on more than what counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build import session
from outlast.core.membership.timing import (
    LONGEST_NODE_TIMEOUT_S,
    SHORTEST_NODE_TIMEOUT_S,
    timing,
    watchdog_proof_s,
)
from outlast.core.membership.watchdog import UNSEEN, may_feed, may_start, must_count, proving_s
from outlast.core.owner.resource import S, runs_nothing
from outlast.model.node import Session
from outlast.model.settings import Settings
from outlast.model.watchdog import Strength

EVERYTHING = tuple(Strength)


@pytest.mark.parametrize("state", [state for state in S if not runs_nothing(state) and state not in UNSEEN])
def test_whatever_may_run_needs_the_watchdog(state: S) -> None:
    assert must_count([S.OFFLINE, state], counts=False)


def test_a_node_on_which_nothing_runs_needs_none() -> None:
    assert not must_count([S.OFFLINE, S.FAILED], counts=True)
    assert not must_count([], counts=True)


@pytest.mark.parametrize("state", UNSEEN)
@pytest.mark.parametrize("counts", [True, False])
def test_what_nobody_has_looked_at_yet_neither_starts_the_watchdog_nor_lets_it_end(state: S, counts: bool) -> None:
    assert must_count([state], counts=counts) is counts


def test_nothing_starts_before_the_watchdog_counts() -> None:
    assert not may_start(claimed_s=8.0, counting_s=0.0, told_s=8.0)
    assert may_start(claimed_s=8.0, counting_s=8.0, told_s=8.0)


def test_nothing_starts_under_a_watchdog_that_counts_longer_than_the_cluster_knows() -> None:
    assert not may_start(claimed_s=10.0, counting_s=10.0, told_s=8.0)


def test_nothing_starts_unwatched_while_the_cluster_still_believes_in_a_watchdog() -> None:
    assert not may_start(claimed_s=0.0, counting_s=0.0, told_s=8.0)
    assert may_start(claimed_s=0.0, counting_s=0.0, told_s=0.0)


def test_what_extended_the_permit_feeds_only_while_that_permit_lasts() -> None:
    assert may_feed(until_s=4.25, now=0.84)
    assert not may_feed(until_s=4.25, now=4.25)
    assert not may_feed(until_s=4.25, now=6.94)


@given(
    sent_s=st.floats(0.0, 1e6),
    node_timeout_s=st.floats(SHORTEST_NODE_TIMEOUT_S, LONGEST_NODE_TIMEOUT_S),
    fed_after=st.floats(0.0, 2.0),
    held_up=st.floats(0.0, 1.0),
)
def test_whatever_was_fed_has_bitten_when_the_watchdogs_time_proves_the_death(
    sent_s: float, node_timeout_s: float, fed_after: float, held_up: float
) -> None:
    """Also when the feeding itself is held up, for no longer than the margin."""
    times = timing(node_timeout_s)
    looked_s = sent_s + fed_after * times.permit_s
    if may_feed(sent_s + times.permit_s, looked_s):
        bites_s = looked_s + held_up * (times.guard_s + 0.5) + times.watchdog_s
        silent_s = sent_s + times.node_timeout_s  # at the earliest: somebody has seen that renewal when it was sent
        assert bites_s <= silent_s + watchdog_proof_s(times.watchdog_s) + 1e-6


lengths = st.sampled_from([0.0, 3.0, 8.0])


@given(lengths, lengths, lengths)
def test_whatever_started_runs_under_no_longer_countdown_than_declared_or_under_none_that_is(
    claimed_s: float, counting_s: float, told_s: float
) -> None:
    if may_start(claimed_s, counting_s, told_s):
        assert told_s == 0.0 or 0.0 < counting_s <= told_s


@pytest.mark.parametrize(
    ("strength", "proves"),
    [
        (Strength.HARDWARE, True),
        (Strength.KERNEL, True),
        (Strength.VIRTUAL, False),
        (Strength.PROCESS, False),
    ],
)
def test_a_watchdog_that_is_only_a_program_or_can_be_paused_proves_nothing_unless_an_administrator_says_so(
    strength: Strength, proves: bool
) -> None:
    declared = Session("n1", "life", 1, watchdog_s=8.0, watchdog=strength)
    assert proving_s(declared, Settings()) == (8.0 if proves else 0.0)
    assert proving_s(declared, Settings(watchdog_strength=EVERYTHING)) == 8.0


def test_a_session_without_a_watchdog_proves_nothing_whatever_is_trusted() -> None:
    assert proving_s(session("n1"), Settings(watchdog_strength=EVERYTHING)) == 0.0
