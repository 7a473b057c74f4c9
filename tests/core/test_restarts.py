"""How often may a group fail over? Three nodes: twice in six hours, unless a test says otherwise."""

from typing import Any

import msgspec
import pytest

from build import failure, group, node, observed, view
from outlast.core.coordinator.restarts import exhausted, next_expiry_s, outdated, retry_in_s, threshold
from outlast.model.group import Group
from outlast.model.settings import Settings

HOUR_S = 3600.0


def failed(times: int, **more: Any) -> Group:
    web = group("web", failures=tuple(failure(f"web-{number}") for number in range(times)))
    return msgspec.structs.replace(web, **more)


def test_by_default_a_group_may_fail_over_once_for_each_other_node_and_once_on_a_single_one() -> None:
    assert threshold(group("web"), view()) == 2
    assert threshold(group("web"), view(nodes=[node("n1")])) == 1


def test_the_groups_own_limit_counts_before_the_clusters() -> None:
    seen = view(settings=Settings(failover_threshold=5))
    assert threshold(group("web"), seen) == 5
    assert threshold(group("web", failover_threshold=0), seen) == 0


def test_below_its_limit_a_group_fails_over_and_at_the_limit_no_more() -> None:
    assert exhausted(failed(1), view()) is None
    assert "2 times within 6 h" in (exhausted(failed(2), view()) or "")


def test_a_limit_of_zero_means_never() -> None:
    assert exhausted(failed(0, failover_threshold=0), view()) is not None


def test_only_failures_within_the_period_count() -> None:
    seen = view(observed=observed(failure_age_s={"web-0": 6 * HOUR_S, "web-1": HOUR_S}))
    assert outdated(failed(2), seen) == ("web-0",)
    assert exhausted(failed(2), seen) is None


def test_a_failure_whose_age_this_coordinator_does_not_know_is_new() -> None:
    assert outdated(failed(2), view()) == ()


def test_the_groups_own_period_counts_before_the_clusters() -> None:
    seen = view(observed=observed(failure_age_s={"web-0": 61.0}))
    assert outdated(failed(1, failover_period_s=60.0), seen) == ("web-0",)
    assert outdated(failed(1), seen) == ()


def test_the_decision_is_due_again_when_the_oldest_failure_expires() -> None:
    seen = view(observed=observed(failure_age_s={"web-0": HOUR_S, "web-1": 2 * HOUR_S}))
    assert next_expiry_s(failed(2), seen) == 4 * HOUR_S
    assert next_expiry_s(failed(0), seen) is None


@pytest.mark.parametrize(
    ("period_s", "words"), [(6 * HOUR_S, "2 times within 6 h"), (90.0, "within 1.5 min"), (30.0, "within 30 s")]
)
def test_the_words_say_the_limit_and_the_command_that_helps(period_s: float, words: str) -> None:
    found = exhausted(failed(2, failover_period_s=period_s), view()) or ""
    assert words in found
    assert "`outlast group online web`" in found


def test_a_group_that_stays_failed_is_tried_anew_when_its_own_time_has_passed_since_that() -> None:
    seen = view(observed=observed(failed_s={"web": 600.0}))
    assert retry_in_s(failed(2), seen) == HOUR_S - 600.0
    assert retry_in_s(failed(2, retry_after_s=300.0), seen) == 0.0
    assert retry_in_s(failed(2, retry_after_s=0.0), seen) is None
    assert retry_in_s(failed(2), view()) == HOUR_S
