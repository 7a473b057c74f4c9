"""What does it mean that a process dies or freezes, when all processes of all nodes share one Python process?

Every callback on the simulated loop runs in a context that says which simulated process it belongs to; tasks and
timers inherit that context from whoever made them. So a `Process` is a tag with three states:

- it runs: its callbacks run;
- frozen: callbacks that are due are parked, in order, until it is thawed (time goes on meanwhile);
- dead: its callbacks are dropped for ever. No `finally` runs, nothing is flushed: like SIGKILL or a power cut.

Callbacks without a tag belong to the world outside all nodes (the database's servers, the VMs, the power supply).
"""

from collections import deque
from contextvars import Context, ContextVar
from typing import Any

PROCESS: ContextVar["Process"] = ContextVar("PROCESS")


OUTSIDE = Context()
"""For callbacks of the world outside: what they do must neither freeze nor die with whoever set it off."""


class Process:
    """One life of one simulated process. It never comes back: a restart is another one."""

    __slots__ = ("_holds", "alive", "context", "name", "parked", "runs", "since_s")

    def __init__(self, name: str, since_s: float = 0.0) -> None:
        self.name = name
        self.since_s = since_s
        """Since when it has been running without a break, if it runs."""
        self.alive = True
        self.runs = True
        """Alive and not frozen; what the loop looks at before each callback."""
        self.parked: deque[Any] = deque()
        self._holds = 0
        self.context = Context()
        self.context.run(PROCESS.set, self)

    def freeze(self) -> None:
        """May be called by several (the process alone, its whole node); each must thaw it again."""
        self._holds += 1
        self.runs = False

    def thaw(self) -> bool:
        """True when it runs again; the loop then takes what was parked (`SimLoop.thaw`)."""
        if self._holds:
            self._holds -= 1
        self.runs = self.alive and self._holds == 0
        return self.runs

    def kill(self) -> None:
        self.alive = False
        self.runs = False
        self.parked.clear()

    def __repr__(self) -> str:
        state = "dead" if not self.alive else "running" if self.runs else "frozen"
        return f"<Process {self.name}: {state}>"
