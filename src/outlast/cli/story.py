"""Which events belong together? One failover, one move, one wish of an administrator: one block, told from its start.

Times come from the wall clocks of different nodes, so they are for people; the order is the event log's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from outlast.model.event import Event

BEGINS = frozenset({"failed", "node-silent", "node-left", "intent", "group-changed", "permit", "stopped"})
"""Kinds of events that something new begins with, unless such a thing is under way already."""
WISHES = frozenset({"intent", "group-changed"})
"""Those of them that an administrator asked for. Several may follow each other before one leads to something."""
MAY_BEGIN = frozenset({"unknown", "host-died", "type", "node-joined"})
"""Kinds that begin something new when what was before has come to its end, and else belong to it."""
ENDS = frozenset({"online", "offline"})
"""Kinds of events after which nothing more is on its way."""
PAUSE_S = 60.0
"""After a pause this long, whatever comes is something new."""


@dataclass(frozen=True, slots=True)
class Block:
    events: tuple[Event, ...]

    @property
    def began_s(self) -> float:
        return self.events[0].at_s

    def after_s(self, event: Event) -> float:
        """Clocks of two nodes may differ a little: nothing is told to have happened before its cause."""
        return max(0.0, event.at_s - self.began_s)

    @property
    def took_s(self) -> float | None:
        """From what caused it to its outcome: the first trouble, or else the last wish; None without either."""
        end = self.outcome
        if end is None:
            return None
        before = self.events[: self.events.index(end)]
        troubles = [event for event in before if event.kind in BEGINS - WISHES]
        wishes = [event for event in before if event.kind in WISHES]
        cause = troubles[0] if troubles else wishes[-1] if wishes else None
        return None if cause is None else max(0.0, end.at_s - cause.at_s)

    @property
    def outcome(self) -> Event | None:
        """The event that ended it; None while it goes on, or when it was nothing that ends."""
        return next((event for event in reversed(self.events) if event.kind in ENDS), None)


def blocks(events: Iterable[Event]) -> tuple[Block, ...]:
    found: list[list[Event]] = []
    for event in events:
        if not found or _begins_anew(event, found[-1]):
            found.append([])
        found[-1].append(event)
    return tuple(Block(tuple(block)) for block in found)


def _begins_anew(event: Event, block: list[Event]) -> bool:
    if event.at_s - block[-1].at_s > PAUSE_S:
        return True
    kinds = {before.kind for before in block}
    ended = not kinds.isdisjoint(ENDS)
    if event.kind in BEGINS:
        return ended or kinds.isdisjoint(BEGINS)
    return event.kind in MAY_BEGIN and ended
