"""What was committed to a lab's cluster database, and when? Asked from beside the nodes, while they fail.

    python -m outlast.lab.history DIRECTORY-OF-A-NODE [--keys-since REVISION]

A process in the lab's switch: no cut reaches it, and no node's power. It writes a *mark* again and again, a key of its
own beside the cluster's, and tells each one that was acknowledged: that is what must never be lost, and it says when
the commits before and after it were made. On standard input it is asked for the history after a revision. `Ledger`
(`lab/ledger.py`) is the other end. With `--keys-since` it only says which keys were written since then, how often.
"""

import asyncio
import sys
import time
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from outlast.adapters.etcd import Client, EtcdDatabase
from outlast.adapters.sqlite import SqliteDatabase
from outlast.model import keys
from outlast.ports.database import (
    Batch,
    Change,
    Committed,
    Compacted,
    Compare,
    Database,
    Put,
    Unavailable,
    Uncertain,
)
from outlast.service.config import NodeConfig
from outlast.service.entry import log_to_stderr

MARK = "soak/mark"
EVERY_S = 0.2
WRITE_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 20.0


class Mark(msgspec.Struct, frozen=True, tag=True):
    """An acknowledged write of the mark. Seconds of CLOCK_BOOTTIME, by which permits count as well."""

    number: int
    revision: int
    sent_s: float
    acknowledged_s: float


class History(msgspec.Struct, frozen=True, tag=True):
    whole: bool
    """The first batch is all that stood there at its revision, and what was before is not known."""
    batches: tuple[Batch, ...]
    marks: tuple[tuple[int, int], ...] = ()
    """Number and revision of each mark that stands in the history; when `whole`, of the last one."""
    after: int = 0
    """What was asked for."""


class Unread(msgspec.Struct, frozen=True, tag=True):
    why: str
    after: int = 0


def now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def decode(line: str) -> Mark | History | Unread:
    return msgspec.json.decode(line, type=Mark | History | Unread)


async def mark(database: Database) -> AsyncIterator[Mark]:
    """For ever. Compared with the mark before, so that a write which comes through late undoes none."""
    number, standing = 0, None
    while True:
        sent_s = now_s()
        try:
            if standing is None:
                number, standing = await _last_mark(database)
            put = Put(MARK, str(number + 1).encode())
            done = await database.transact([Compare(MARK, standing)], [put], timeout_s=WRITE_TIMEOUT_S)
        except Uncertain:
            standing = None
        except Unavailable:
            pass
        else:
            standing = done.revision if isinstance(done, Committed) else None
            if standing is not None:
                number += 1
                yield Mark(number, standing, sent_s, now_s())
        await asyncio.sleep(max(0.01, EVERY_S - (now_s() - sent_s)))


async def read(database: Database, after: int) -> History:
    """All commits after that revision; what stands there now when it is 0, or when the history after it is gone."""
    present = await database.read(keys.CONTROL, timeout_s=READ_TIMEOUT_S)
    try:
        if after:
            async with asyncio.timeout(READ_TIMEOUT_S):
                batches = await _until(database, keys.CONTROL, after, present.revision)
                marked = await _until(database, MARK, after, present.revision)
            return History(False, batches, tuple(_mark_of(batch.changes[0]) for batch in marked), after)
    except Compacted:
        pass
    changes = tuple(Change(entry.key, entry.value, entry.revision) for entry in present.entries)
    return History(True, (Batch(present.revision, changes),), (await _last_mark(database),), after)


async def keys_written(database: Database, after: int) -> dict[str, int]:
    """Of all keys there are: how often each was written or deleted after that revision."""
    present = await database.read(keys.CONTROL, timeout_s=READ_TIMEOUT_S)
    async with asyncio.timeout(READ_TIMEOUT_S):
        batches = await _until(database, "", after, present.revision)
    return dict(Counter(change.key for batch in batches for change in batch.changes))


async def _until(database: Database, prefix: str, after: int, revision: int) -> tuple[Batch, ...]:
    """Sessions and marks are written all the time: one at or after that revision will come."""
    found: list[Batch] = []
    async for batch in database.watch(prefix, after):
        found.append(batch)
        if batch.revision >= revision:
            break
    return tuple(found)


async def _last_mark(database: Database) -> tuple[int, int]:
    """Its number and its revision."""
    found = await database.read(MARK, timeout_s=WRITE_TIMEOUT_S)
    return next(((int(entry.value), entry.revision) for entry in found.entries), (0, 0))


def _mark_of(change: Change) -> tuple[int, int]:
    return int(change.value or b"0"), change.revision


def _open(node: Path) -> Database:
    """As that node reaches it, by the files on its disk."""
    config = msgspec.convert(tomllib.loads((node / "etc/outlast/outlast.toml").read_text()), NodeConfig)
    if config.etcd is None:
        return SqliteDatabase.open(config.database.partition(":")[2])
    etcd, files = config.etcd, [str(node / path.lstrip("/")) for path in _files(config)]
    ca, certificate, key = files
    return EtcdDatabase(Client(etcd.endpoints, prefix=etcd.prefix, ca=ca, certificate=certificate, key=key))


def _files(config: NodeConfig) -> Sequence[str]:
    assert config.etcd is not None
    return config.etcd.ca, config.etcd.certificate, config.etcd.key


async def _say_keys(node: Path, after: int) -> None:
    print(msgspec.json.encode(await keys_written(_open(node), after)).decode())


async def _serve(node: Path) -> None:
    database = _open(node)
    marking = asyncio.create_task(_tell_marks(database))
    while line := await asyncio.to_thread(sys.stdin.readline):  # its end: whoever asked is gone
        try:
            _tell(await read(database, int(line)))
        except (Unavailable, TimeoutError) as error:
            _tell(Unread(str(error) or "it takes too long", int(line)))
        if marking.done():
            marking.result()
    marking.cancel()


async def _tell_marks(database: Database) -> None:
    async for one in mark(database):
        _tell(one)


def _tell(what: msgspec.Struct) -> None:
    print(msgspec.json.encode(what).decode(), flush=True)


if __name__ == "__main__":
    log_to_stderr()
    asyncio.run(_say_keys(Path(sys.argv[1]), int(sys.argv[3])) if sys.argv[2:] else _serve(Path(sys.argv[1])))
