"""How does the real service code run for simulated hours within seconds, and the same way each time?

`SimLoop` is an asyncio event loop without sockets, threads, child processes or real time. When nothing is ready, its
clock jumps to the next timer. Ready callbacks run first in, first out; timers that are due together run in the
order in which they were set; so a run depends on nothing but what was asked of it.

What a reader must know:

- `asyncio.sleep`, `timeout`, `wait_for`, `TaskGroup`, `Queue`, `Event`, ... work on it; what needs the operating
  system raises `NotImplementedError`: it belongs behind a port.
- Each callback belongs to a simulated process, or to the world (`outlast.sim.process`).
- A callback that raises, or a task that dies unheard, is a bug: it is collected in `problems`, and the run that
  meets it fails. Likewise `Stuck` and `Spinning`.
"""

import asyncio
import gc
import heapq
import itertools
import sys
import threading
from asyncio import events
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast

from outlast.sim.process import PROCESS, Process

_new_handle = object.__new__
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_ROUNDS_IN_NO_TIME = 50
_A_MOMENT_S = 1e-6
"""No processor is infinitely fast: now and then a round takes a moment. Else a wait that is rounded down to nothing,
and repeated until the time has come, would be repeated for ever."""
_ROUNDS_WITHOUT_A_PAUSE = 1_000_000
_CANCELLED_TIMERS_KEPT = 200


class Stuck(Exception):
    """Everything waits for something that can no longer happen: no callback is ready and no timer is set."""


class Spinning(Exception):
    """Callbacks make each other ready for ever, and nobody waits for anything."""


