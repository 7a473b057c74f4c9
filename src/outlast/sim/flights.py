"""What becomes of one call to the simulated database, on its way there and back?

A call takes the way there, happens where the store is, and takes the way back; each part may fail by itself. A
time-out has no timer until it is certain to pass: thousands of seeds pass through here.
"""

import asyncio
import enum
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol, TypeVar

from outlast.ports.database import Unavailable, Uncertain
from outlast.ports.members import NotReady
from outlast.sim.process import OUTSIDE
from outlast.sim.store import SimStore

T = TypeVar("T")


class Fate(enum.Enum):
    """What becomes of a write."""

    ANSWERED = enum.auto()
    LOST = enum.auto()  # never happens; the caller sees `Uncertain`
    UNHEARD = enum.auto()  # happens, but its answer never arrives; the caller sees `Uncertain`


class Outage(enum.Enum):
    """How a node that is cut off fails."""

    SILENT = enum.auto()  # as when packets vanish: nothing answers
    REFUSED = enum.auto()  # as when nobody listens: an error at once


class NotServed(Exception):
    """The store could be reached, and cannot answer (its members have no majority)."""


class Way(Protocol):
    """One call's way to the store and back, as it was chosen when the call began."""

    @property
    def outage(self) -> Outage | None:
        """How the call fails from the start; None: it sets out."""
        ...

    def there_s(self) -> float: ...

    def arrives(self) -> bool: ...

    def waits_in(self) -> Context | None:
        """The process that stands still and has to go on before it can happen; None: it happens now."""
        ...

    def work_s(self) -> float:
        """How long the store takes before it happens."""
        ...

    def serve(self, work: Callable[[SimStore], T], *, writes: bool) -> T:
        """It happens. Raises `NotServed`, or what the work raises."""
        ...

    def back_s(self) -> float: ...

    def answers(self) -> bool: ...

    def missed(self) -> None:
        """The caller got no answer in time."""
        ...


class Caller(Protocol):
    """Who makes calls from a node."""

    @property
    def node(self) -> str: ...

    @property
    def hedge_s(self) -> float | None:
        """A read that is not answered within that is asked again, by another way; None: there is no other."""
        ...

    def way(self) -> Way: ...


class Call:
    """One call on its way there and back. `fate` is None for a read."""

    __slots__ = ("_caller", "_deadline_s", "_fate", "_loop", "_way", "_work", "answer")

    def __init__(
        self,
        caller: Caller,
        work: Callable[[SimStore], object],
        timeout_s: float,
        fate: Fate | None,
        answer: "asyncio.Future[Any] | None" = None,
    ) -> None:
        self._caller = caller
        self._work = work
        self._fate = fate
        self._way = way = caller.way()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            # What is cleared away when the world has ended asks nobody any more.
            raise GeneratorExit from None
        self._deadline_s = self._loop.time() + timeout_s
        self.answer: asyncio.Future[Any] = answer if answer is not None else self._loop.create_future()
        if fate is None and caller.hedge_s is not None and timeout_s > caller.hedge_s:
            self._loop.call_later(caller.hedge_s, self._hedge, context=OUTSIDE)
        outage, there_s = way.outage, way.there_s()
        if outage is Outage.REFUSED:
            self._loop.call_later(min(there_s, timeout_s), self._refuse, context=OUTSIDE)
        elif outage is Outage.SILENT or fate is Fate.LOST:
            self._end_late()
        else:
            self._loop.call_later(there_s, self._arrive, context=OUTSIDE)
            if there_s > timeout_s:
                self._end_late()

    def _hedge(self) -> None:
        """Nothing has been heard: what only reads may be asked of another one as well."""
        if not self.answer.done():
            self._way.missed()
            Call(self._caller, self._work, self._deadline_s - self._loop.time(), None, self.answer)

    def _arrive(self) -> None:
        if not self._way.arrives():
            self._end_late()
            return
        stands_still = self._way.waits_in()
        if stands_still is not None:
            self._loop.call_soon(self._arrive, context=stands_still)
            self._end_late()
            return
        work_s = self._way.work_s()
        if work_s > 0.0:
            self._loop.call_later(work_s, self._serve, context=OUTSIDE)
        else:
            self._serve()

    def _serve(self) -> None:
        try:
            result = self._way.serve(self._work, writes=self._fate is not None)
        except NotServed:
            self._end_late()
            return
        except (ValueError, NotReady, Unavailable) as error:
            self._set_out_back(self._fail, error)
            return
        self._set_out_back(self._answer, result)

    def _set_out_back(self, arrive: Callable[[Any], None], what: object) -> None:
        answered_s = self._loop.time() + self._way.back_s()
        if self._fate is Fate.UNHEARD or answered_s > self._deadline_s:
            self._end_late()
        else:
            self._loop.call_at(answered_s, self._back, arrive, what, context=OUTSIDE)

    def _back(self, arrive: Callable[[Any], None], what: object) -> None:
        if not self._way.answers():
            self._end_late()
        elif not self.answer.done():
            arrive(what)

    def _answer(self, result: object) -> None:
        self.answer.set_result(result)

    def _fail(self, error: Exception) -> None:
        self.answer.set_exception(error)

    def _end_late(self) -> None:
        self._loop.call_at(max(self._deadline_s, self._loop.time()), self._give_up, context=OUTSIDE)

    def _give_up(self) -> None:
        if not self.answer.done():
            self._way.missed()
            kind = Unavailable if self._fate is None else Uncertain
            node = self._caller.node
            self.answer.set_exception(kind(f"cannot get an answer of the cluster database on {node} in time"))

    def _refuse(self) -> None:
        if not self.answer.done():
            self._way.missed()
            node = self._caller.node
            self.answer.set_exception(Unavailable(f"cannot reach the cluster database from {node}"))
