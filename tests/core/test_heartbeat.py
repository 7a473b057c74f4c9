"""When does a guest hang, and what is done about it?"""

import msgspec
import pytest

from outlast.core.owner.heartbeat import (
    TRANSITIONS,
    Beats,
    H,
    Remedy,
    Sign,
    looked,
    remedy,
    sign,
    together,
    unseen,
    within,
)
from outlast.model.guest import GuestCare, OnHang
from outlast.model.inside import Answer, Finding

CARE = GuestCare(heartbeat_interval_s=10, heartbeat_threshold=3, on_hang=OnHang.RESET, resets=2)


def deaf(cpu_s: float = 5.0, io_requests: int = 100) -> Finding:
    return Finding(Answer.SILENT, cpu_s=cpu_s, io_requests=io_requests)


ANSWERED = Finding(Answer.YES, cpu_s=5.0, io_requests=100)
AWAY = Finding(Answer.ABSENT, cpu_s=5.0, io_requests=100)
UNTOLD = Finding(Answer.UNTOLD)
PAUSED = Finding(Answer.UNTOLD, stands=True)
NO_AGENT = Finding(Answer.NO_WAY)


def after(*looks: Finding, care: GuestCare = CARE) -> Beats:
    """One every ten seconds."""
    beats = Beats()
    for number, found in enumerate(looks):
        beats = looked(beats, found, care, 10.0 * number)
    return beats


@pytest.mark.parametrize(
    ("looks", "state"),
    [
        # It hangs with the third look in a row that finds neither an answer nor work.
        ((ANSWERED, deaf()), H.QUIET),
        ((ANSWERED, deaf(), deaf()), H.QUIET),
        ((ANSWERED, deaf(), deaf(), deaf()), H.HANGS),
        ((ANSWERED, deaf(), deaf(), deaf(), ANSWERED), H.ANSWERS),
        ((ANSWERED, deaf(), deaf(), ANSWERED, deaf(), deaf()), H.QUIET),
        # One request to its disk, or a tenth of a processor: it works, and all is counted anew.
        ((ANSWERED, deaf(), deaf(), deaf(io_requests=101)), H.BUSY),
        ((ANSWERED, deaf(), deaf(), deaf(cpu_s=6.0)), H.BUSY),
        ((ANSWERED, deaf(), deaf(), deaf(cpu_s=5.9)), H.HANGS),
        ((ANSWERED, deaf(), deaf(), deaf(cpu_s=6.0), deaf(cpu_s=6.0), deaf(cpu_s=6.0)), H.QUIET),
        # Nothing is held against who has never answered since it was started.
        ((deaf(),) * 50, H.AWAITED),
        ((AWAY, deaf(), deaf(), deaf(), deaf()), H.AWAITED),
        # An agent that was stopped in order is away, and when it is back, it must answer first.
        ((ANSWERED, AWAY, AWAY, AWAY, AWAY, AWAY), H.AWAITED),
        ((ANSWERED, AWAY), H.AWAY),
        ((ANSWERED, AWAY, deaf(), deaf(), deaf(), deaf()), H.AWAITED),
        # What stands still cannot answer, and afterwards all is counted anew.
        ((ANSWERED, deaf(), deaf(), PAUSED), H.STANDS),
        ((ANSWERED, deaf(), deaf(), PAUSED, deaf(), deaf(), deaf()), H.QUIET),
        # What could not be asked or counted says nothing, for or against.
        ((ANSWERED, deaf(), deaf(), UNTOLD), H.QUIET),
        ((ANSWERED, *(Finding(Answer.SILENT),) * 20), H.ANSWERS),
        ((ANSWERED, *(Finding(Answer.SILENT, cpu_s=1.0),) * 20), H.ANSWERS),
        ((NO_AGENT,), H.UNWATCHED),
    ],
)
def test_it_hangs_when_so_many_looks_in_a_row_find_no_sign_of_life(looks: tuple[Finding, ...], state: H) -> None:
    assert after(*looks).state is state


def test_a_look_that_could_not_be_made_neither_counts_nor_clears() -> None:
    beats = after(ANSWERED, deaf(), deaf(), UNTOLD, deaf())  # the counters before it are not known
    assert (beats.state, beats.none) == (H.QUIET, 2)
    assert looked(beats, deaf(), CARE, 50.0).state is H.HANGS


def test_after_a_look_of_another_node_or_host_all_is_counted_anew_but_that_it_had_answered() -> None:
    beats = unseen(after(ANSWERED, deaf(), deaf()))
    assert beats.came
    beats = looked(beats, deaf(), CARE, 100.0)  # the first has nothing to compare with
    for at_s in (110.0, 120.0):
        beats = looked(beats, deaf(), CARE, at_s)
        assert beats.state is H.QUIET
    assert looked(beats, deaf(), CARE, 130.0).state is H.HANGS


def test_counters_that_fall_are_of_another_process_and_no_proof() -> None:
    assert sign(after(ANSWERED), deaf(cpu_s=0.1), 10.0) is Sign.WORKED


def test_every_sign_but_the_one_that_says_nothing_has_its_state() -> None:
    assert {seen for _, seen in TRANSITIONS} == set(Sign) - {Sign.UNTOLD}


HANGS = after(ANSWERED, deaf(), deaf(), deaf())


@pytest.mark.parametrize(
    ("on_hang", "resets", "left_alone", "what"),
    [
        (OnHang.RESET, 0, "", Remedy.RESET),
        (OnHang.RESET, 1, "", Remedy.RESET),
        (OnHang.RESET, 2, "", Remedy.FAIL),
        (OnHang.REPORT, 0, "", Remedy.NOTHING),
        (OnHang.REPORT, 2, "", Remedy.NOTHING),
        (OnHang.RESET, 0, "in maintenance: a new kernel", Remedy.NOTHING),
    ],
)
def test_it_is_reset_so_often_then_it_has_failed(on_hang: OnHang, resets: int, left_alone: str, what: Remedy) -> None:
    care = msgspec.structs.replace(CARE, on_hang=on_hang)
    assert remedy(HANGS, care, resets, left_alone) is what


@pytest.mark.parametrize("state", [state for state in H if state is not H.HANGS])
def test_what_does_not_hang_is_never_reset(state: H) -> None:
    assert remedy(Beats(state=state, came=True, none=99), CARE, 0, "") is Remedy.NOTHING


def test_resets_of_another_period_are_forgotten() -> None:
    assert within([0.0, 50.0, 99.0], period_s=60.0, now_s=100.0) == [50.0, 99.0]


@pytest.mark.parametrize(
    ("lifeless", "watched", "held"),
    [(1, 1, False), (2, 2, False), (3, 3, True), (3, 5, True), (3, 6, False), (4, 6, True), (10, 100, False)],
)
def test_guests_do_not_hang_together(lifeless: int, watched: int, held: bool) -> None:
    assert bool(together(lifeless, watched)) is held