class SimHandle(asyncio.Handle):
    """A callback that is to run. Leaner than asyncio's own, which also serves debugging."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self._callback = callback
        self._args = args
        self._context = context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = _nothing
        self._args = ()

    def cancelled(self) -> bool:
        return self._cancelled

    def __repr__(self) -> str:
        return f"<SimHandle {getattr(self, '_callback', None)!r}>"


class SimTimer(asyncio.TimerHandle):
    __slots__ = ("_timers_of",)
    _timers_of: "SimLoop"
    _callback: Callable[..., object]
    _args: tuple[Any, ...]
    _context: Context
    _when: float

    def cancel(self) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        self._callback = _nothing
        self._args = ()
        if self._when >= 0.0:
            self._timers_of.forget_timer()

    def cancelled(self) -> bool:
        return self._cancelled

    def __repr__(self) -> str:
        return f"<SimTimer {getattr(self, '_callback', None)!r}>"


if TYPE_CHECKING:  # to the type checker, what AbstractEventLoop answers with NotImplementedError is abstract
    _Loop = asyncio.SelectorEventLoop
else:
    _Loop = asyncio.AbstractEventLoop


class SimLoop(_Loop):
    def __init__(self) -> None:
        self.now_s = 0.0
        self._ready: deque[SimHandle | SimTimer] = deque()
        self._timers: list[tuple[float, int, SimTimer]] = []
        self._order = itertools.count()
        self._cancelled_timers = 0
        self._running = False
        self._stopping = False
        self._closed = False
        self._closers: set[asyncio.Task[None]] = set()
        self._graves: list[set[asyncio.Task[Any]]] = []
        self.problems: list[str] = []
        """What went wrong in callbacks and unheard tasks, for people."""
        self._rounds = 0
        """Rounds of ready callbacks since time last jumped."""

    # --- what asyncio asks of a loop ------------------------------------------------------------------------------

    def time(self) -> float:
        return self.now_s

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _new_handle(SimHandle)  # and not its `__init__`: one call less, a hundred thousand times
        handle._callback = callback
        handle._args = args
        handle._context = context if context is not None else copy_context()
        handle._cancelled = False
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _new_handle(SimTimer)  # likewise
        timer._callback = callback
        timer._args = args
        timer._context = context if context is not None else copy_context()
        timer._cancelled = False
        timer._when = when
        timer._timers_of = self
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        when = self.now_s + delay
        timer = _new_handle(SimTimer)
        timer._callback = callback
        timer._args = args
        timer._context = context if context is not None else copy_context()
        timer._cancelled = False
        timer._when = when
        timer._timers_of = self
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], *, name: object = None, context: Any = None
    ) -> asyncio.Task[T]:
        return asyncio.Task(coro, loop=self, name=cast("str | None", name), context=context)

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """There is no debug mode: asyncio's serves to find what takes real time."""

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def stop(self) -> None:
        self._stopping = True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        words = str(context.get("message", "a callback failed"))
        self.problems.append(f"{words}: {error!r}" if error is not None else words)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    async def shutdown_asyncgens(self) -> None:
        """Nothing to do: generators are closed as soon as nobody holds them."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Nothing to do: there are no threads."""

    # --- running --------------------------------------------------------------------------------------------------

    def run_until_complete(self, future: Any) -> Any:
        """Raises `Stuck` when the future can no longer be done."""
        task = asyncio.ensure_future(future, loop=self)
        if not task.done():
            task.add_done_callback(lambda _: self.stop())
            self.run_forever()
        if not task.done():
            task.cancel()
            raise Stuck("the simulation stands still: nothing is ready and no timer is set")
        return task.result()

    def run_forever(self) -> None:
        """Until `stop`, or until nothing can happen any more."""
        with self._as_running():
            while not self._stopping:
                self._run_ready()
                if self._stopping or not self._jump(float("inf")):
                    break

    def run_until(self, when_s: float) -> None:
        """Play until simulated time `when_s`, that moment included."""
        with self._as_running():
            while not self._stopping:
                self._run_ready()
                if self._stopping or not self._jump(when_s):
                    break
            if not self._stopping:
                self.now_s = max(self.now_s, when_s)

    def _run_ready(self) -> None:
        """Run callbacks until none is ready. The innermost loop of the simulator: every microsecond counts here."""
        ready = self._ready
        take = ready.popleft
        tag = PROCESS
        while ready and not self._stopping:
            self._rounds += 1
            if self._rounds % _ROUNDS_IN_NO_TIME == 0:
                self.now_s += _A_MOMENT_S
                if self._rounds > _ROUNDS_WITHOUT_A_PAUSE:
                    raise Spinning(f"there is no pause at {self.now_s:.3f} s; next: {ready[0]!r}")
            for _ in range(len(ready)):
                handle = take()
                if handle._cancelled:
                    continue
                context = handle._context
                process = context.get(tag)
                if process is not None and not process.runs:
                    if process.alive:
                        process.parked.append(handle)
                    continue
                try:
                    context.run(handle._callback, *handle._args)
                except Exception as error:  # noqa: BLE001  one callback's bug; reported, and the run fails by it
                    self.call_exception_handler({"message": f"{handle!r} failed", "exception": error})

    def _jump(self, until_s: float) -> bool:
        """Advance to the next timer that is due by `until_s` and make ready all that are due then."""
        timers = self._timers
        take = heapq.heappop
        while timers and timers[0][2]._cancelled:
            take(timers)
            self._cancelled_timers -= 1
        if not timers:
            return False
        due_s = timers[0][0]
        if due_s > until_s:
            return False
        now_s = self.now_s
        if due_s > now_s:
            if due_s > now_s + _A_MOMENT_S:
                self._rounds = 0
            self.now_s = now_s = due_s
        ready = self._ready
        while timers and timers[0][0] <= now_s:
            timer = take(timers)[2]
            if timer._cancelled:
                self._cancelled_timers -= 1
            else:
                ready.append(timer)
                timer._when = -1.0  # no longer among the timers: to cancel it leaves nothing behind there
        return True

    def forget_timer(self) -> None:
        """A timer was cancelled. Long ones would pile up among the timers, so now and then they are swept out."""
        self._cancelled_timers += 1
        if self._cancelled_timers > _CANCELLED_TIMERS_KEPT and self._cancelled_timers * 2 > len(self._timers):
            self._timers = [entry for entry in self._timers if not entry[2]._cancelled]
            heapq.heapify(self._timers)
            self._cancelled_timers = 0

    @contextmanager
    def _as_running(self) -> Generator[None, None, None]:
        if self._running:
            raise RuntimeError("the simulated loop runs already")
        hooks = sys.get_asyncgen_hooks()
        collecting = gc.isenabled()
        # The collector would close abandoned generators at moments that depend on the memory of the day.
        gc.disable()
        self._running = True
        self._stopping = False
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(firstiter=None, finalizer=self._close_generator)
        try:
            with _quick_running_loop(self):
                yield
        finally:
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(None)
            self._running = False
            self._stopping = False
            if collecting:
                gc.enable()

    def _close_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        if self._closed:
            return
        task = self.create_task(_close(generator))
        self._closers.add(task)
        task.add_done_callback(self._closers.discard)

    # --- simulated processes --------------------------------------------------------------------------------------

    def kill(self, *processes: Process) -> None:
        """Drop all that belongs to them. Their tasks are kept, unrun, so that no `finally` of theirs runs."""
        if processes:
            self._graves.append(asyncio.all_tasks(self))  # looks at every task that there is
        for process in processes:
            process.kill()

    def thaw(self, process: Process) -> None:
        if process.thaw():
            process.since_s = self.now_s
            self._ready.extend(process.parked)
            process.parked.clear()

    def close(self) -> None:
        """End of the simulation: free every task that is left, whatever its coroutine still wants to do."""
        if self._closed:
            return
        self._closed = True
        problems = list(self.problems)
        pending = asyncio.all_tasks(self).union(*self._graves)
        self._ready.clear()
        self._timers.clear()
        for task in pending:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                _end(task.get_coro())
        self._graves.clear()
        self._ready.clear()
        self._timers.clear()
        self.problems = problems


