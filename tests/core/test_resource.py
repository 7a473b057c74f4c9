"""The life of a resource on one node: what the table may hold, and what a plugin's words amount to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resource_diagram import PAGE, redrawn

from outlast.core.owner.resource import (
    PUBLISHED,
    TRANSITIONS,
    Call,
    E,
    S,
    Verdict,
    found,
    is_polled,
    judge,
    runs_nothing,
    step,
)
from outlast.model.health import Condition, Health
from outlast.model.status import State

RUNS = Health(Condition.ONLINE, running=True)
MEANT_OFF = Health(Condition.OFFLINE, "the guest shut down")
CRASHED = Health(Condition.FAILED, "QEMU ended with signal 9")
HANGS = Health(Condition.FAILED, "the guest crashed (panic)", running=True)
NOBODY_KNOWS = Health(Condition.UNKNOWN, "libvirt does not answer", running=True)

CHANGES = {row: new for row, (new, _) in TRANSITIONS.items() if new is not row[0]}
OWN_STOP = {
    (S.OFFLINE_PENDING, E.CALL_DONE),
    (S.TERMINATING, E.CALL_DONE),
    (S.FAILING, E.CALL_DONE),
    (S.SAVING, E.CALL_DONE),
}
HANDED_OVER = {(S.HANDING_OVER, E.CALL_DONE), (S.CALLING_BACK, E.CALL_DONE)}
PLUGINS_WORD = {E.FOUND_OFFLINE, E.FOUND_FAILED, E.FOUND_LEFT}
BETWEEN_THEM = {(state, wish) for state in (S.FAILED, S.HANDED_OVER) for wish in (E.WANT_OFFLINE, E.WANT_TERMINATED)}


def then(state: S, *events: E) -> S:
    for event in events:
        state, _ = step(state, event)
    return state


# -- the table -----------------------------------------------------------------------------------------------------


def test_nothing_is_called_off_or_failed_but_on_positive_evidence() -> None:
    ways = {row for row, new in CHANGES.items() if runs_nothing(new)}
    no_evidence = {
        row for row in ways if row not in OWN_STOP | HANDED_OVER | BETWEEN_THEM and row[1] not in PLUGINS_WORD
    }
    assert no_evidence == set()


def test_a_stop_that_timed_out_failed_or_lost_its_host_is_no_evidence() -> None:
    for state in (S.OFFLINE_PENDING, S.TERMINATING, S.FAILING):
        for event in (E.CALL_FAILED, E.CALL_TIMED_OUT, E.HOST_DIED):
            assert not runs_nothing(then(state, event))
            assert PUBLISHED[then(state, event)] not in (State.OFFLINE, State.FAILED)


def test_only_off_and_failed_are_told_as_such() -> None:
    told = {state for state, public in PUBLISHED.items() if public in (State.OFFLINE, State.FAILED)}
    assert told == {S.OFFLINE, S.FAILED, S.HANDED_OVER} == {state for state in S if runs_nothing(state)}
    assert set(PUBLISHED) == set(S)


def test_a_resource_is_started_only_from_a_state_in_which_nothing_runs_and_only_when_wanted() -> None:
    starts = {row for row, (_, call) in TRANSITIONS.items() if call is Call.ONLINE}
    assert starts == {(state, E.WANT_ONLINE) for state in S if runs_nothing(state)}


def test_a_host_that_died_stops_and_starts_nothing_and_proves_nothing() -> None:
    for (state, event), (new, call) in TRANSITIONS.items():
        if event is E.HOST_DIED:
            assert call is Call.NONE
            assert new in (S.DETACHED, S.STUCK)
            assert not runs_nothing(state)


def test_what_was_certainly_off_before_a_host_died_is_still_off() -> None:
    assert then(S.OFFLINE, E.HOST_DIED) is S.OFFLINE
    assert then(S.FAILED, E.HOST_DIED) is S.FAILED


def test_a_new_host_only_looks() -> None:
    attached = {state: step(state, E.ATTACH) for state in S if step(state, E.ATTACH)[1] is not Call.NONE}
    assert attached == {
        S.DETACHED: (S.OPENING, Call.OPEN),
        S.UNCERTAIN: (S.OPENING, Call.OPEN),
        S.OFFLINE: (S.OFFLINE, Call.OPEN),
        S.FAILED: (S.FAILED, Call.OPEN),
        S.HANDED_OVER: (S.HANDED_OVER, Call.OPEN),
    }


@pytest.mark.parametrize("state", [S.ONLINE_PENDING, S.ONLINE, S.UNCERTAIN, S.OFFLINE_PENDING])
def test_whatever_runs_or_may_run_can_be_terminated_at_once(state: S) -> None:
    assert step(state, E.WANT_TERMINATED) == (S.TERMINATING, Call.TERMINATE)


def test_a_shutdown_that_does_not_end_is_followed_by_force() -> None:
    for event in (E.CALL_FAILED, E.CALL_TIMED_OUT):
        assert step(S.OFFLINE_PENDING, event) == (S.TERMINATING, Call.TERMINATE)


def test_a_start_that_failed_is_cleaned_up_before_it_is_called_failed() -> None:
    for event in (E.CALL_FAILED, E.CALL_TIMED_OUT, E.FOUND_FAILED, E.FAILS):
        assert step(S.ONLINE_PENDING, event) == (S.FAILING, Call.TERMINATE)
    assert then(S.ONLINE_PENDING, E.CALL_FAILED, E.CALL_DONE) is S.FAILED


def test_what_failed_and_may_still_run_is_terminated_before_it_is_called_failed() -> None:
    for state in (S.OPENING, S.ONLINE, S.UNCERTAIN):
        assert step(state, E.FAILS) == (S.FAILING, Call.TERMINATE)


def test_what_cannot_be_terminated_may_still_run_and_is_tried_again() -> None:
    assert then(S.TERMINATING, E.CALL_TIMED_OUT) is S.STUCK
    assert PUBLISHED[S.STUCK] is State.UNKNOWN
    assert step(S.STUCK, E.RETRY) == (S.FAILING, Call.TERMINATE)
    assert then(S.STUCK, E.WANT_ONLINE) is S.STUCK


def test_an_uncertain_one_is_online_again_when_it_can_be_told() -> None:
    assert then(S.ONLINE, E.FOUND_UNCERTAIN, E.FOUND_ONLINE) is S.ONLINE
    assert PUBLISHED[S.UNCERTAIN] is State.UNKNOWN


@given(st.sampled_from(S), st.sampled_from(E))
def test_a_pair_that_is_not_in_the_table_changes_nothing_and_calls_nothing(state: S, event: E) -> None:
    if (state, event) not in TRANSITIONS:
        assert step(state, event) == (state, Call.NONE)


@given(st.lists(st.sampled_from(E), max_size=60))
def test_whatever_happens_every_state_has_a_way_to_off(events: list[E]) -> None:
    reached = then(S.DETACHED, *events)
    seen, front = {reached}, [reached]
    while front:
        state = front.pop()
        for (old, _), (new, _) in TRANSITIONS.items():
            if old is state and new not in seen:
                seen.add(new)
                front.append(new)
    assert S.OFFLINE in seen


def test_whatever_is_not_on_its_way_is_polled() -> None:
    on_its_way = {S.OPENING, S.ONLINE_PENDING, S.OFFLINE_PENDING, S.TERMINATING, S.FAILING, S.SAVING}
    handed_over = {S.HANDING_OVER, S.CALLING_BACK, S.HOLDING}
    assert {state for state in S if not is_polled(state)} == on_its_way | handed_over | {S.DETACHED}


def test_the_diagram_in_the_docs_is_drawn_from_the_table() -> None:
    page = PAGE.read_text()
    assert page == redrawn(page), "draw it anew: python tests/core/resource_diagram.py"


def test_what_could_not_be_made_to_stand_still_is_looked_at_and_not_ended() -> None:
    assert step(S.ONLINE, E.WANT_STILL) == (S.HOLDING, Call.STAND_STILL)
    assert step(S.HOLDING, E.CALL_DONE) == (S.RECEIVED, Call.NONE)
    assert step(S.HOLDING, E.CALL_FAILED) == (S.OPENING, Call.OPEN)
    assert step(S.HOLDING, E.CALL_TIMED_OUT) == (S.DETACHED, Call.NONE)


def test_what_the_cluster_itself_has_stand_still_is_taken_up_again_and_what_a_person_paused_is_not() -> None:
    held = Health(Condition.ONLINE, running=True, stands=True, held=True)
    paused = Health(Condition.ONLINE, running=True, stands=True, paused=True)
    options = {"was_online": True, "permitted": True}
    assert judge(S.ONLINE, held, **options).event is E.FOUND_STANDING
    assert step(S.ONLINE, E.FOUND_STANDING) == (S.RECEIVED, Call.NONE)
    assert judge(S.ONLINE, paused, **options).event is E.FOUND_ONLINE


# -- what a plugin's words amount to ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("health", "event"),
    [
        (RUNS, E.FOUND_ONLINE),
        (MEANT_OFF, E.FOUND_OFFLINE),
        (CRASHED, E.FOUND_FAILED),
        (HANGS, E.FAILS),
        (NOBODY_KNOWS, E.FOUND_UNCERTAIN),
    ],
)
def test_each_condition_is_an_event_and_what_fails_while_it_runs_is_another(health: Health, event: E) -> None:
    assert found(health) is event


def word(state: S, health: Health, *, was_online: bool = True, permitted: bool = True) -> Verdict:
    return judge(state, health, was_online=was_online, permitted=permitted)


def test_a_guest_that_shut_down_was_switched_off_on_purpose() -> None:
    assert word(S.ONLINE, MEANT_OFF) == Verdict(E.FOUND_OFFLINE, switched_off=True)
    assert word(S.UNCERTAIN, MEANT_OFF) == Verdict(E.FOUND_OFFLINE, switched_off=True)


def test_a_guest_that_shut_down_while_only_the_service_was_away_was_switched_off_on_purpose_too() -> None:
    assert word(S.OPENING, MEANT_OFF) == Verdict(E.FOUND_OFFLINE, switched_off=True)


@pytest.mark.parametrize("state", [S.OPENING, S.UNCERTAIN])
def test_what_never_ran_here_was_neither_switched_off_nor_did_it_fail(state: S) -> None:
    assert word(state, MEANT_OFF, was_online=False) == Verdict(E.FOUND_OFFLINE)
    assert word(state, CRASHED, was_online=False) == Verdict(E.FOUND_OFFLINE)


@pytest.mark.parametrize("state", [S.OPENING, S.ONLINE, S.UNCERTAIN])
@pytest.mark.parametrize("health", [MEANT_OFF, CRASHED])
def test_what_ended_without_a_permit_was_ended_by_the_permit_and_is_no_failure(state: S, health: Health) -> None:
    assert word(state, health, permitted=False) == Verdict(E.FOUND_OFFLINE)


def test_what_fails_and_may_still_run_is_terminated_with_or_without_a_permit() -> None:
    assert word(S.ONLINE, HANGS, permitted=False).event is E.FAILS
    assert word(S.OPENING, HANGS, was_online=False).event is E.FAILS


def test_what_crashed_failed_and_nobody_wanted_it() -> None:
    assert word(S.ONLINE, CRASHED) == Verdict(E.FOUND_FAILED)
    assert word(S.OPENING, CRASHED) == Verdict(E.FOUND_FAILED)


def test_what_runs_although_it_was_off_was_switched_on_by_somebody() -> None:
    assert word(S.OFFLINE, RUNS) == Verdict(E.FOUND_ONLINE, switched_on=True)
    assert word(S.FAILED, RUNS) == Verdict(E.FOUND_ONLINE, switched_on=True)
    assert not word(S.OFFLINE, RUNS, permitted=False).switched_on


def test_what_somebody_migrates_here_is_neither_switched_on_before_it_is_here_nor_off_when_it_does_not_come() -> None:
    arrives = Health(Condition.ONLINE, running=True, stands=True, arrives=True, brought=True)

    def arriving(state: S, health: Health, *, wanted_off: bool, was_arriving: bool) -> Verdict:
        return judge(state, health, was_online=False, permitted=True, wanted_off=wanted_off, was_arriving=was_arriving)

    on_its_way = arriving(S.OFFLINE, arrives, wanted_off=True, was_arriving=False)
    assert step(S.OFFLINE, on_its_way.event) == (S.OFFLINE, Call.NONE)
    assert not on_its_way.switched_on
    assert arriving(S.OFFLINE, RUNS, wanted_off=True, was_arriving=True).switched_on
    assert not arriving(S.ONLINE, MEANT_OFF, wanted_off=False, was_arriving=True).switched_off
    assert arriving(S.ONLINE, MEANT_OFF, wanted_off=False, was_arriving=False).switched_off


@pytest.mark.parametrize("state", [S.OFFLINE_PENDING, S.TERMINATING, S.FAILING, S.ONLINE_PENDING])
def test_what_ends_while_the_cluster_stops_or_starts_it_is_nobodys_intent(state: S) -> None:
    assert not word(state, MEANT_OFF).switched_off


@given(st.sampled_from(S), st.booleans(), st.booleans())
def test_not_knowing_is_never_an_end_and_never_an_intent(state: S, was_online: bool, permitted: bool) -> None:
    verdict = word(state, NOBODY_KNOWS, was_online=was_online, permitted=permitted)
    assert verdict == Verdict(E.FOUND_UNCERTAIN)
    assert runs_nothing(then(state, verdict.event)) is runs_nothing(state)


@pytest.mark.parametrize("condition", [Condition.OFFLINE, Condition.FAILED])
def test_what_this_life_of_the_node_reported_failed_is_still_failed_for_a_service_started_again(
    condition: Condition,
) -> None:
    verdict = judge(S.OPENING, Health(condition), was_online=False, permitted=True, had_failed=True)
    assert verdict == Verdict(E.FOUND_FAILED)


@pytest.mark.parametrize(
    ("state", "ends"), [(S.FAILED, S.FAILING), (S.OFFLINE, S.TERMINATING), (S.HANDED_OVER, S.TERMINATING)]
)
def test_what_is_started_by_hand_just_as_another_node_may_start_it_is_ended_at_once(state: S, ends: S) -> None:
    """By this one's word that nothing runs here: it failed a moment ago, or is on its way there."""

    def found(*, about_to_go: bool) -> Verdict:
        health = Health(Condition.ONLINE, running=True)
        return judge(state, health, was_online=False, permitted=True, about_to_go=about_to_go)

    assert found(about_to_go=True) == Verdict(E.FOUND_TOO_LATE)
    assert step(state, E.FOUND_TOO_LATE) == (ends, Call.TERMINATE)
    assert found(about_to_go=False) == Verdict(E.FOUND_ONLINE, switched_on=True)


