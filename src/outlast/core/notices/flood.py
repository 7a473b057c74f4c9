"""What does a rule send next? Events in their order; when there are more than may be sent within a minute, one sum of
all that wait in place of the last of that minute. What fails is sent again as it was, later and later.

A machine for one rule on the coordinator, fed with events and with what became of each notice; times are of its
monotonic clock. It forgets nothing that it was given: what waits is either sent by itself or counted in a sum.
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from outlast.core.notices.wording import notice, summary
from outlast.model.event import Event
from outlast.model.notice import Notice, NoticeRule

WINDOW_S = 60.0
RETRY_S = 5.0
LONGEST_RETRY_S = 300.0
LONGEST_ASKED_S = 3600.0
"""A receiver that asks for more patience than this is asked sooner."""


class Place(msgspec.Struct, frozen=True, order=True):
    """Of an event in the log: several may be of one revision."""

    revision: int
    event: str


class Flood:
    def __init__(self, rule: NoticeRule, cluster: str) -> None:
        self.failures = 0
        """In a row, of the present notice."""
        self._rule = rule
        self._cluster = cluster
        self._waiting: deque[tuple[Place, Event]] = deque()
        self._sent: deque[float] = deque()
        """When, within the last minute."""
        self._present: tuple[Notice, Place] | None = None
        """What is being sent, and up to where it tells."""
        self._not_before = 0.0

    def add(self, event: Event, place: Place) -> None:
        """An event that fits the rule, later in the log than all before it."""
        self._waiting.append((place, event))

    def next(self, now: float) -> Notice | None:
        """The same until it is known what became of it."""
        self._forget(now)
        if now < self._not_before:
            return None
        if self._present is None:
            room = self._rule.per_minute - len(self._sent)
            if not self._waiting or room <= 0:
                return None
            self._present = self._taken(summed_up=room == 1 and len(self._waiting) > 1)
        return self._present[0]

    def was_taken(self, now: float) -> Place:
        """The receiver has it. Returns up to where all is told."""
        assert self._present is not None
        place, self._present = self._present[1], None
        self.failures = 0
        self._sent.append(now)
        return place

    def failed(self, now: float, *, asked_s: float = 0.0) -> None:
        """`asked_s`: how long the receiver asks to be left alone."""
        self.failures += 1
        self._not_before = now + max(retry_s(self.failures), min(asked_s, LONGEST_ASKED_S))

    def deadline(self, now: float) -> float | None:
        """When `next` may have something, if nothing is added; None: never."""
        self._forget(now)
        if self._present is not None:
            return self._not_before
        if not self._waiting:
            return None
        free = self._sent[0] + WINDOW_S if len(self._sent) >= self._rule.per_minute else now
        return max(free, self._not_before)

    def _taken(self, *, summed_up: bool) -> tuple[Notice, Place]:
        if not summed_up:
            place, event = self._waiting.popleft()
            return notice(self._rule, self._cluster, event), place
        held = [event for _, event in self._waiting]
        place = self._waiting[-1][0]
        self._waiting.clear()
        return summary(self._rule, self._cluster, held), place

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0] + WINDOW_S <= now:
            self._sent.popleft()


def retry_s(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return float(min(RETRY_S * 2.0 ** min(failures - 1, 10), LONGEST_RETRY_S))


def after(place: Place, log: Sequence[tuple[Place, Event]]) -> list[tuple[Place, Event]]:
    """What of the log comes later, in order."""
    return sorted((one for one in log if one[0] > place), key=lambda one: one[0])
