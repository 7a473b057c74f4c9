"""What time is it on one simulated node? It has a monotonic clock of its own, and a wall clock that can be wrong."""

from datetime import datetime

from outlast.sim.loop import SimLoop

_WALL_AT_START_S = datetime(2023, 11, 14, 22, 13, 20).timestamp()
"""In the local time of whoever plays it: hours of a day are local ones, and a world plays the same everywhere."""


class SimClock:
    """A node's clocks. `pace` is how fast it goes against true time: a real crystal is off by some 1e-5."""

    __slots__ = ("_loop", "_offset_s", "pace", "wall_error_s")

    def __init__(self, loop: SimLoop, *, offset_s: float = 0.0, pace: float = 1.0) -> None:
        self._loop = loop
        self._offset_s = offset_s
        self.pace = pace
        self.wall_error_s = 0.0
        """A jump of the wall clock. Nothing may change by it (rule 12)."""

    def now(self) -> float:
        return self._offset_s + self._loop.now_s * self.pace

    def wall(self) -> float:
        return _WALL_AT_START_S + self._loop.time() + self.wall_error_s

    def true_delay_s(self, until_s: float) -> float:
        """In how much true time this clock will show `until_s`."""
        return (until_s - self.now()) / self.pace
