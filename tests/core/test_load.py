"""What a machine had to do: readings become minutes, minutes become steps, and what is not known stays a gap."""

from collections.abc import Iterable

import msgspec
import pytest

from build import silence, view
from outlast.core.load import KEPT, LastDay, Meter, Moment, rolled, rolled_up, why_not_asked
from outlast.model.load import Load, Reading
from outlast.model.node import ProofKind
from outlast.model.view import Observed

NOON_S = 1_790_000_100
"""A whole five minutes of the clock."""
CPUS = 4


def moment(at_s: float, busy: float, *, memory_mib: int = 1000, vms: int = 0, wall_s: float = NOON_S) -> Moment:
    """`at_s`: since noon, by both clocks."""
    whole = 1000.0 + CPUS * at_s
    return Moment(Reading(100.0 + busy, whole, memory_mib, 16384, CPUS), vms, at_s, wall_s + at_s)


def saw(*moments: Moment) -> tuple[list[Load], Load | None]:
    """The minutes that were over, and the one that is not."""
    meter = Meter()
    over = [meter.saw(one) for one in moments]
    return [one for one in over if one is not None], meter.so_far()


def minute(number: int, cpu: float = 0.5, **changes: int | float) -> Load:
    made = Load(NOON_S + 60 * number, cpu, cpu, memory_mib=1000, memory_peak_mib=1000, vms=1)
    return msgspec.structs.replace(made, **changes)


def starts(found: Iterable[Load]) -> list[int]:
    return [(one.at_s - NOON_S) // 60 for one in found]


def test_a_minute_tells_the_mean_and_the_busiest_stretch() -> None:
    busy = {at_s: (0.4 * at_s if at_s <= 55 else 0.4 * 55 + 4.0 * (at_s - 55)) for at_s in range(0, 65, 5)}
    over, _ = saw(*(moment(at_s, busy[at_s]) for at_s in busy), moment(65, busy[60]))
    (only,) = over
    assert only.at_s == NOON_S
    assert only.cpu == pytest.approx((22.0 + 20.0) / 240.0, abs=1e-4)
    assert only.cpu_peak == 1.0, "in its last 5 s all four processors worked"


def test_memory_and_vms_are_those_at_the_end_of_each_stretch() -> None:
    _, so_far = saw(moment(0, 0), moment(5, 0, memory_mib=2000, vms=3), moment(10, 0, memory_mib=4000, vms=1))
    assert so_far is not None
    assert (so_far.memory_mib, so_far.memory_peak_mib, so_far.vms) == (3000, 4000, 3)


def test_a_stretch_belongs_to_the_minute_of_its_middle() -> None:
    over, so_far = saw(moment(54, 0), moment(58, 8), moment(63, 28), moment(68, 28))
    assert [(one.at_s, one.cpu) for one in over] == [(NOON_S, 0.5)]
    assert so_far is not None
    assert (so_far.at_s, so_far.cpu) == (NOON_S + 60, 0.5)


def test_nothing_is_said_of_a_time_in_which_the_machine_stood_still() -> None:
    over, so_far = saw(moment(0, 0), moment(5, 2), moment(300, 1000), moment(305, 1002))
    assert starts(over) == [0]
    assert so_far is not None
    assert (starts([so_far]), so_far.cpu) == ([5], 0.1)


@pytest.mark.parametrize("set_by_s", [-7200.0, 7200.0])
def test_nothing_is_said_of_a_stretch_in_which_the_clock_was_set(set_by_s: float) -> None:
    after = [moment(at_s, busy, wall_s=NOON_S + set_by_s) for at_s, busy in ((10, 22), (15, 24))]
    over, so_far = saw(moment(0, 0), moment(5, 2), *after)
    assert [(one.at_s, one.cpu) for one in over] == [(NOON_S, 0.1)]
    assert so_far is not None
    assert (so_far.at_s, so_far.cpu) == (NOON_S + set_by_s, 0.1)


def test_counters_that_go_back_a_little_are_no_negative_load() -> None:
    _, so_far = saw(moment(0, 5.0), moment(5, 4.9))
    assert so_far is not None
    assert so_far.cpu == 0.0


def test_a_machine_that_was_started_anew_begins_anew() -> None:
    before = moment(0, 5.0)
    after = Moment(Reading(1.0, 8.0, 500, 16384, CPUS), 0, 5.0, NOON_S + 5.0)
    assert saw(before, after) == ([], None)


def test_the_last_day_is_a_day_and_never_more() -> None:
    day = LastDay()
    for number in range(2 * KEPT):
        day.put(minute(number))
    found = day.minutes(NOON_S + 60 * 2 * KEPT - 1)
    assert starts(found) == list(range(KEPT, 2 * KEPT))


def test_what_is_older_than_a_day_is_no_part_of_it_though_nothing_came_in_its_place() -> None:
    day = LastDay()
    day.put(minute(0))
    day.put(minute(10))
    assert starts(day.minutes(NOON_S + 60 * (KEPT + 5))) == [10]


def test_a_clock_that_was_ahead_leaves_no_minutes_in_the_future() -> None:
    day = LastDay()
    day.put(minute(600))
    day.put(minute(1))
    assert starts(day.minutes(NOON_S + 60 * 2)) == [1]


def test_what_this_service_saw_counts_more_than_what_an_earlier_one_kept() -> None:
    day = LastDay()
    day.put(minute(1, cpu=0.9))
    day.remember([minute(0, cpu=0.2), minute(1, cpu=0.2)])
    assert [one.cpu for one in day.minutes(NOON_S + 120)] == [0.2, 0.9]


def test_steps_are_means_of_means_and_peaks_of_peaks_as_they_lie_on_the_clock() -> None:
    quiet, busy = minute(0, cpu=0.1), minute(1, cpu=0.3, cpu_peak=0.8, memory_mib=3000, memory_peak_mib=5000, vms=7)
    first, second = rolled_up([quiet, busy, minute(10)], 5)
    assert first == Load(first.at_s, 0.2, 0.8, 2000, 5000, 7)
    assert (first.at_s % 300, second.at_s - first.at_s) == (0, 600), "what nobody knows is missing"


def test_a_step_of_a_minute_is_the_minute() -> None:
    some = [minute(0), minute(1), minute(5)]
    assert rolled_up(some, 1) == tuple(some)
    assert rolled_up([], 5) == ()


def test_a_whole_day_is_one_step_with_its_peak() -> None:
    assert rolled([minute(0, cpu=0.0), minute(700, cpu=1.0)], NOON_S).cpu == 0.5


def test_who_is_silent_or_dead_is_not_waited_for() -> None:
    dead = silence("n2", proof=ProofKind.FENCE)
    assert dead.proof is not None
    seen = view(silences=[dead], observed=Observed(silent_s={"n3": 7.0}))
    found = {node: why_not_asked(node, seen) for node in ("n1", "n2", "n3", "n4")}
    assert found == {"n1": "", "n2": f"it is dead: {dead.proof.words}", "n3": "it is silent", "n4": ""}
