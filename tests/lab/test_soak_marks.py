"""The marks of a soak, on a real database: acknowledged, read back, and missed when they are gone. Needs no lab."""

import asyncio
from pathlib import Path

from outlast.adapters.sqlite import SqliteDatabase
from outlast.lab.history import MARK, Mark, keys_written, mark, read
from outlast.lab.ledger import lost
from outlast.model import keys
from outlast.ports.database import Database, Delete, Put

TIMEOUT_S = 5.0


async def marked(database: Database, times: int) -> list[Mark]:
    marks = []
    async for one in mark(database):
        marks.append(one)
        if len(marks) == times:
            break
    return marks


async def put(database: Database, key: str) -> None:
    await database.transact([], [Put(key, b"{}")], timeout_s=TIMEOUT_S)


def test_every_mark_is_read_back_under_its_revision_and_the_commits_between_them_with_it(tmp_path: Path) -> None:
    async def play() -> None:
        database = SqliteDatabase.open(str(tmp_path / "cluster.db"))
        await put(database, keys.SESSIONS + "n1")
        start = await read(database, 0)
        assert start.whole
        first = await marked(database, 2)
        await put(database, keys.SESSIONS + "n2")
        await put(database, keys.EVENTS + "1")
        second = await marked(database, 2)
        await put(database, keys.SESSIONS + "n1")
        found, third = await asyncio.gather(read(database, start.batches[-1].revision), marked(database, 1))
        assert not found.whole
        assert [change.key for batch in found.batches for change in batch.changes] == [
            keys.SESSIONS + "n2",
            keys.SESSIONS + "n1",
        ]
        marks = [*first, *second, *third]
        assert found.marks == tuple((one.number, one.revision) for one in marks)
        assert [one.number for one in marks] == [1, 2, 3, 4, 5], "another one goes on where it stands"
        assert first[-1].revision < found.batches[0].revision < second[0].revision
        assert lost(marks, found) == []
        written = await keys_written(database, start.batches[-1].revision)
        assert written == {MARK: 5, keys.SESSIONS + "n1": 1, keys.SESSIONS + "n2": 1, keys.EVENTS + "1": 1}
        await database.close()

    asyncio.run(play())


def test_a_mark_that_is_gone_is_missed_also_when_the_history_is(tmp_path: Path) -> None:
    async def play() -> None:
        database = SqliteDatabase.open(str(tmp_path / "cluster.db"))
        marks = await marked(database, 2)
        await database.transact([], [Delete(MARK)], timeout_s=TIMEOUT_S)
        await put(database, keys.SESSIONS + "n1")
        present = await database.read(keys.CONTROL, timeout_s=TIMEOUT_S)
        await database.compact(present.revision - 1, timeout_s=TIMEOUT_S)
        found = await read(database, 1)
        assert found.whole, "its history is gone"
        assert len(lost(marks, found)) == 2
        await database.close()

    asyncio.run(play())
