"""Writes the event log: makes the database write for an event, to be committed with the change that it tells of."""

import msgspec

from outlast.model.event import KINDS, Event, Inputs
from outlast.model.keys import EVENTS, INPUTS
from outlast.ports.database import Put
from outlast.ports.environment import Clock


class Journal:
    def __init__(self, me: str, clock: Clock) -> None:
        self._me = me
        self._clock = clock
        self._count = 0

    def event(
        self,
        kind: str,
        words: str,
        *,
        group: str = "",
        about: str = "",
        reasons: tuple[str, ...] = (),
        inputs: str = "",
    ) -> Put:
        if kind not in KINDS:
            raise ValueError(f"{kind} is not in the list of kinds of events")
        event = Event(
            id=self.new_id(),
            at_s=self._clock.wall(),
            node=self._me,
            kind=kind,
            words=words,
            group=group,
            about=about,
            reasons=reasons,
            inputs=inputs,
        )
        return Put(EVENTS + event.id, msgspec.json.encode(event))

    def inputs(self, id: str, view: str) -> Put:
        return Put(INPUTS + id, msgspec.json.encode(Inputs(id, view)))

    def new_id(self) -> str:
        """Unique in the cluster; sorts roughly by time."""
        self._count += 1
        return f"{int(self._clock.wall() * 1000):013d}-{self._me}-{self._count % 100000:05d}"
