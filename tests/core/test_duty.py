"""What this node, n1, must do with a resource of a group, from the group's record and what is here."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build import group
from outlast.core.duty import Duty, Here, Step, duty, next_step
from outlast.core.resource import S, runs_nothing
from outlast.model.group import Group, Stop, Wanted

ME = "n1"
MINE = group("web", on=ME, epoch=3)
OFF = group("web", on=ME, wanted=Wanted.OFFLINE)


def step(of: Group, state: S, **more: Any) -> Step:
    return next_step(of, ME, Here(state, **more))


def test_the_owner_runs_what_is_wanted_online() -> None:
    assert duty(MINE, ME) is Duty.RUN
    assert step(MINE, S.OFFLINE) is Step.ONLINE


def test_a_node_that_is_not_the_owner_never_brings_anything_online() -> None:
    for state in S:
        for promised in (True, False):
            assert next_step(group("web", on="n2"), ME, Here(state, promised=promised)) in (Step.TERMINATE, Step.FORGET)


def test_what_is_not_ours_is_terminated_and_when_nothing_runs_nothing_is_left_behind() -> None:
    theirs = group("web", on="n2")
    assert step(theirs, S.ONLINE) is Step.TERMINATE
    assert step(theirs, S.UNCERTAIN) is Step.TERMINATE
    assert step(theirs, S.OFFLINE) is Step.FORGET
    assert step(theirs, S.FAILED) is Step.FORGET
    assert duty(group("web", on=""), ME) is Duty.LEAVE


def test_what_is_to_move_away_is_taken_offline_as_its_administrator_said() -> None:
    assert duty(group("web", on=ME, move_to="n2"), ME) is Duty.SHUT_DOWN
    assert duty(group("web", on=ME, move_to="n2", stop=Stop.TURN_OFF), ME) is Duty.TURN_OFF
    assert duty(group("web", on=ME, move_to=ME), ME) is Duty.RUN


def test_what_is_wanted_offline_is_shut_down_or_turned_off_and_never_started() -> None:
    assert step(OFF, S.ONLINE) is Step.OFFLINE
    assert step(group("web", on=ME, wanted=Wanted.OFFLINE, stop=Stop.TURN_OFF), S.ONLINE) is Step.TERMINATE
    assert all(step(OFF, state) is not Step.ONLINE for state in S)


def test_a_report_that_nothing_runs_is_taken_back_before_the_next_start() -> None:
    assert step(MINE, S.OFFLINE, promised=True) is Step.ANNOUNCE
    assert step(MINE, S.FAILED, failed_epoch=2, promised=True) is Step.ANNOUNCE


def test_what_failed_at_this_epoch_waits_for_the_coordinators_decision() -> None:
    assert step(MINE, S.FAILED, failed_epoch=3) is Step.NOTHING
    assert step(MINE, S.FAILED, failed_epoch=2) is Step.ONLINE


def test_what_somebody_switched_off_on_purpose_is_not_started_before_that_is_written_down() -> None:
    assert step(MINE, S.OFFLINE, switched_off=True) is Step.NOTHING


def test_what_somebody_started_on_purpose_is_not_stopped_before_that_is_written_down() -> None:
    assert step(OFF, S.ONLINE, switched_on=True) is Step.NOTHING
    assert step(group("web", on=ME, move_to="n2"), S.ONLINE, switched_on=True) is Step.OFFLINE


@pytest.mark.parametrize("state", [state for state in S if not runs_nothing(state)])
def test_what_runs_or_may_run_is_not_started_again(state: S) -> None:
    assert step(MINE, state) is Step.NOTHING


@given(
    st.sampled_from(["", "n1", "n2"]),
    st.sampled_from(Wanted),
    st.sampled_from(["", "n1", "n2"]),
    st.builds(Here, st.sampled_from(S), st.sampled_from([-1, 2, 3]), st.booleans(), st.booleans(), st.booleans()),
)
def test_whatever_is_here_only_a_wanted_group_of_ours_without_a_standing_promise_is_started(
    owner: str, wanted: Wanted, move_to: str, here: Here
) -> None:
    if next_step(group("web", on=owner, wanted=wanted, move_to=move_to), ME, here) is Step.ONLINE:
        assert owner == ME
        assert wanted is Wanted.ONLINE
        assert move_to in ("", ME)
        assert runs_nothing(here.state)
        assert not here.promised
        assert not here.switched_off


@given(st.sampled_from(S), st.sampled_from([MINE, OFF, group("web", on="n2")]), st.booleans())
def test_while_nobody_has_confirmed_who_owns_what_nothing_is_started_and_nothing_is_stopped(
    state: S, of: Group, promised: bool
) -> None:
    assert next_step(of, ME, Here(state, promised=promised), hold=True) is Step.NOTHING