# -- from one node to another as it runs -----------------------------------------------------------------------------

ARRIVES = Health(Condition.ONLINE, "another node hands it over", running=True, stands=True)
LEFT = Health(Condition.OFFLINE, "migrated away from this node", moved_away=True)
NOBODY_KNOWS_WHY = Health(Condition.OFFLINE, "it is not running", unexplained=True)


def test_what_could_not_be_handed_over_is_looked_at_before_anything_else_is_done() -> None:
    for state in (S.HANDING_OVER, S.CALLING_BACK):
        assert step(state, E.CALL_FAILED) == (S.OPENING, Call.OPEN)
        for event in (E.CALL_TIMED_OUT, E.HOST_DIED):
            assert step(state, event) == (S.DETACHED, Call.NONE)


def test_what_stands_here_runs_on_only_when_that_is_wanted() -> None:
    goes_on = {row for row, (_, call) in TRANSITIONS.items() if call is Call.TAKE_UP}
    assert goes_on == {(S.RECEIVED, E.WANT_TAKEN_UP)}
    assert step(S.RECEIVED, E.WANT_ONLINE) == (S.RECEIVED, Call.NONE)


def test_who_is_called_back_is_still_waited_for_and_may_have_gone_all_the_same() -> None:
    assert step(S.HANDING_OVER, E.WANT_CALLED_BACK) == (S.CALLING_BACK, Call.CALL_BACK)
    assert step(S.HANDING_OVER, E.WANT_OFFLINE) == (S.CALLING_BACK, Call.CALL_BACK)
    assert then(S.CALLING_BACK, E.CALL_DONE) is S.HANDED_OVER
    assert PUBLISHED[S.CALLING_BACK] is State.ONLINE


