"""How does the screen learn what changes? It follows the status and the event log, as `outlast status --follow` and
`outlast events --follow` do, and asks for the quorum now and then. When nobody answers it tries again, where several
nodes are known with another one; what it knew stays, with a word about that.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from outlast.cli.top.seen import Seen
from outlast.client.control import Client, ControlError
from outlast.model.answers import ClusterStatus, QuorumRow
from outlast.model.event import Event

PAST = 50
"""Events that are read in the beginning; as many are kept."""
SILENT_S = 5.0
"""A status comes every second. Who sends none for so long is gone."""
RETRY_S = 1.0
QUORUM_EVERY_S = 5.0
PASSING = ("no-contact", "failed", "impossible", "limited")
"""What may be otherwise with the next try; anything else ends the view."""


def look(contact: Client) -> Seen:
    """All of it, once. Raises `ControlError`."""
    status = contact.call("status", type=ClusterStatus)
    events = contact.call("events", {"limit": PAST}, type=list[Event])
    return Seen(status, _quorum(contact), tuple(events), time.monotonic())


def _quorum(contact: Client) -> QuorumRow | None:
    try:
        return contact.call("quorum.show", type=QuorumRow)
    except ControlError as error:
        if error.kind not in PASSING:
            raise
        return None  # no members that vote, or nobody who could tell now: the status says the worst of it


class Following:
    def __init__(self, contact: Client, began: Seen, changed: Callable[[], None]) -> None:
        """`changed` is called in other threads."""
        self.seen = began
        self.refused: ControlError | None = None
        """What ends the view."""
        self._contact = contact
        self._changed = changed
        self._lock = threading.Lock()
        self._life = 0
        """Counts the times that contact was made. A listener of an earlier one has nobody to listen to any more."""

    def start(self) -> None:
        for work in (self._follow, self._ask):
            threading.Thread(target=work, daemon=True).start()

    def _follow(self) -> None:
        while self.refused is None:
            self._life += 1
            threading.Thread(target=self._listen, args=(self._life,), daemon=True).start()
            try:
                for status in self._contact.stream("follow", type=ClusterStatus, timeout_s=SILENT_S):
                    self._put(status=status, at_s=time.monotonic(), lost="")
                raise ControlError("no-contact", "it has stopped telling")
            except ControlError as error:
                self._lose(error)
            time.sleep(RETRY_S)

    def _listen(self, life: int) -> None:
        """To the event log, until contact was lost: a stream on which nothing comes does not tell that by itself."""
        while self._life == life and self.refused is None:
            try:
                past = self._contact.call("events", {"limit": PAST}, type=list[Event])
                self._put(events=tuple(past))
                after = {"after": past[-1].id} if past else {}
                for event in self._contact.stream("events.follow", after, type=Event):
                    if self._life != life:
                        return
                    self._put(events=(*self.seen.events, event)[-PAST:])
            except ControlError as error:
                if error.kind not in PASSING and error.kind != "usage":  # usage: it was pruned meanwhile
                    self._lose(error)
            time.sleep(RETRY_S)

    def _ask(self) -> None:
        while self.refused is None:
            time.sleep(QUORUM_EVERY_S)
            try:
                self._put(quorum=_quorum(self._contact))
            except ControlError as error:
                self._lose(error)

    def _lose(self, error: ControlError) -> None:
        if error.kind not in PASSING:
            self.refused = error
        elif not self.seen.lost:
            self._put(lost=str(error))
        self._changed()

    def _put(self, **changes: object) -> None:
        with self._lock:
            self.seen = replace(self.seen, **changes)  # type: ignore[arg-type]  # fields of Seen, all of them
        self._changed()
