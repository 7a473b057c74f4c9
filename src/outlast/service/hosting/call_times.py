"""How long do the calls of each resource type take on this node?

For people, and for whoever measures: the last calls of each kind are kept, and how many took how long since the service
started, in memory only. A call that comes close to
its deadline is worth a word before one misses it.
"""

from collections import deque

import msgspec

from outlast.model.metrics import CallMetrics
from outlast.model.type_answers import CallTime
from outlast.service.measuring.instruments import CALL_S, Histogram

KEPT = 1000
NEAR = 0.5
"""A call that needed so much of its deadline is near it."""
TOLD_AGAIN_S = 3600.0
TAKES_ITS_TIME = ("online", "offline", "hand_over", "take_up")
"""What these take is the time of the thing itself, up to a limit that somebody has set: no word about the plugin."""


class SlowCall(msgspec.Struct, frozen=True):
    """A call of this type was near its deadline. Told once an hour for each kind of call."""

    type: str
    call: str
    took_s: float
    deadline_s: float


class _Times:
    def __init__(self) -> None:
        self.took_s: deque[float] = deque(maxlen=KEPT)
        self.all = Histogram(CALL_S)
        self.calls = 0
        self.missed = 0
        self.deadline_s = 0.0
        self.told_at_s = float("-inf")


class CallTimes:
    def __init__(self) -> None:
        self._times: dict[tuple[str, str], _Times] = {}

    def took(
        self, type_name: str, call: str, took_s: float, silent_s: float, deadline_s: float, now: float
    ) -> SlowCall | None:
        """`silent_s`: of that, the longest time without a word of progress: by that the deadline counts."""
        times = self._times.setdefault((type_name, call), _Times())
        times.took_s.append(took_s)
        times.all.observe(took_s)
        times.calls += 1
        times.deadline_s = deadline_s
        if silent_s >= deadline_s:
            times.missed += 1
        elif call in TAKES_ITS_TIME:
            return None
        elif silent_s >= NEAR * deadline_s and now - times.told_at_s >= TOLD_AGAIN_S:
            times.told_at_s = now
            return SlowCall(type_name, call, silent_s, deadline_s)
        return None

    def of(self, type_name: str, node: str) -> list[CallTime]:
        found = []
        for (name, call), times in sorted(self._times.items()):
            if name == type_name:
                ordered = sorted(times.took_s)
                median_s, slowest_s = ordered[len(ordered) // 2], ordered[-1]
                found.append(CallTime(node, call, times.calls, median_s, slowest_s, times.deadline_s, times.missed))
        return found

    def metrics(self) -> tuple[CallMetrics, ...]:
        return tuple(
            CallMetrics(type_name, call, times.all.read(), times.missed, times.deadline_s)
            for (type_name, call), times in sorted(self._times.items())
        )
