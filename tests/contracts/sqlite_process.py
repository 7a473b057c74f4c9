"""Another process that uses the database file: what the tests of SQLite start, freeze and kill.

`python sqlite_process.py PATH WHAT...`; it says a word on its standard output when it is there, and one per deed.
"""

import asyncio
import os
import signal
import sys

from outlast.adapters.sqlite import SqliteDatabase
from outlast.adapters.sqlite.lock import FileLock
from outlast.adapters.sqlite.store import Store
from outlast.ports.database import Committed, Compare, Put

HANG_S = 30.0


async def increment(path: str) -> None:
    """Add one to `count` for ever, by compare-and-set."""
    database = SqliteDatabase.open(path)
    while True:
        entries = (await database.read("count", timeout_s=HANG_S)).entries
        value, revision = (int(entries[0].value), entries[0].revision) if entries else (0, 0)
        writes = [Put("count", b"%d" % (value + 1))]
        outcome = await database.transact([Compare("count", revision)], writes, timeout_s=HANG_S)
        if isinstance(outcome, Committed):
            say("done")


async def put(path: str, key: str, count: str) -> None:
    database = SqliteDatabase.open(path)
    for number in range(int(count)):
        await database.transact([], [Put(key, b"%d" % number)], timeout_s=HANG_S)
    await database.close()
    say("done")


def freeze_in_its_turn(path: str) -> None:
    """Stop (as by SIGSTOP from outside) holding everything that a writer holds; go on when continued."""
    store = Store(path, 1000)
    lock = FileLock(f"{path}-lock")
    with lock.held():
        store._connection.execute("BEGIN IMMEDIATE")
        say("frozen")
        os.kill(os.getpid(), signal.SIGSTOP)
        store._connection.execute("ROLLBACK")
    say("done")


def die_before_the_bell(path: str, key: str) -> None:
    """Commit, and be killed where the bell would be rung."""

    class Killer:
        def ring(self) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    store = Store(path, 1000)
    store._ringer = Killer()  # type: ignore[assignment]
    store.transact([], [Put(key, b"from the dead")])


def die_in_the_middle(path: str, key: str) -> None:
    """Be killed after the writes and before the commit."""
    store = Store(path, 1000)
    store._lock.take()
    store._connection.execute("BEGIN IMMEDIATE")
    store._write([Put(key, b"from the dead")], store._present() + 1)
    os.kill(os.getpid(), signal.SIGKILL)


def say(word: str) -> None:
    os.write(1, f"{word}\n".encode())


def main(path: str, what: str, *arguments: str) -> None:
    match what:
        case "increment":
            asyncio.run(increment(path))
        case "put":
            asyncio.run(put(path, *arguments))
        case "freeze":
            freeze_in_its_turn(path)
        case "die-before-the-bell":
            die_before_the_bell(path, *arguments)
        case "die-in-the-middle":
            die_in_the_middle(path, *arguments)
        case _:
            sys.exit(f"unknown: {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
