"""Looks at files with a time limit: on storage that is away, a look may hang for as long as that lasts.

A thread that hangs cannot be ended, so while one does, nobody else looks at that place: it is known not to answer. The
resource host must not hang with it: one that misses a deadline is killed.
"""

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from outlast.plugin import Refusal

T = TypeVar("T")

LIMIT_S = 2.5
"""Less than anybody waits for the plugin's answer."""

_lock = threading.Lock()
_hanging: dict[str, threading.Thread] = {}


def look(path: str, what: Callable[[], T], limit_s: float = LIMIT_S) -> T:
    """The answer of `what`, or what it raises; `path` is what it looks at. Raises `Refusal` when its storage does not
    answer."""
    place = os.path.dirname(path)
    found: list[T] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            found.append(what())
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits
            failed.append(error)

    with _lock:
        before = _hanging.get(place)
        if before is not None and before.is_alive():
            raise _silent(place)
        _hanging.pop(place, None)
    thread = threading.Thread(target=work, name=f"look at {place}", daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        with _lock:
            _hanging[place] = thread
        raise _silent(place)
    if failed:
        raise failed[0]
    return found[0]


def _silent(place: str) -> Refusal:
    return Refusal(f"the storage of {place} does not answer")
