"""How do the watches of one connection get every commit, in order, once, with one read for all of them?

A watch lives in one of two ways. *Catching up*: it reads the history from its own position. *Fed*: it has seen
at least what the reader has, and the reader hands it each commit that concerns it. It passes to the second when
the reader is not ahead of it, and falls back when its consumer is too slow to hold its commits in memory, or when
the reader finds its history gone. Every step is taken on the event loop between two awaits, so that no commit
falls in between.
"""

import asyncio
import functools
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol

from outlast.adapters.sqlite.bell import Listener
from outlast.adapters.sqlite.store import CHUNK, History, Store
from outlast.ports.database import Batch, Compacted, Unavailable

_PENDING_AT_MOST = 1000

# A read that takes longer is given up and tried again: a watch mends itself.
_READ_WITHIN_S = 5.0
_RETRY_S = 0.5


class Read(Protocol):
    def __call__(self, call: Callable[[], Any], timeout_s: float) -> Awaitable[Any]: ...


class _Fed:
    """A watch that the reader serves. `position`: it has been handed everything up to there."""

    __slots__ = ("_waiting", "fault", "left", "pending", "position", "prefix")

    def __init__(self, prefix: str, position: int) -> None:
        self.prefix = prefix
        self.position = position
        self.pending: deque[Batch] = deque()
        self.left = False  # the reader serves it no longer
        self.fault: BaseException | None = None
        self._waiting: asyncio.Future[None] | None = None

    def hand(self, batch: Batch) -> None:
        if batch.revision <= self.position:
            return
        changes = tuple(change for change in batch.changes if change.key.startswith(self.prefix))
        if changes:
            self.pending.append(batch if len(changes) == len(batch.changes) else Batch(batch.revision, changes))
            self.wake()
        self.position = batch.revision

    def wake(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    async def something_new(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting


class Watches:
    def __init__(self, store: Store, read: Read) -> None:
        self._store = store
        self._read = read
        self._open = 0
        self._fed: list[_Fed] = []
        self._position = 0  # the reader's; means something while there are fed watches
        self._rung = asyncio.Event()
        self._listener: Listener | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ended = False

    async def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[Batch, None]:
        if self._ended:
            return
        self._begin()
        position = after_revision
        fed: _Fed | None = None
        try:
            while not self._ended:
                if fed is None:
                    history = await self._read_history(prefix, position)
                    position = max(position, history.until)
                    for batch in history.batches:
                        yield batch
                    fed = self._feed(prefix, position, history)
                elif fed.pending:
                    yield fed.pending.popleft()
                elif fed.fault:
                    raise fed.fault
                elif fed.left:
                    position, fed = fed.position, None
                else:
                    await fed.something_new()
        finally:
            self._leave(fed)
            self._finish()

    def end(self) -> None:
        self._ended = True
        for fed in self._fed:
            fed.wake()

    def _feed(self, prefix: str, position: int, history: History) -> _Fed | None:
        """None when the watch must catch up once more."""
        if history.until < history.present or (self._fed and self._position > history.present):
            return None
        if not self._fed:
            self._position = history.present
        fed = _Fed(prefix, position)
        self._fed.append(fed)
        self._rung.set()  # a bell between the read of the history and now was for nobody
        return fed

    def _leave(self, fed: _Fed | None) -> None:
        if fed in self._fed:
            self._fed.remove(fed)

    def _begin(self) -> None:
        """The bell is listened to before the history is read: what comes after that read is heard."""
        if self._open == 0:
            try:
                self._listener = Listener(self._store.bell_path, self._rung.set)
            except OSError as error:
                raise Unavailable(
                    f"cannot watch the cluster database {self._store.path}: inotify says {error.strerror}; "
                    "raise fs.inotify.max_user_instances with sysctl"
                ) from error
            self._reader = asyncio.create_task(self._read_for_all(), name="sqlite watches")
        self._open += 1

    def _finish(self) -> None:
        self._open -= 1
        if self._open == 0 and self._listener and self._reader:
            self._listener.close()
            self._reader.cancel()
            self._listener = self._reader = None

    async def _read_history(self, prefix: str, after_revision: int) -> History:
        while True:
            try:
                read = functools.partial(self._store.history, after_revision, prefix)
                history: History = await self._read(read, _READ_WITHIN_S)
                return history
            except Unavailable:
                if self._ended:
                    return History((), after_revision, after_revision)
                await asyncio.sleep(_RETRY_S)

    async def _read_for_all(self) -> None:
        try:
            while True:
                await self._rung.wait()
                self._rung.clear()
                if self._fed:
                    await self._read_news()
        except Exception as error:
            for fed in self._fed:  # a bug; without this the watches would wait for ever
                fed.fault = error
                fed.wake()
            raise

    async def _read_news(self) -> None:
        try:
            read = functools.partial(self._store.news, self._position)
            news: History = await self._read(read, _READ_WITHIN_S)
        except Compacted:
            # Each of them finds out from its own position whether it has missed anything.
            self._send_away(self._fed)
        except Unavailable:
            await asyncio.sleep(_RETRY_S)
            self._rung.set()
        else:
            self._hand_out(news)

    def _hand_out(self, news: History) -> None:
        for batch in news.batches:
            for fed in self._fed:
                fed.hand(batch)
        # Not backwards: while this was read, all watches may have gone and others come.
        self._position = max(self._position, news.until)
        if len(news.batches) == CHUNK:
            self._rung.set()
        self._send_away([fed for fed in self._fed if len(fed.pending) > _PENDING_AT_MOST])

    def _send_away(self, leaving: list[_Fed]) -> None:
        for fed in list(leaving):
            fed.left = True
            self._fed.remove(fed)
            fed.wake()
