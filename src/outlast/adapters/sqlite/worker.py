"""Who makes the SQLite calls, so that the event loop never waits for a disk?

One thread per connection, jobs in the order they came. It is a daemon thread of our own and not an executor's:
Python joins those at exit, and a process must be able to end while its disk hangs.
"""

import asyncio
import contextlib
import functools
import queue
import threading
from collections.abc import Callable
from typing import Any

Begin = Callable[[], None]
"""A call asks this before its first step that cannot be taken back. Raises `Withdrawn`."""

Call = Callable[[Begin], Any]


class TooLate(Exception):
    """The time was over before the call had begun what cannot be taken back; it never will."""


class StillRunning(Exception):
    """The time was over after that; how it ends is not known."""


class Withdrawn(Exception):
    """Nobody waits for this call any more: leave everything as it was."""


class Job:
    """A call on its way to the worker and its outcome on the way back."""

    __slots__ = ("answer", "begun", "call", "loop", "withdrawn")

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        self.call = call
        self.loop = loop
        self.answer: asyncio.Future[Any] = loop.create_future()
        self.begun = False
        self.withdrawn = False


class Worker:
    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # Makes "has it begun?" and "withdraw it" one step.
        self._deciding = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, call: Call, *, timeout_s: float) -> Any:
        """The result of `call`, or `TooLate`, or `StillRunning`."""
        loop = asyncio.get_running_loop()
        job = Job(call, loop)
        self._jobs.put(job)
        timer = loop.call_later(timeout_s, self._give_up, job)
        try:
            return await job.answer
        except asyncio.CancelledError:
            self._withdraw(job)
            raise
        finally:
            timer.cancel()

    def post(self, call: Call) -> None:
        """Do `call` some time; nobody waits for it."""
        self._jobs.put(Job(call, asyncio.get_running_loop()))

    def end(self) -> None:
        """Let the thread end after the jobs that were given to it."""
        self._jobs.put(None)

    def _give_up(self, job: Job) -> None:
        if not job.answer.done():
            job.answer.set_exception(TooLate() if self._withdraw(job) else StillRunning())

    def _withdraw(self, job: Job) -> bool:
        with self._deciding:
            job.withdrawn = not job.begun
            return job.withdrawn

    def _begin(self, job: Job) -> None:
        with self._deciding:
            if job.withdrawn:
                raise Withdrawn
            job.begun = True

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.withdrawn:
                continue
            try:
                result, error = job.call(functools.partial(self._begin, job)), None
            except BaseException as raised:  # noqa: BLE001 - belongs to the caller, whatever it is
                result, error = None, raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                job.loop.call_soon_threadsafe(_settle, job.answer, result, error)
            del job, result, error


def _settle(answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
