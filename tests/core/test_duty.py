"""What this node, n1, must do with a resource of a group, from the group's record and what is here."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build import group
from outlast.core.owner.duty import FAILS_OVER_S, Duty, Here, Step, duty, may_start_elsewhere, next_step
from outlast.core.owner.ordering import Place
from outlast.core.owner.resource import S, runs_nothing
from outlast.model.group import AWAY, Group, Stop, Wanted

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


def test_what_is_to_move_and_waits_for_its_turn_runs_on_and_nobody_expects_it() -> None:
    for stop in Stop:
        waits = group("web", on=ME, move_to="n2", stop=stop, queued=True)
        assert duty(waits, ME) is Duty.RUN
        assert duty(waits, "n2") is Duty.LEAVE
        assert step(waits, S.ONLINE) is Step.NOTHING
        assert step(waits, S.OFFLINE) is Step.NOTHING, "the coordinator gives it to the other node at once"
    off = group("web", on=ME, move_to="n2", wanted=Wanted.OFFLINE, queued=True)
    assert duty(off, ME) is Duty.SHUT_DOWN


def test_what_is_wanted_offline_is_shut_down_or_turned_off_and_never_started() -> None:
    assert step(OFF, S.ONLINE) is Step.OFFLINE
    assert step(group("web", on=ME, wanted=Wanted.OFFLINE, stop=Stop.TURN_OFF), S.ONLINE) is Step.TERMINATE
    assert all(step(OFF, state) is not Step.ONLINE for state in S)


# -- saved, and gone on from -----------------------------------------------------------------------------------------

SAVED = group("web", on=ME, wanted=Wanted.OFFLINE, stop=Stop.SAVE)


def test_what_is_to_be_saved_is_saved_where_it_runs_and_shut_down_where_its_type_cannot() -> None:
    assert duty(SAVED, ME) is Duty.SAVE
    assert duty(group("web", on=ME, move_to="n2", stop=Stop.SAVE), ME) is Duty.SAVE
    assert step(SAVED, S.ONLINE, can_save=True) is Step.SAVE
    assert step(SAVED, S.ONLINE) is Step.OFFLINE
    assert step(SAVED, S.ONLINE, can_save=True, stopping=True) is Step.OFFLINE


def test_what_cannot_be_saved_runs_on_and_what_cannot_be_seen_is_not_shut_down_instead() -> None:
    assert step(SAVED, S.ONLINE, can_save=True, saved_in_vain=True) is Step.NOTHING
    for state in (S.UNCERTAIN, S.ONLINE_PENDING, S.OPENING, S.DETACHED, S.SAVING):
        assert step(SAVED, state, can_save=True) is Step.NOTHING


def test_a_save_that_a_former_service_began_is_looked_at_whatever_is_wanted_by_now() -> None:
    for of in (SAVED, MINE):
        assert step(of, S.OFFLINE, can_save=True, may_be_saved=True) is Step.SAVE


@pytest.mark.parametrize("state", [S.OFFLINE, S.HANDED_OVER])
def test_a_state_is_taken_out_of_the_record_before_anything_is_started(state: S) -> None:
    assert step(MINE, state, has_state=True) is Step.ANNOUNCE
    assert step(MINE, state) is Step.ONLINE


# -- from one node to another as it runs -----------------------------------------------------------------------------

LEAVING = group("web", on=ME, epoch=3, move_to="n2", stop=Stop.LIVE, moves=4)
COMING = group("web", on="n2", epoch=3, move_to=ME, stop=Stop.LIVE, moves=4)
RECEIVED = group("web", on=ME, epoch=4, received_from="n2")


def test_what_is_to_go_as_it_runs_is_handed_over_and_its_destination_receives() -> None:
    assert duty(LEAVING, ME) is Duty.HAND_OVER
    assert duty(COMING, ME) is Duty.RECEIVE
    assert duty(COMING, "n3") is Duty.LEAVE
    assert duty(group("web", on="n2", move_to=AWAY, stop=Stop.LIVE), ME) is Duty.LEAVE
    assert duty(group("web", on="n2", move_to=ME), ME) is Duty.LEAVE
    assert duty(group("web", on="n2", move_to=ME, stop=Stop.LIVE, wanted=Wanted.OFFLINE), ME) is Duty.LEAVE


def test_only_what_runs_is_handed_over_and_what_failed_to_go_is_not_tried_again_for_the_same_wish() -> None:
    assert step(LEAVING, S.ONLINE) is Step.HAND_OVER
    assert step(LEAVING, S.ONLINE, tried_move=4) is Step.NOTHING
    assert step(LEAVING, S.ONLINE, tried_move=3) is Step.HAND_OVER
    for state in S:
        if state not in (S.ONLINE, S.RECEIVED):
            assert step(LEAVING, state) is Step.NOTHING
    for kept in ({"left_alone": "in maintenance"}, {"switched_off": True}, {"stopping": True}):
        assert step(LEAVING, S.ONLINE, **kept) is Step.NOTHING


def test_nothing_runs_on_its_destination_before_the_database_says_so() -> None:
    assert step(COMING, S.RECEIVED) is Step.NOTHING
    assert step(COMING, S.OFFLINE) is Step.NOTHING
    assert step(COMING, S.ONLINE) is Step.TERMINATE
    assert all(step(COMING, state) in (Step.NOTHING, Step.TERMINATE) for state in S)


def test_that_nobody_can_tell_what_is_on_its_destination_ends_nothing() -> None:
    assert step(COMING, S.UNCERTAIN) is Step.NOTHING
    assert step(group("web", on="n2"), S.UNCERTAIN) is Step.TERMINATE


def test_what_stands_here_goes_on_only_when_its_last_owner_had_handed_it_over() -> None:
    onwards = group("web", on=ME, move_to="n3", stop=Stop.LIVE, received_from="n2")
    for of in (RECEIVED, onwards):
        assert step(of, S.RECEIVED) is Step.TAKE_UP
    for of in (MINE, LEAVING):
        assert step(of, S.RECEIVED) is Step.TERMINATE  # an old copy


def test_what_stands_here_goes_on_in_maintenance_too() -> None:
    alone = {"left_alone": "in maintenance: it is being mended"}
    assert step(RECEIVED, S.RECEIVED, **alone) is Step.TAKE_UP
    assert step(MINE, S.RECEIVED, **alone) is Step.NOTHING


def test_what_stands_here_and_is_to_shut_down_by_now_goes_on_first() -> None:
    def off(stop: Stop) -> Group:
        return group("web", on=ME, wanted=Wanted.OFFLINE, received_from="n2", stop=stop)

    assert step(off(Stop.LIVE), S.RECEIVED) is Step.TAKE_UP
    assert step(off(Stop.SHUTDOWN), S.RECEIVED) is Step.TAKE_UP
    assert step(off(Stop.TURN_OFF), S.RECEIVED) is Step.TERMINATE
    assert step(OFF, S.HANDED_OVER, handed_to="n2") is Step.NOTHING
    assert step(OFF, S.HANDED_OVER) is Step.OFFLINE
    assert step(OFF, S.RECEIVED) is Step.OFFLINE


def test_what_is_to_stay_or_to_go_elsewhere_by_now_is_called_back() -> None:
    assert step(MINE, S.HANDING_OVER) is Step.CALL_BACK
    assert step(LEAVING, S.HANDING_OVER, handing_to="n2") is Step.NOTHING
    assert step(LEAVING, S.HANDING_OVER, handing_to="n3") is Step.CALL_BACK


def test_what_was_handed_over_is_not_started_here_while_it_may_go_on_there() -> None:
    assert step(MINE, S.HANDED_OVER, handed_to="n2") is Step.NOTHING
    assert step(MINE, S.HANDED_OVER, left_by_hand=True) is Step.NOTHING
    assert step(MINE, S.HANDED_OVER) is Step.ONLINE
    assert step(MINE, S.HANDED_OVER, promised=True) is Step.ANNOUNCE


def test_what_was_migrated_away_by_hand_is_not_off_whatever_is_wished_of_it_here() -> None:
    moving = group("web", on=ME, move_to="n3")
    for of in (MINE, moving, LEAVING):
        assert all(step(of, state, left_by_hand=True) is Step.NOTHING for state in (S.HANDED_OVER, S.OFFLINE))


def test_what_somebody_brought_or_started_here_stands_still_until_it_is_known_whose_it_is() -> None:
    strange = group("web", on="n2")
    assert step(strange, S.ONLINE, adoptable=True) is Step.STAND_STILL
    assert step(strange, S.ONLINE) is Step.TERMINATE
    assert step(strange, S.UNCERTAIN, adoptable=True) is Step.TERMINATE
    for state in (S.HOLDING, S.RECEIVED):
        assert step(strange, state, adoptable=True) is Step.NOTHING
        assert step(strange, state) is Step.TERMINATE
    assert step(strange, S.OFFLINE) is Step.FORGET
    assert step(strange, S.OFFLINE, told_of=True) is Step.NOTHING
    assert step(COMING, S.ONLINE, adoptable=True) is Step.TERMINATE


def test_what_arrives_before_its_record_is_left_for_a_moment() -> None:
    assert step(group("web", on="n2"), S.RECEIVED, new_here=True) is Step.NOTHING
    assert step(group("web", on="n2"), S.RECEIVED) is Step.TERMINATE
    assert step(group("web", on="n2"), S.ONLINE, new_here=True) is Step.TERMINATE


def test_a_report_that_nothing_runs_is_taken_back_before_the_next_start() -> None:
    assert step(MINE, S.OFFLINE, promised=True) is Step.ANNOUNCE
    assert step(MINE, S.FAILED, failed_epoch=2, promised=True) is Step.ANNOUNCE


def test_another_node_may_be_about_to_start_what_failed_a_moment_ago_or_is_on_its_way_there() -> None:
    """Not what is only off, is wanted off, or went away past the cluster: that comes only where it went."""
    web, goes, me = group("web"), group("web", move_to="n2"), "n1"
    assert may_start_elsewhere(web, me, failed_s=1.0, promised_off=True)
    assert may_start_elsewhere(goes, me, failed_s=None, promised_off=True)
    assert not may_start_elsewhere(goes, me, failed_s=None, promised_off=False)
    for none in (web, group("web", move_to=me), group("web", move_to="n2", wanted=Wanted.OFFLINE)):
        assert not may_start_elsewhere(none, me, failed_s=None, promised_off=True)
    assert not may_start_elsewhere(web, me, failed_s=FAILS_OVER_S, promised_off=True)
    assert not may_start_elsewhere(goes, "n3", failed_s=1.0, promised_off=True)


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
    # What is on its way to another node is called back, and an old copy ends.
    besides = {S.HANDING_OVER: Step.CALL_BACK, S.RECEIVED: Step.TERMINATE}
    assert step(MINE, state) is besides.get(state, Step.NOTHING)


def test_what_waits_for_others_of_its_group_is_not_started_and_not_announced() -> None:
    waits = Place(waits="disk to be online")
    assert step(MINE, S.OFFLINE, place=waits) is Step.NOTHING
    assert step(MINE, S.OFFLINE, place=waits, promised=True) is Step.NOTHING


def test_what_lost_what_it_needs_is_shut_down_and_not_turned_off() -> None:
    turned_off = group("web", on=ME, stop=Stop.TURN_OFF)
    for place in (Place(waits="disk to be online"), Place("disk, which it needs, failed")):
        assert step(turned_off, S.ONLINE, place=place) is Step.OFFLINE
        assert step(MINE, S.OFFLINE, place=place) is Step.NOTHING
        assert step(MINE, S.FAILED, failed_epoch=3, place=place) is Step.NOTHING


def test_what_is_wanted_offline_in_a_group_that_runs_is_shut_down() -> None:
    off = Place("it is wanted offline", by_word=True)
    assert step(MINE, S.ONLINE, place=off) is Step.OFFLINE
    assert step(MINE, S.FAILED, failed_epoch=3, place=off) is Step.OFFLINE
    assert step(MINE, S.ONLINE, place=off, switched_on=True) is Step.NOTHING


@pytest.mark.parametrize("state", [state for state in S if not runs_nothing(state)])
def test_nothing_is_taken_offline_under_what_needs_it(state: S) -> None:
    held = Place(held="vm needs it and may still run")
    for of in (OFF, group("web", on=ME, move_to="n2"), group("web", on=ME, wanted=Wanted.OFFLINE, stop=Stop.TURN_OFF)):
        assert step(of, state, place=held) is Step.NOTHING


@pytest.mark.parametrize("state", [state for state in S if not runs_nothing(state)])
def test_what_is_not_ours_is_terminated_at_once_whatever_needs_it(state: S) -> None:
    held = Place(held="vm needs it and may still run")
    assert step(group("web", on="n2"), state, place=held) is Step.TERMINATE


def test_a_group_that_waits_for_another_one_is_neither_started_nor_announced_and_runs_on_when_it_runs() -> None:
    gate = "waits for db to be online"
    assert step(MINE, S.OFFLINE, gate=gate) is Step.NOTHING
    assert step(MINE, S.OFFLINE, gate=gate, promised=True) is Step.NOTHING
    assert step(MINE, S.ONLINE, gate=gate) is Step.NOTHING


def test_what_failed_at_this_epoch_is_tried_again_here_when_it_is_to_be_and_only_after_taking_its_report_back() -> None:
    assert step(MINE, S.FAILED, failed_epoch=3, tries_again=True) is Step.ONLINE
    assert step(MINE, S.FAILED, failed_epoch=3, tries_again=True, promised=True) is Step.ANNOUNCE
    assert step(MINE, S.UNCERTAIN, failed_epoch=3, tries_again=True) is Step.NOTHING


def test_what_is_left_alone_is_not_started_not_restarted_and_not_stopped_because_of_others_or_for_a_move() -> None:
    alone = {"left_alone": "in maintenance: it is being mended"}
    assert step(MINE, S.OFFLINE, **alone) is Step.NOTHING
    assert step(MINE, S.FAILED, failed_epoch=3, tries_again=True, **alone) is Step.NOTHING
    assert step(MINE, S.ONLINE, place=Place("disk, which it needs, failed"), **alone) is Step.NOTHING
    assert step(group("web", on=ME, move_to="n2"), S.ONLINE, **alone) is Step.NOTHING


def test_an_administrators_word_and_safety_count_for_what_is_left_alone_too() -> None:
    alone = {"left_alone": "in maintenance: it is being mended"}
    assert step(OFF, S.ONLINE, **alone) is Step.OFFLINE
    assert step(MINE, S.ONLINE, place=Place("it is wanted offline", by_word=True), **alone) is Step.OFFLINE
    assert step(group("web", on="n2"), S.ONLINE, **alone) is Step.TERMINATE


@given(
    st.sampled_from(["", "n1", "n2"]),
    st.sampled_from(Wanted),
    st.sampled_from(["", "n1", "n2"]),
    st.builds(
        Here,
        st.sampled_from(S),
        st.sampled_from([-1, 2, 3]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.builds(Place, st.sampled_from(["", "barred"]), st.booleans(), st.sampled_from(["", "waits"])),
        st.sampled_from(["", "waits for db to be online"]),
        st.sampled_from(["", "in maintenance"]),
    ),
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
        assert (here.gate, here.left_alone, here.place.barred, here.place.waits) == ("", "", "", "")


@given(st.sampled_from(S), st.sampled_from([MINE, OFF, group("web", on="n2")]), st.booleans())
def test_while_nobody_has_confirmed_who_owns_what_nothing_is_started_and_nothing_is_stopped(
    state: S, of: Group, promised: bool
) -> None:
    assert next_step(of, ME, Here(state, promised=promised), hold=True) is Step.NOTHING


def test_a_stop_that_was_begun_is_finished_first_whatever_is_wanted_by_now() -> None:
    assert step(MINE, S.ONLINE, stopping=True) is Step.OFFLINE
    assert step(MINE, S.ONLINE, stopping=True, place=Place(held="app needs it and may still run")) is Step.NOTHING
    assert step(MINE, S.ONLINE, stopping=True, left_alone="in maintenance") is Step.NOTHING
    assert next_step(MINE, ME, Here(S.ONLINE, stopping=True), hold=True) is Step.NOTHING
    assert step(group("web", on="n2"), S.ONLINE, stopping=True) is Step.TERMINATE
