"""The state of a group follows from its resources; a report counts only from the present owner at the present epoch."""

import pytest

from build import group, incarnation, status
from outlast.core.group_state import combined, reported
from outlast.model.status import ResourceStatus, State

S = State


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ([S.ONLINE, S.ONLINE], S.ONLINE),
        ([S.OFFLINE, S.OFFLINE], S.OFFLINE),
        ([S.ONLINE, S.FAILED, S.UNKNOWN], S.FAILED),
        ([S.ONLINE, S.UNKNOWN, S.ONLINE_PENDING], S.UNKNOWN),
        ([S.OFFLINE, S.UNKNOWN], S.UNKNOWN),
        ([S.OFFLINE, S.ONLINE_PENDING, S.OFFLINE_PENDING], S.ONLINE_PENDING),
        ([S.OFFLINE, S.OFFLINE_PENDING], S.OFFLINE_PENDING),
        ([S.ONLINE, S.OFFLINE], S.ONLINE_PENDING),
        ([], S.OFFLINE),
    ],
)
def test_a_group_is_as_the_worst_of_its_resources(states: list[State], whole: State) -> None:
    assert combined(ResourceStatus(state) for state in states).state is whole


def test_the_words_of_the_worst_resource_are_the_groups() -> None:
    found = combined([ResourceStatus(S.ONLINE), ResourceStatus(S.FAILED, "QEMU ended with signal 9")])
    assert found.why == "QEMU ended with signal 9"


def test_a_report_of_an_older_epoch_another_node_or_another_life_says_nothing() -> None:
    web = group("web", on="n1", epoch=3)
    now = incarnation("n1")
    assert reported(web, status(web, S.FAILED), now) == ResourceStatus(S.FAILED, "as it is")
    assert reported(web, status(web, S.FAILED, epoch=2), now) is None
    assert reported(web, status(web, S.FAILED, by="n2"), now) is None
    assert reported(web, status(web, S.FAILED), incarnation("n1", life=2)) is None
    assert reported(web, None, now) is None


def test_a_resource_that_is_missing_in_the_report_is_unknown_and_never_off() -> None:
    whole = group("web", resources=("web", "disk"))
    part = status(group("web"), S.OFFLINE)
    found = reported(whole, part, incarnation("n1"))
    assert found is not None
    assert found.state is S.UNKNOWN
