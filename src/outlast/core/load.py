"""What had this machine to do in its last day? Readings of its kernel become minutes, and minutes become longer steps.

What lies between two readings is a stretch. It counts for the minute in which its middle lies, by the wall clock: the
times are for people, and nothing is decided by them (rule 12). A stretch of which nobody can say when it was, because
that clock was set meanwhile, counts for none; nor does one that is too long to tell a peak from, because the machine
or the service stood still. What is missing stays missing: a gap is not a machine that had nothing to do.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from outlast.model.load import Load, Reading
from outlast.model.view import ClusterView

READ_EVERY_S = 5.0
LONGEST_STRETCH_S = 3 * READ_EVERY_S
CLOCK_SET_S = 1.0
"""The wall clock was set when it went so much further than the monotonic one, or less far."""
MINUTE_S = 60
KEPT = 24 * 60
"""Minutes."""


class Moment(msgspec.Struct, frozen=True):
    """A reading, and when it was taken."""

    reading: Reading
    vms: int
    now_s: float
    """Monotonic."""
    wall_s: float


class Stretch(msgspec.Struct, frozen=True):
    """What was seen between two moments."""

    minute: int
    busy: float
    whole: float
    memory_mib: int
    vms: int

    @property
    def cpu(self) -> float:
        return self.busy / self.whole


class Meter:
    """Makes minutes of readings, one after the other."""

    def __init__(self) -> None:
        self._before: Moment | None = None
        self._stretches: list[Stretch] = []
        """All of one minute."""

    def saw(self, moment: Moment) -> Load | None:
        """The minute that is over with it, if one is."""
        before, self._before = self._before, moment
        stretch = between(before, moment) if before is not None else None
        if stretch is None:
            return None
        over = self.so_far() if self._stretches and stretch.minute != self._stretches[0].minute else None
        if over is not None:
            self._stretches.clear()
        self._stretches.append(stretch)
        return over

    def so_far(self) -> Load | None:
        """The minute that is not over."""
        found = self._stretches
        if not found:
            return None
        return Load(
            at_s=found[0].minute * MINUTE_S,
            cpu=_share(sum(one.busy for one in found) / sum(one.whole for one in found)),
            cpu_peak=_share(max(one.cpu for one in found)),
            memory_mib=round(sum(one.memory_mib for one in found) / len(found)),
            memory_peak_mib=max(one.memory_mib for one in found),
            vms=max(one.vms for one in found),
        )


def between(first: Moment, last: Moment) -> Stretch | None:
    """None: nothing can be said of that time."""
    took_s, by_wall_s = last.now_s - first.now_s, last.wall_s - first.wall_s
    whole = last.reading.whole - first.reading.whole
    if took_s > LONGEST_STRETCH_S or abs(by_wall_s - took_s) > CLOCK_SET_S or whole <= 0:
        return None
    # Counters of a kernel may go back a little, what they call idle too.
    busy = min(max(last.reading.busy - first.reading.busy, 0.0), whole)
    minute = int((first.wall_s + last.wall_s) / 2 // MINUTE_S)
    return Stretch(minute, busy, whole, last.reading.memory_used_mib, last.vms)


def slot(at_s: int) -> int:
    """Where a minute is kept, in a ring of `KEPT` places: in that of the one a day before."""
    return at_s // MINUTE_S % KEPT


class LastDay:
    """The minutes of the last day, in a ring: no more memory is used however long it goes on."""

    def __init__(self) -> None:
        self._slots: dict[int, Load] = {}

    def put(self, minute: Load) -> None:
        """Over what was there: a service that was started again within a minute knows the newer part of it."""
        self._slots[slot(minute.at_s)] = minute

    def remember(self, minutes: Iterable[Load]) -> None:
        """What an earlier service has kept; what this one has seen by itself counts more."""
        for minute in minutes:
            self._slots.setdefault(slot(minute.at_s), minute)

    def minutes(self, wall_s: float) -> tuple[Load, ...]:
        """Oldest first. A clock that was set wrong has left minutes that are not of the last day."""
        since_s = wall_s - KEPT * MINUTE_S
        there = (one for one in self._slots.values() if since_s < one.at_s <= wall_s)
        return tuple(sorted(there, key=lambda one: one.at_s))


def rolled_up(minutes: Sequence[Load], step_min: int) -> tuple[Load, ...]:
    """Steps of so many minutes, as they lie on the clock (UTC): means of means, peaks of peaks."""
    if step_min == 1:
        return tuple(minutes)
    step_s = step_min * MINUTE_S
    return tuple(
        rolled(tuple(some), start * step_s) for start, some in groupby(minutes, lambda one: one.at_s // step_s)
    )


def rolled(minutes: Sequence[Load], at_s: int) -> Load:
    """All of these as one that began then. There must be one at the least."""
    count = len(minutes)
    return Load(
        at_s=at_s,
        cpu=_share(sum(one.cpu for one in minutes) / count),
        cpu_peak=max(one.cpu_peak for one in minutes),
        memory_mib=round(sum(one.memory_mib for one in minutes) / count),
        memory_peak_mib=max(one.memory_peak_mib for one in minutes),
        vms=max(one.vms for one in minutes),
    )


def why_not_asked(node: str, view: ClusterView) -> str:
    """Why that node would be waited for in vain; "" when it is asked."""
    silence = view.silences.get(node)
    if node == view.me or (silence is None and node not in view.observed.silent_s):
        return ""
    if silence is not None and silence.proof is not None:
        return f"it is dead: {silence.proof.words}"
    return "it is silent"


def _share(value: float) -> float:
    """Nobody needs more than a hundredth of a percent."""
    return round(value, 4)
