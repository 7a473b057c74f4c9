"""Whether a resource that failed is tried again where it is: three times within a quarter of an hour."""

from typing import Any

from build import group
from outlast.core.owner.restarting import Attempt, restart, retry
from outlast.model.group import Resource
from outlast.model.policy import RestartAction

WEB = group("web", retry_after_s=3600.0)


def resource(**more: Any) -> Resource:
    return Resource("web", "dummy", "web", restart_threshold=3, restart_period_s=900.0, restart_delay_s=0.5, **more)


def test_it_is_restarted_where_it_is_after_a_pause_as_often_as_its_threshold_allows() -> None:
    assert restart(resource(), [], 100.0) == Attempt(100.5, 1, 3)
    assert restart(resource(), [10.0, 20.0], 100.0) == Attempt(100.5, 3, 3)
    assert restart(resource(), [10.0, 20.0, 30.0], 100.0) is None


def test_restarts_before_the_period_count_no_more() -> None:
    assert restart(resource(), [10.0, 20.0, 30.0], 911.0) == Attempt(911.5, 3, 3)


def test_a_vm_is_by_default_not_tried_again_where_it_failed() -> None:
    assert restart(Resource("web", "vm", "web"), [], 100.0) is None


def test_one_that_is_to_stay_failed_does() -> None:
    nothing = resource(restart_action=RestartAction.NOTHING)
    assert restart(nothing, [], 100.0) is None
    assert retry(nothing, WEB, 100.0) is None


def test_how_often_it_was_tried_is_said() -> None:
    attempt = restart(resource(), [10.0], 100.0)
    assert attempt is not None
    assert attempt.words == "is restarted here (2 of 3)"


def test_one_whose_group_is_not_to_move_is_tried_once_more_after_long() -> None:
    stays = resource(restart_action=RestartAction.RESTART)
    found = retry(stays, WEB, 100.0)
    assert found == Attempt(3700.0, 1, 0)
    assert retry(stays, group("web", retry_after_s=0.0), 100.0) is None
    assert retry(resource(restart_action=RestartAction.FAILOVER), WEB, 100.0) is None


def test_a_resource_may_have_a_time_of_its_own_for_the_attempt_after_long() -> None:
    own = resource(restart_action=RestartAction.RESTART, retry_after_s=1800.0)
    assert retry(own, WEB, 100.0) == Attempt(1900.0, 1, 0)
    never = resource(restart_action=RestartAction.RESTART, retry_after_s=0.0)
    assert retry(never, WEB, 100.0) is None


def test_the_attempt_after_long_does_not_come_before_its_restarts_are_out_of_the_period() -> None:
    stays = resource(restart_action=RestartAction.RESTART)
    assert retry(stays, group("web", retry_after_s=60.0), 100.0) == Attempt(1000.0, 1, 0)
