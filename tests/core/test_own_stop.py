"""The cluster's own stops, which nobody takes for somebody's intent, whoever began them."""

from functools import reduce

from outlast.core.owner.own_stop import OwnStop, after, note, noted, noted_handing, noted_saving
from outlast.core.owner.resource import S


def come_through(*states: S) -> OwnStop:
    return reduce(after, states, OwnStop.NONE)


def test_a_stop_that_was_begun_stands_until_nothing_runs_whatever_dies_meanwhile() -> None:
    begun = (S.ONLINE, S.OFFLINE_PENDING, S.DETACHED, S.OPENING)
    assert come_through(*begun) is OwnStop.BEGUN
    assert come_through(*begun, S.ONLINE) is OwnStop.BEGUN
    assert come_through(*begun, S.UNCERTAIN, S.ONLINE) is OwnStop.BEGUN
    assert come_through(*begun, S.OFFLINE) is OwnStop.ENDED
    assert come_through(*begun, S.FAILED) is OwnStop.ENDED


def test_what_was_stopped_by_force_was_ended_by_the_cluster_and_is_not_stopped_again() -> None:
    for state in (S.TERMINATING, S.FAILING):
        assert come_through(S.ONLINE, state, S.DETACHED, S.OPENING) is OwnStop.ENDED
        assert come_through(S.ONLINE, state, S.DETACHED, S.OPENING, S.ONLINE) is OwnStop.NONE


def test_what_was_started_since_by_whomever_ends_another_time() -> None:
    assert come_through(S.OFFLINE_PENDING, S.OFFLINE, S.ONLINE_PENDING) is OwnStop.NONE
    assert come_through(S.OFFLINE_PENDING, S.OFFLINE, S.ONLINE) is OwnStop.NONE


def test_what_ended_by_itself_was_stopped_by_nobody_here() -> None:
    assert come_through(S.ONLINE, S.OFFLINE) is OwnStop.NONE
    assert come_through(S.ONLINE, S.FAILED) is OwnStop.NONE


def test_what_was_noted_is_read_back_and_a_word_that_is_not_known_says_that_it_was_stopped() -> None:
    assert [noted(stop.value) for stop in OwnStop] == list(OwnStop)
    assert noted("as a later version has it") is OwnStop.ENDED


def test_what_is_on_its_way_to_another_node_stays_so_until_it_runs_here_again() -> None:
    on_its_way = (S.ONLINE, S.HANDING_OVER, S.DETACHED, S.OPENING)
    assert come_through(*on_its_way) is OwnStop.HANDING
    assert come_through(*on_its_way, S.HANDED_OVER) is OwnStop.HANDING
    assert come_through(S.ONLINE, S.HANDING_OVER, S.CALLING_BACK, S.HANDED_OVER) is OwnStop.HANDING
    assert come_through(*on_its_way, S.ONLINE) is OwnStop.NONE
    assert come_through(*on_its_way, S.HANDED_OVER, S.ONLINE_PENDING) is OwnStop.NONE
    assert come_through(S.ONLINE, S.HANDING_OVER, S.TERMINATING) is OwnStop.ENDED


def test_what_was_being_saved_stays_so_until_it_runs_again_and_for_which_stop_is_noted() -> None:
    assert come_through(S.ONLINE, S.SAVING) is OwnStop.SAVING
    assert come_through(S.ONLINE, S.SAVING, S.DETACHED, S.OPENING, S.OFFLINE) is OwnStop.SAVING
    assert come_through(S.ONLINE, S.SAVING, S.OPENING, S.ONLINE) is OwnStop.NONE
    assert come_through(S.ONLINE, S.SAVING, S.OFFLINE, S.ONLINE_PENDING) is OwnStop.NONE
    assert come_through(S.ONLINE, S.SAVING, S.TERMINATING) is OwnStop.ENDED
    assert noted_saving(note(OwnStop.SAVING, ("n2", 7), "3-1-0")) == "3-1-0"
    assert noted_saving(note(OwnStop.BEGUN, ("", 0), "3-1-0")) == ""


def test_where_it_was_handed_over_to_and_at_which_epoch_is_noted_with_it() -> None:
    word = note(OwnStop.HANDING, ("n2 of berlin to go", 7))
    assert noted(word) is OwnStop.HANDING
    assert noted_handing(word) == ("n2 of berlin to go", 7)
    for stop in OwnStop:
        assert noted(note(stop, ("", 0))) is stop
        assert noted_handing(stop.value) == ("", 0)
    assert note(OwnStop.ENDED, ("n2", 7)) == OwnStop.ENDED.value


def test_what_is_left_of_it_where_it_is_no_longer_owned_is_of_the_past_until_it_starts_there_again() -> None:
    assert noted(note(OwnStop.GONE, ("", 0))) is OwnStop.GONE
    for state in (S.OPENING, S.UNCERTAIN, S.HANDED_OVER, S.OFFLINE):
        assert after(OwnStop.GONE, state) is OwnStop.GONE
    assert after(OwnStop.GONE, S.ONLINE_PENDING) is OwnStop.NONE
    assert after(OwnStop.GONE, S.ONLINE) is OwnStop.NONE