@pytest.mark.parametrize("state", [S.OPENING, S.OFFLINE, S.FAILED, S.UNCERTAIN, S.HANDED_OVER])
def test_what_stands_still_is_received_only_where_the_records_allow_it(state: S) -> None:
    def seen(may: bool) -> S:
        verdict = judge(state, ARRIVES, was_online=False, permitted=True, may_be_received=may)
        assert not may or not verdict.switched_on
        return then(state, verdict.event)

    assert (seen(may=True), seen(may=False)) == (S.RECEIVED, S.ONLINE)


def test_who_went_to_another_node_was_switched_off_by_nobody_and_has_not_failed() -> None:
    for state in (S.ONLINE, S.OPENING, S.UNCERTAIN):
        assert word(state, LEFT) == Verdict(E.FOUND_LEFT)
        assert then(state, E.FOUND_LEFT) is S.HANDED_OVER
    assert word(S.ONLINE, LEFT, permitted=False) == Verdict(E.FOUND_OFFLINE)


def test_that_somebody_migrated_it_away_is_not_forgotten_with_the_service_that_saw_it() -> None:
    def found_by_the_next(health: Health, left: bool) -> E:
        return judge(S.OPENING, health, was_online=False, permitted=True, had_left=left).event

    assert found_by_the_next(NOBODY_KNOWS_WHY, left=True) is E.FOUND_LEFT
    assert found_by_the_next(NOBODY_KNOWS_WHY, left=False) is E.FOUND_OFFLINE
    assert found_by_the_next(MEANT_OFF, left=True) is E.FOUND_OFFLINE
