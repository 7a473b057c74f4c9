"""The cluster database port on SQLite, as the event loop sees it.

A call becomes jobs of the worker thread. A job that finds another process at its turn does nothing and is given
again a moment later, until the caller's time is over, so the worker is always free for reads and watches. A write
whose time is over is taken back unless its COMMIT has begun: only then is it `Uncertain`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from outlast.adapters.sqlite.faults import Busy
from outlast.adapters.sqlite.store import Store
from outlast.adapters.sqlite.watches import Watches
from outlast.adapters.sqlite.worker import Begin, Call, StillRunning, TooLate, Worker
from outlast.ports.database import (
    Batch,
    Committed,
    Compare,
    Refused,
    Snapshot,
    Unavailable,
    Uncertain,
    Write,
    check_limits,
)

KEEP_REVISIONS = 20_000

_TIDY_EVERY = 64

_FIRST_RETRY_S = 0.001
_LAST_RETRY_S = 0.016

_CLOSE_WITHIN_S = 5.0


class SqliteDatabase:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._worker = Worker("sqlite")
        self._watches = Watches(store, self._read)
        self._closed = False

    @classmethod
    def open(cls, path: str, *, keep_revisions: int = KEEP_REVISIONS) -> "SqliteDatabase":
        """Open the database, creating it if need be. Blocks; needs no event loop. Raises `Unavailable`."""
        return cls(Store(path, keep_revisions))

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        snapshot: Snapshot = await self._read(lambda: self._store.read(prefix), timeout_s)
        return snapshot

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        compares, writes = tuple(compares), tuple(writes)
        check_limits(compares, writes)
        outcome: Committed | Refused = await self._run(
            lambda begin: self._store.transact(compares, writes, begin), timeout_s
        )
        if isinstance(outcome, Committed) and outcome.revision % _TIDY_EVERY == 0:
            self._worker.post(lambda begin: self._store.tidy())  # the caller need not wait for it
        return outcome

    def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[Batch, None]:
        return self._watches.watch(prefix, after_revision)

    async def compact(self, revision: int, *, timeout_s: float) -> None:
        await self._run(lambda begin: self._store.compact(revision, begin), timeout_s)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._watches.end()
        try:
            await self._worker.run(self._close_store, timeout_s=_CLOSE_WITHIN_S)
        except (TooLate, StillRunning):
            pass  # the disk hangs; the kernel closes the file when the process ends
        finally:
            self._worker.end()

    def _close_store(self, begin: Begin) -> None:
        begin()
        self._store.close()

    async def _read(self, call: Callable[[], Any], timeout_s: float) -> Any:
        return await self._run(lambda begin: call(), timeout_s)

    async def _run(self, call: Call, timeout_s: float) -> Any:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        pause_s = _FIRST_RETRY_S
        why = "the disk or calls before this one are slow"
        while not self._closed:
            try:
                return await self._worker.run(call, timeout_s=deadline_s - loop.time())
            except Busy:
                why = "another process holds its lock"
            except TooLate:
                raise Unavailable(self._late(timeout_s, why)) from None
            except StillRunning:
                raise Uncertain(self._late(timeout_s, "the disk has not confirmed the commit")) from None
            if loop.time() + pause_s > deadline_s:
                raise Unavailable(self._late(timeout_s, why))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LAST_RETRY_S)
        raise Unavailable(f"cannot use the cluster database {self._store.path}: this connection is closed")

    def _late(self, timeout_s: float, why: str) -> str:
        return f"cannot get an answer of the cluster database {self._store.path} within {timeout_s:g} s: {why}"