@contextmanager
def _quick_running_loop(loop: SimLoop) -> Generator[None, None, None]:
    """asyncio's `get_running_loop` makes a system call each time (it looks for a fork), and `sleep` and `timeout` ask
    it several times each: that alone would take a third of a run."""
    thread = threading.get_ident()
    places = [(module, name) for module in (asyncio, events) for name in ("get_running_loop", "_get_running_loop")]
    originals = [getattr(module, name) for module, name in places]

    def quick(original: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: loop if threading.get_ident() == thread else original()

    for (module, name), original in zip(places, originals, strict=True):
        setattr(module, name, quick(original))
    sleep = asyncio.sleep
    asyncio.sleep = _sleep_on(loop, sleep)
    try:
        yield
    finally:
        asyncio.sleep = sleep
        for (module, name), original in zip(places, originals, strict=True):
            setattr(module, name, original)


def _sleep_on(loop: SimLoop, original: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """asyncio's own, without looking for the loop: half of all timers are sleeps. A pause of nothing is left to it."""
    thread = threading.get_ident()

    async def sleep(delay: float, result: Any = None) -> Any:
        if delay <= 0 or threading.get_ident() != thread:
            return await original(delay, result)
        future: asyncio.Future[Any] = asyncio.Future(loop=loop)
        timer = loop.call_later(delay, _wake, future, result)
        try:
            return await future
        finally:
            timer.cancel()

    return sleep


def _wake(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.cancelled():
        future.set_result(result)


def _nothing() -> None:
    """What a cancelled handle holds instead of its callback, so that it keeps nothing alive."""


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    await generator.aclose()


def _end(coroutine: Any) -> None:
    """Close a coroutine that may await in its `finally`: the loop that it waits for is gone."""
    for _ in range(100):
        try:
            coroutine.close()
        except RuntimeError:  # it awaited something instead of ending: again
            continue
        except (Exception, BaseExceptionGroup):  # noqa: BLE001  nobody is left to hear it
            return
        return
