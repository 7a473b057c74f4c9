"""Who is silent, and until when may this node run what it owns? Times are seconds of one monotonic clock."""

from hypothesis import given
from hypothesis import strategies as st

from outlast.core.membership.membership import LAPSE_COUNTS_S, Observer, Session
from outlast.core.membership.timing import timing

TIMES = timing(5.0)
BEAT_S = TIMES.renew_interval_s


def observer() -> Observer:
    """It began at 0."""
    return Observer(TIMES, 0.0)


def beats(watcher: Observer, *, until_s: float, from_s: float = 0.0) -> None:
    """The observer's own writes are acknowledged all the while."""
    count = int((until_s - from_s) / BEAT_S)
    for number in range(count + 1):
        watcher.own_write_acknowledged(from_s + number * BEAT_S)
    watcher.own_write_acknowledged(until_s)


def test_a_node_is_silent_when_no_record_of_it_was_seen_for_node_timeout() -> None:
    watcher = observer()
    watcher.saw_record("n2", 10.0)
    beats(watcher, until_s=14.9)
    assert watcher.silent_s(["n2"], 14.9) == {}
    beats(watcher, from_s=14.9, until_s=15.0)
    assert watcher.silent_s(["n2"], 15.0) == {"n2": 5.0}


def test_a_node_that_writes_is_not_silent_and_one_that_never_wrote_is_judged_from_the_beginning() -> None:
    watcher = observer()
    beats(watcher, until_s=5.0)
    watcher.saw_record("n2", 4.0)
    assert watcher.silent_s(["n2", "n3"], 5.0) == {"n3": 5.0}


def test_an_observer_whose_own_writes_fail_judges_nobody() -> None:
    watcher = observer()
    watcher.saw_record("n2", 0.0)
    beats(watcher, until_s=4.0)
    assert watcher.silent_s(["n2"], 4.0 + TIMES.steady_gap_s + 0.1) == {}
    assert watcher.silent_s(["n2"], 100.0) == {}


def test_after_an_outage_of_its_own_an_observer_starts_all_timers_again() -> None:
    watcher = observer()
    watcher.saw_record("n2", 1.0)
    beats(watcher, until_s=2.0)
    beats(watcher, from_s=30.0, until_s=34.9)
    assert watcher.silent_s(["n2"], 34.9) == {}
    beats(watcher, from_s=34.9, until_s=35.0)
    assert watcher.silent_s(["n2"], 35.0) == {"n2": 5.0}


def test_what_was_counted_of_a_silence_begins_anew_with_each_record_and_after_each_outage_of_the_observer() -> None:
    watcher = observer()
    watcher.saw_record("n2", 1.0)
    beats(watcher, until_s=4.0)
    assert watcher.counted_s("n2", 4.0) == 3.0
    assert watcher.counted_s("n3", 4.0) == 4.0
    watcher.saw_record("n2", 4.0)
    assert watcher.counted_s("n2", 4.5) == 0.5
    assert watcher.counted_s("n2", 4.0 + TIMES.steady_gap_s + 0.1) == 0.0
    beats(watcher, from_s=30.0, until_s=31.0)
    assert watcher.counted_s("n2", 31.0) == 1.0


@given(
    st.lists(st.tuples(st.floats(0.01, 4.0), st.booleans(), st.booleans()), max_size=30),
    st.lists(st.tuples(st.floats(0.01, 4.0), st.booleans(), st.booleans()), max_size=30),
)
def test_nobody_is_called_silent_before_what_was_counted_at_any_time_says(
    before: list[tuple[float, bool, bool]], after: list[tuple[float, bool, bool]]
) -> None:
    """Each step: how much later, whether the observer's own write is acknowledged, and whether n2's record is seen."""
    watcher, now_s = observer(), 0.0

    def step(later_s: float, acknowledged: bool, seen: bool) -> float:
        if acknowledged:
            watcher.own_write_acknowledged(now_s + later_s)
        if seen:
            watcher.saw_record("n2", now_s + later_s)
        return now_s + later_s

    for one in before:
        now_s = step(*one)
    from_s = now_s - watcher.counted_s("n2", now_s)
    for one in after:
        now_s = step(*one)
        if now_s < from_s + TIMES.node_timeout_s - 1e-9:
            assert watcher.silent_s(["n2"], now_s) == {}


