"""The state of a group follows from its resources; a report counts only from the present owner at the present epoch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build import group, incarnation, status
from outlast.core.group.group_state import combined, nothing_runs, reported
from outlast.model.group import Group
from outlast.model.status import GroupStatus, ResourceStatus, State

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
        ([S.ONLINE, S.OFFLINE], S.PARTIAL),
        ([S.OFFLINE, S.ONLINE, S.FAILED], S.FAILED),
        ([S.OFFLINE, S.ONLINE, S.OFFLINE_PENDING], S.OFFLINE_PENDING),
        ([], S.OFFLINE),
    ],
)
def test_a_group_is_as_the_worst_of_its_resources(states: list[State], whole: State) -> None:
    named = {f"part{number}": ResourceStatus(state) for number, state in enumerate(states)}
    assert combined(named).state is whole


def test_the_words_of_the_worst_resource_are_the_group_s_and_of_several_it_is_named() -> None:
    ended = ResourceStatus(S.FAILED, "QEMU ended with signal 9")
    assert combined({"vm": ended}).why == "QEMU ended with signal 9"
    assert combined({"disk": ResourceStatus(S.ONLINE), "vm": ended}).why == "vm: QEMU ended with signal 9"


def test_what_all_resources_have_to_say_is_said_once() -> None:
    stopped = ResourceStatus(S.OFFLINE, "n1 has no session")
    assert combined({"disk": stopped, "vm": stopped}) == stopped
    assert combined({"disk": ResourceStatus(S.OFFLINE), "vm": stopped}) == stopped


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


def test_what_is_off_on_purpose_is_named_where_the_rest_is_online() -> None:
    on, off = ResourceStatus(S.ONLINE), ResourceStatus(S.OFFLINE, "it is wanted offline")
    assert combined({"disk": on, "ip": off}) == ResourceStatus(S.PARTIAL, "ip: it is wanted offline")
    assert combined({"disk": on, "ip": ResourceStatus(S.OFFLINE)}).why == "ip is offline"
    assert combined({"disk": on, "ip": off, "vm": ResourceStatus(S.OFFLINE)}).why == "ip and vm are offline"


NOW = incarnation("n1")
WEB = group("web", resources=("disk", "ip", "vm"))


def report(*states: State, of: Group = WEB, life: int = 1, epoch: int = 3, by: str = "n1") -> GroupStatus:
    named = {name: ResourceStatus(state) for name, state in zip(of.resources, states, strict=False)}
    return GroupStatus(of.name, by, incarnation(by, life), epoch, named)


@given(st.lists(st.sampled_from([state for state in State if state is not S.PARTIAL]), min_size=3, max_size=3))
def test_nothing_of_a_group_runs_only_when_each_of_its_resources_is_off_or_failed(states: list[State]) -> None:
    off = all(state in (S.OFFLINE, S.FAILED) for state in states)
    assert nothing_runs(WEB, report(*states), NOW) is off


def test_a_group_with_one_failed_resource_may_still_run_and_is_given_to_nobody() -> None:
    status = report(S.ONLINE, S.ONLINE, S.FAILED)
    found = reported(WEB, status, NOW)
    assert found is not None
    assert found.state is S.FAILED
    assert not nothing_runs(WEB, status, NOW)


def test_that_nothing_runs_counts_only_from_the_present_owner_in_this_life_at_this_epoch() -> None:
    off = (S.OFFLINE, S.OFFLINE, S.FAILED)
    assert nothing_runs(WEB, report(*off), NOW)
    assert not nothing_runs(WEB, report(*off, epoch=2), NOW)
    assert not nothing_runs(WEB, report(*off, by="n2"), NOW)
    assert not nothing_runs(WEB, report(*off, life=2), NOW)
    assert not nothing_runs(WEB, None, NOW)


def test_a_resource_that_the_report_does_not_name_may_run() -> None:
    assert not nothing_runs(WEB, report(S.OFFLINE, S.OFFLINE), NOW)
