"""What happened in the simulated world, in lines that an operator can read and a test can compare?

A line says when (simulated seconds), who tells it (`world`, or the node that wrote the event) and what.
"""

import msgspec

from outlast.model import keys
from outlast.model.event import Event
from outlast.ports.database import Batch

_EVENT = msgspec.json.Decoder(Event)
WORLD = "world"
UNTOLD = ("promise", "protection")
"""Kinds of events that follow from all the others, some seconds later; a story is about those."""


class Story:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.events: list[tuple[float, Event]] = []

    def tell(self, at_s: float, who: str, words: str) -> None:
        self.lines.append(line(at_s, who, words))

    def committed(self, at_s: float, batch: Batch) -> None:
        """The events in a commit, as the cluster's own log has them."""
        for change in batch.changes:
            if change.value is not None and change.key.startswith(keys.EVENTS):
                event = _EVENT.decode(change.value)
                self.events.append((at_s, event))
                if event.kind not in UNTOLD:
                    self.tell(at_s, event.node, event.words)

    def take(self) -> list[str]:
        """The lines since they were last taken."""
        lines, self.lines = self.lines, []
        return lines


def line(at_s: float, who: str, words: str) -> str:
    return f"{at_s:8.1f}  {who:<6} {words}"
