"""The small steps in which stories about a cluster database are told."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import cast

from outlast.ports.database import Batch, Committed, Database, Delete, Put, Unavailable

SOON_S = 10.0  # catches a hang, measures nothing
SHORT_S = 0.5  # what is not acknowledged then is written again


async def put(database: Database, **values: bytes) -> int:
    """Put these and return the revision."""
    return await commit(database, [Put(key, value) for key, value in values.items()])


async def delete(database: Database, *keys: str) -> int:
    return await commit(database, [Delete(key) for key in keys])


async def commit(database: Database, writes: list[Put] | list[Delete]) -> int:
    outcome = await database.transact([], writes, timeout_s=SOON_S)
    assert isinstance(outcome, Committed)
    return outcome.revision


async def surely_put(database: Database, **values: bytes) -> int:
    """What was on its way to a leader that died is lost; so this may write more than once. The last revision."""
    while True:
        with suppress(Unavailable):
            writes = [Put(key, value) for key, value in values.items()]
            outcome = await database.transact([], writes, timeout_s=SHORT_S)
            assert isinstance(outcome, Committed)
            return outcome.revision


async def contents(database: Database) -> dict[str, bytes]:
    snapshot = await database.read("", timeout_s=SOON_S)
    return {entry.key: entry.value for entry in snapshot.entries}


async def take(batches: AsyncIterator[Batch], count: int) -> list[Batch]:
    return [await after(batches) for _ in range(count)]


async def after(batches: AsyncIterator[Batch]) -> Batch:
    """The next one. (Not by `wait_for`, which reads in a task of its own.)"""
    async with asyncio.timeout(SOON_S):
        return await anext(batches)


async def collect(batches: AsyncIterator[Batch]) -> list[Batch]:
    return [batch async for batch in batches]


async def settle(database: Database) -> None:
    """Let what was started do its first steps: a few calls go to the database and come back meanwhile."""
    for _ in range(3):
        await database.read("no such key", timeout_s=SOON_S)


def follow(entries: dict[str, bytes], batch: Batch) -> None:
    for change in batch.changes:
        if change.value is None:
            entries.pop(change.key, None)
        else:
            entries[change.key] = change.value


def generator(batches: AsyncIterator[Batch]) -> AsyncGenerator[Batch, None]:
    """The port promises an iterator that can be closed."""
    return cast("AsyncGenerator[Batch, None]", batches)