def test_one_slow_acknowledgement_is_no_outage() -> None:
    watcher = observer()
    watcher.saw_record("n2", 0.0)
    beats(watcher, until_s=2.0)
    beats(watcher, from_s=2.0 + TIMES.steady_gap_s - 0.01, until_s=5.0)
    assert watcher.silent_s(["n2"], 5.0) == {"n2": 5.0}


@given(st.lists(st.floats(0.01, 20.0), max_size=20), st.floats(0.0, 50.0))
def test_nobody_is_called_silent_while_the_observer_was_cut_off_within_the_last_node_timeout(
    gaps_s: list[float], then_s: float
) -> None:
    watcher = observer()
    now_s = outage_end_s = 0.0
    for gap_s in gaps_s:
        now_s += gap_s
        watcher.own_write_acknowledged(now_s)
        if gap_s > TIMES.steady_gap_s:
            outage_end_s = now_s
    at_s = now_s + then_s
    if at_s - now_s > TIMES.steady_gap_s or at_s - outage_end_s < TIMES.node_timeout_s:
        assert watcher.silent_s(["n2"], at_s) == {}


def test_a_node_that_left_is_forgotten_and_begins_anew() -> None:
    watcher = observer()
    watcher.saw_record("n2", 1.0)
    watcher.forget("n2")
    assert "n2" not in watcher.seen_at


def test_the_next_silence_is_due_node_timeout_after_the_oldest_record() -> None:
    watcher = observer()
    watcher.saw_record("n2", 3.0)
    watcher.saw_record("n3", 1.0)
    assert watcher.deadline(["n2", "n3"]) == 6.0
    assert watcher.deadline(["n2"]) == 8.0
    assert watcher.deadline([]) is None


def test_a_permit_counts_from_before_the_renewal_was_sent_and_never_from_its_answer() -> None:
    own = Session(TIMES)
    own.renewed(sent_at=10.0)  # whenever the answer came
    assert own.permit_until_s == 10.0 + TIMES.permit_s
    assert own.valid(10.0 + TIMES.permit_s - 0.001)
    assert not own.valid(10.0 + TIMES.permit_s)


def test_without_a_session_nothing_may_run() -> None:
    own = Session(TIMES)
    assert not own.valid(0.0)
    own.renewed(sent_at=0.0)
    own.closed()
    assert not own.valid(0.0)


@given(st.floats(1.0, 300.0), st.floats(0.0, 1e6), st.floats(0.0, 60.0))
def test_the_permit_has_passed_when_the_first_observer_may_call_the_node_silent(
    node_timeout_s: float, sent_at: float, seen_later_s: float
) -> None:
    times = timing(node_timeout_s)
    own = Session(times)
    own.renewed(sent_at)
    assert not own.valid(sent_at + seen_later_s + times.node_timeout_s)


def test_what_is_found_off_just_after_the_permit_had_passed_may_have_ended_by_that_unless_it_was_started_since() -> (
    None
):
    session = Session(TIMES)
    session.lapsed(100.0)
    assert session.may_have_ended(began_at=50.0, now=100.5)
    assert not session.may_have_ended(began_at=50.0, now=100.0 + LAPSE_COUNTS_S)
    assert not session.may_have_ended(began_at=100.1, now=100.5)


def test_an_observer_is_steady_since_its_last_outage_and_not_at_all_while_it_is_cut_off() -> None:
    watcher = observer()
    beats(watcher, until_s=10.0)
    assert watcher.steady_s(10.0) == 10.0
    assert watcher.steady_s(10.0 + TIMES.steady_gap_s + 0.1) == 0.0
    watcher.own_write_acknowledged(20.0)
    assert watcher.steady_s(20.5) == 0.5
