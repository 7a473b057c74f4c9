"""Whose turn is it? One program at a time runs for a resource; a question gives way, and a stop comes through."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from outlast.resources.by_programs.driver import Action
from outlast.resources.programs import Ended, Running

KILLED_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class _Current:
    action: Action
    name: str
    running: Running


class Busy(Exception):
    """Another program is under way. The text says which."""


class Actions:
    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._current: _Current | None = None

    def ask(self, name: str, begin: Callable[[], Running]) -> Ended:
        """Joins a question that is under way. Raises `Busy`, and what `begin` raises."""
        with self._gate:
            current = self._under_way()
            if current is not None and current.action is not Action.ASK:
                raise Busy(f"its {current.name} is under way")
            current = current or self._begin(Action.ASK, name, begin)
        return _wait(current)

    def start(self, name: str, begin: Callable[[], Running]) -> Ended:
        """Raises `Busy`, and what `begin` raises."""
        with self._gate:
            current = self._cut_short(Action.ASK)
            if current is not None:
                raise Busy(f"its {current.name} is under way")
            current = self._begin(Action.START, name, begin)
        return _wait(current)

    def stop(self, action: Action, name: str, begin: Callable[[], Running], wait_s: float) -> Ended | None:
        """Joins a stop of that name that is under way; what else is, is killed. None when it has not ended after
        `wait_s`: it goes on, until its own time-out. Raises what `begin` raises, and `Busy`."""
        with self._gate:
            current = self._under_way()
            if current is not None and current.name != name:
                current = self._cut_short(*Action)
                if current is not None:
                    raise Busy(f"its {current.name} hangs in the kernel")
            current = current or self._begin(action, name, begin)
        return current.running.wait(wait_s)

    def kill(self) -> None:
        with self._gate:
            self._cut_short(*Action)

    def _cut_short(self, *actions: Action) -> _Current | None:
        """What is still under way after that, but for a question that hangs: nobody waits for it."""
        current = self._under_way()
        if current is not None and current.action in actions and current.running.kill(KILLED_WITHIN_S):
            return None
        return current if current is not None and current.action is not Action.ASK else None

    def _under_way(self) -> _Current | None:
        current = self._current
        return current if current is not None and current.running.wait(0) is None else None

    def _begin(self, action: Action, name: str, begin: Callable[[], Running]) -> _Current:
        self._current = _Current(action, name, begin())
        return self._current


def _wait(current: _Current) -> Ended:
    ended = current.running.wait()
    assert ended is not None
    return ended
