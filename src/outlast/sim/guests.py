"""What lives in a simulated VM: it answers, works, hangs, ails; and its disk fails.

It counts as a real one does: processor time and requests to its disk, from which somebody outside can tell whether it
still works.
"""

from dataclasses import dataclass

from outlast.model.health import Condition, Halt, Health

_IDLE_SHARE = 0.02
"""Of one processor, while it is well and has nothing to do."""
_REQUESTS_PER_S = 0.5

PANICKED = Health(Condition.FAILED, "the guest crashed (panic)", halt=Halt.PANIC)
_HALTED = {
    Halt.IO_ERROR: Health(Condition.ONLINE, "paused by an I/O error of its disk", running=True, halt=Halt.IO_ERROR),
    Halt.NO_SPACE: Health(
        Condition.ONLINE, "paused by an I/O error of its disk (no space left)", running=True, halt=Halt.NO_SPACE
    ),
}


@dataclass(slots=True)
class Guest:
    """Of one running copy."""

    deaf_since_s: float | None = None
    """Since when its agent does not answer."""
    busy: bool = False
    """It works although it is deaf."""
    away: bool = False
    """Its agent was stopped in order."""
    halt: Halt = Halt.NOTHING
    """Its disk has stopped it."""
    _was_lifeless: tuple[float, float] = (float("-inf"), float("-inf"))
    _unseen: bool = False
    """It has come to life, and nobody has looked since."""
    _counted_at_s: float = 0.0
    _cpu_s: float = 0.0
    _requests: float = 0.0

    @property
    def works(self) -> bool:
        return self.halt is Halt.NOTHING and (self.deaf_since_s is None or self.busy)

    def lifeless_s(self, now_s: float, *, lately_s: float = 0.0) -> float:
        """For how long it has neither answered nor worked, or had until so short a while ago; 0: it does."""
        if self.deaf_since_s is not None and not self.busy:
            return now_s - self.deaf_since_s
        return self.was_lifeless_s(now_s, lately_s)

    def was_lifeless_s(self, now_s: float, lately_s: float) -> float:
        """The last time before, if that ended so short a while ago; a probe that was red then counts on."""
        since_s, until_s = self._was_lifeless
        return until_s - since_s if now_s - until_s <= lately_s else 0.0

    def count(self, now_s: float) -> None:
        """Before anything about it changes, and when somebody asks."""
        passed_s = now_s - self._counted_at_s
        self._counted_at_s = now_s
        if self.works:
            self._cpu_s += passed_s * (1.0 if self.deaf_since_s is not None else _IDLE_SHARE)
            self._requests += 0.0 if self.deaf_since_s is not None else passed_s * _REQUESTS_PER_S

    def hang(self, now_s: float, *, busy: bool) -> None:
        self.count(now_s)
        self._note(now_s)
        if self.deaf_since_s is None and self._unseen and not busy:
            self.deaf_since_s = self._was_lifeless[0]  # between two looks nobody can tell that it was alive
        elif self.deaf_since_s is None or self.busy != busy:
            self.deaf_since_s = now_s
        self.busy = busy

    def _note(self, now_s: float) -> None:
        if self.deaf_since_s is not None and not self.busy:
            self._was_lifeless = (self.deaf_since_s, now_s)

    def wake(self, now_s: float) -> None:
        self.count(now_s)
        self._note(now_s)
        self._unseen = self._unseen or (self.deaf_since_s is not None and not self.busy)
        self.deaf_since_s, self.busy, self.away = None, False, False

    def counters(self, now_s: float) -> tuple[float, int]:
        """Somebody looks."""
        self.count(now_s)
        self._unseen = False
        return self._cpu_s, int(self._requests)


def halted(halt: Halt) -> Health:
    return _HALTED[halt]
