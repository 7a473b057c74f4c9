"""When is which resource asked whether it is alive? Those with the same interval are asked together.

Resources of one interval fall due on a common grid of this node's clock, so a hundred VMs cost one wake-up and one
call, and not a hundred.
"""

import math
from collections.abc import Iterable


class Polling:
    """Which resources are due, and when the next ones will be."""

    def __init__(self) -> None:
        self._interval_s: dict[str, float] = {}
        self._due_at: dict[str, float] = {}

    def watch(self, resource: str, interval_s: float, now: float) -> None:
        """Ask it every `interval_s` from now on. Again with another interval: changed."""
        if self._interval_s.get(resource) != interval_s:
            self._interval_s[resource] = interval_s
            self._due_at[resource] = _next_on_grid(now, interval_s)

    def leave(self, resource: str) -> None:
        self._interval_s.pop(resource, None)
        self._due_at.pop(resource, None)

    def watched(self) -> Iterable[str]:
        return self._interval_s.keys()

    def due(self, now: float) -> list[str]:
        """The resources to ask now; each is due again one interval later."""
        found = [name for name, at in self._due_at.items() if at <= now]
        for name in found:
            self._due_at[name] = _next_on_grid(now, self._interval_s[name])
        return found

    def deadline(self) -> float | None:
        return min(self._due_at.values(), default=None)


def _next_on_grid(now: float, interval_s: float) -> float:
    return (math.floor(now / interval_s) + 1) * interval_s
