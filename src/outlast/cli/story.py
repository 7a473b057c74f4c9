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
ENDS = frozenset({"online", "offline", "not-moved"})
"""Kinds of events after which nothing more is on its way."""
LEFT = "handed-over"
"""Its owner's word that it stands on another node, complete, and is to go on there."""
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
        """From what caused it to its outcome: the first trouble, or else the last wish; None without either. Of what is
        handed over as it runs, or was to be, the first wish: the last one may be that it stays."""
        end = self.outcome
        if end is None:
            return None
        before = self.events[: self.events.index(end)]
        troubles = [event for event in before if event.kind in BEGINS - WISHES]
        wishes = [event for event in before if event.kind in WISHES]
        wish = wishes[:1] if end.kind == "not-moved" or self.left is not None else wishes[-1:]
        cause = (*troubles, *wish)[0] if troubles or wish else None
        return None if cause is None else max(0.0, end.at_s - cause.at_s)

    @property
    def outcome(self) -> Event | None:
        """The event that ended it; None while it goes on, or when it was nothing that ends."""
        return next((event for event in reversed(self.events) if event.kind in ENDS), None)

    @property
    def left(self) -> Event | None:
        """Its owner's word that it has handed it over as it ran; None when that is not what happened."""
        return next((event for event in self.events if event.kind == LEFT), None)

    @property
    def between_s(self) -> float | None:
        """Of what was handed over: from when it had left its node until it went on, by the clocks of both."""
        end = self.outcome
        if self.left is None or end is None or end.kind != "online":
            return None
        return max(0.0, end.at_s - self.left.at_s)

    @property
    def told(self) -> tuple[Event, ...]:
        """Its events but those that say nothing: what goes on as it ran was never off, and is not brought online."""
        if self.left is None:
            return self.events
        at = self.events.index(self.left)
        return tuple(event for event in self.events if event.kind != "online-pending" or self.events.index(event) < at)


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
