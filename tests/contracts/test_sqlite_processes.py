"""Several processes share one SQLite database: they are killed, frozen and die at the worst moment."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest
from database_steps import SOON_S, contents, put, take

from outlast.adapters.sqlite import SqliteDatabase
from outlast.adapters.sqlite.lock import FileLock
from outlast.ports.database import Committed, Put, Unavailable, Uncertain

PROGRAM = Path(__file__).with_name("sqlite_process.py")

KILLING_S = 3.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "cluster.db")


def test_no_increment_is_lost_or_done_twice_while_processes_are_killed(path: str) -> None:
    chance = random.Random(4)
    until_s = time.monotonic() + KILLING_S
    acknowledged, kills = 0, 0
    processes = [start(path, "increment") for _ in range(3)]
    for process in processes:
        acknowledged += wait_for(process, "done")
    while time.monotonic() < until_s:
        time.sleep(chance.uniform(0.02, 0.1))  # the writers' time, not ours: they go on meanwhile
        place = chance.randrange(3)
        acknowledged += kill(processes[place])
        kills += 1
        processes[place] = start(path, "increment")
    acknowledged += sum(kill(process) for process in processes)
    kills += 3

    async def check() -> None:
        database = SqliteDatabase.open(path)
        count = int((await contents(database))["count"])
        # A process may be killed between its commit and its word.
        assert acknowledged <= count <= acknowledged + kills
        assert acknowledged > kills > 10
        first = max(0, count - 10_000)  # a fast machine has forgotten the beginning
        batches = await take(database.watch("", first), count - first)
        assert [(batch.revision, batch.changes[0].value) for batch in batches] == [
            (number, b"%d" % number) for number in range(first + 1, count + 1)
        ]
        await database.close()

    asyncio.run(check())
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_watch_sees_every_commit_of_several_writing_processes_in_order(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        batches = database.watch("k/", 0)
        processes = [start(path, "put", f"k/{number}", "200") for number in range(3)]
        seen = [(change.key, change.value) for batch in await take(batches, 600) for change in batch.changes]
        for number in range(3):
            assert [value for key, value in seen if key == f"k/{number}"] == [b"%d" % step for step in range(200)]
        for process in processes:
            assert process.wait(SOON_S) == 0
        await database.close()

    asyncio.run(main())


def test_a_frozen_writer_makes_the_others_unavailable_in_time_and_stops_no_reader(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        await put(database, k=b"before")
        with frozen(path) as writer:
            started_s = time.monotonic()
            with pytest.raises(Unavailable, match="another process holds its lock") as caught:
                await database.transact([], [Put("k", b"lost")], timeout_s=0.3)
            assert not isinstance(caught.value, Uncertain)  # nothing had begun
            assert 0.2 < time.monotonic() - started_s < 2
            assert await contents(database) == {"k": b"before"}
            other = SqliteDatabase.open(path)
            assert await contents(other) == {"k": b"before"}
            [batch] = await take(other.watch("", 0), 1)
            assert batch.revision == 1
            waiting = asyncio.create_task(database.transact([], [Put("k", b"after")], timeout_s=SOON_S))
            await contents(database)
            assert not waiting.done()
            writer.send_signal(signal.SIGCONT)
            assert await waiting == Committed(2)
        await other.close()
        await database.close()

    asyncio.run(main())


def test_who_holds_the_lock_has_the_turn_before_any_transaction_begins(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        lock = FileLock(f"{path}-lock")
        with lock.held(), pytest.raises(Unavailable, match="another process holds its lock"):
            await database.transact([], [Put("k", b"")], timeout_s=0.1)
        assert await put(database, k=b"") == 1
        lock.close()
        await database.close()

    asyncio.run(main())


def test_another_program_in_the_file_is_waited_for(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        shell = sqlite3.connect(path, isolation_level=None)
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await database.transact([], [Put("k", b"")], timeout_s=0.1)
        waiting = asyncio.create_task(put(database, k=b""))
        await contents(database)
        shell.execute("ROLLBACK")
        assert await waiting == 1
        shell.close()
        await database.close()

    asyncio.run(main())


def test_a_frozen_writer_that_is_killed_holds_nobody_up(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        await put(database, k=b"before")
        with frozen(path) as writer:
            waiting = asyncio.create_task(put(database, k=b"after"))
            await contents(database)
            writer.kill()
            assert await waiting == 2
        await database.close()

    asyncio.run(main())


def test_a_commit_whose_writer_died_before_ringing_the_bell_is_seen_by_the_watches(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        start_revision = await put(database, k=b"")
        async with aclosing(database.watch("", start_revision)) as batches:
            await put(database, k=b"")
            await take(batches, 1)
            for number in range(2):
                dead = start(path, "die-before-the-bell", f"k{number}")
                assert dead.wait(SOON_S) == -signal.SIGKILL
                [batch] = await take(batches, 1)
                assert [change.key for change in batch.changes] == [f"k{number}"]
            assert await put(database, k=b"") == batch.revision + 1
            assert [batch.revision for batch in await take(batches, 1)] == [start_revision + 4]
        await database.close()

    asyncio.run(main())


def test_of_a_writer_killed_before_its_commit_nothing_is_left(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        await put(database, k=b"")
        assert start(path, "die-in-the-middle", "half").wait(SOON_S) == -signal.SIGKILL
        assert await contents(database) == {"k": b""}
        assert await put(database, k=b"1") == 2
        assert [batch.revision for batch in await take(database.watch("", 0), 2)] == [1, 2]
        await database.close()

    asyncio.run(main())


def test_processes_that_open_a_new_database_at_once_agree_on_it(path: str) -> None:
    processes = [start(path, "put", f"k{number}", "1") for number in range(6)]
    assert [process.wait(SOON_S) for process in processes] == [0] * 6

    async def check() -> None:
        database = SqliteDatabase.open(path)
        assert await contents(database) == {f"k{number}": b"0" for number in range(6)}
        await database.close()

    asyncio.run(check())


def start(path: str, *arguments: str) -> subprocess.Popen[bytes]:
    # Without a buffer: what is read after a kill must be all that `wait_for` has not read.
    return subprocess.Popen([sys.executable, str(PROGRAM), path, *arguments], stdout=subprocess.PIPE, bufsize=0)


def wait_for(process: subprocess.Popen[bytes], word: str) -> int:
    """The number of lines up to this word."""
    assert process.stdout
    lines = 1
    while process.stdout.readline().decode().strip() != word:
        assert process.poll() is None, "the process ended before it said so"
        lines += 1
    return lines


def kill(process: subprocess.Popen[bytes]) -> int:
    """The number of lines that it had still written."""
    process.kill()
    rest, _ = process.communicate(timeout=SOON_S)
    return rest.count(b"\n")


@contextmanager
def frozen(path: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands still while it holds the lock and is in a transaction."""
    process = start(path, "freeze")
    try:
        wait_for(process, "frozen")
        _, status = os.waitpid(process.pid, os.WUNTRACED)  # it says the word just before it stops
        assert os.WIFSTOPPED(status)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SOON_S)
