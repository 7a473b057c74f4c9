"""Commits that come at the most awkward moment of a watch's life. (The look after a second of silence is put off for
hours here: it would mend what must not be broken.)"""

import asyncio
import functools
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from database_steps import after, put, settle, take

from outlast.adapters.sqlite import SqliteDatabase, bell
from outlast.adapters.sqlite.bell import Listener
from outlast.adapters.sqlite.store import Store
from outlast.adapters.sqlite.watches import Watches
from outlast.ports.database import Compacted, Put


@pytest.fixture(autouse=True)
def bell_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "SILENCE_S", 3600.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(str(tmp_path / "cluster.db"), 100_000)
    yield store
    store.close()


class Interrupted:
    """Runs the reads of the watches, and once, after a read and before its result arrives, lets a commit happen."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rung = asyncio.Event()
        self._listener = Listener(store.bell_path, self._rung.set)
        self.next_of = ""

    async def read(self, call: Callable[[], Any], timeout_s: float) -> Any:
        result = call()
        assert isinstance(call, functools.partial)
        if call.func.__name__ == self.next_of:
            self.next_of = ""
            await self.commit()
        return result

    async def commit(self) -> None:
        """Return when everyone on this loop has had time to hear the bell and act on it."""
        self._rung.clear()
        self._store.transact([], [Put("k", b"")])
        await self._rung.wait()
        for _ in range(20):
            await asyncio.sleep(0)

    def close(self) -> None:
        self._listener.close()


def test_a_commit_between_reading_history_and_being_fed_is_not_missed(store: Store) -> None:
    async def main() -> None:
        reads = Interrupted(store)
        reads.next_of = "history"
        async with aclosing(Watches(store, reads.read).watch("", 0)) as batches:
            assert (await after(batches)).revision == 1
        reads.close()

    asyncio.run(main())


def test_a_watch_that_begins_while_the_reader_goes_on_is_not_left_behind_it(store: Store) -> None:
    async def main() -> None:
        reads = Interrupted(store)
        watches = Watches(store, reads.read)
        async with aclosing(watches.watch("", 0)) as first, aclosing(watches.watch("", 0)) as second:
            fed = asyncio.create_task(take(first, 2))
            await reads.commit()
            reads.next_of = "history"
            assert [batch.revision for batch in await take(second, 2)] == [1, 2]
            assert [batch.revision for batch in await fed] == [1, 2]
        reads.close()

    asyncio.run(main())


def test_a_bell_during_the_reading_of_news_is_not_forgotten(store: Store) -> None:
    async def main() -> None:
        reads = Interrupted(store)
        async with aclosing(Watches(store, reads.read).watch("", 0)) as batches:
            fed = asyncio.create_task(take(batches, 3))
            await reads.commit()
            reads.next_of = "news"
            await reads.commit()
            assert [batch.revision for batch in await fed] == [1, 2, 3]
        reads.close()

    asyncio.run(main())


def test_more_news_than_one_read_takes_are_read_to_the_end(store: Store) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(store.path)
        fed = asyncio.create_task(take(database.watch("", 0), 1200))
        await settle(database)
        for _ in range(1200):  # the event loop stands still meanwhile, and hears all bells as one
            store.transact([], [Put("k", b"")])
        assert [batch.revision for batch in await fed] == list(range(1, 1201))
        await database.close()

    asyncio.run(main())


def test_a_watch_that_was_up_to_date_before_a_long_stop_is_told_when_it_missed_history(store: Store) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(store.path)
        misses, unconcerned = database.watch("k", 0), database.watch("other", 0)
        fed = [asyncio.create_task(take(batches, 1)) for batches in (misses, unconcerned)]
        await settle(database)
        await put(database, k=b"", other=b"")
        await asyncio.gather(*fed)
        for _ in range(3):  # the event loop stands still from here on
            store.transact([], [Put("k", b"")])
        store.compact(4)
        store.transact([], [Put("k", b"")])
        for batches in (misses, unconcerned):
            with pytest.raises(Compacted):
                await take(batches, 1)
        await database.close()

    asyncio.run(main())
