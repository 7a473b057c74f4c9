"""Keeps the disks of the cluster database from filling up. The coordinator does it; when the database is full, nobody
can be coordinator any more, so every node does it then, at once but each at a time of its own."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random

import structlog

from outlast.core.quorum.upkeep import CallOff, Forget, Reclaim, Step, next_step
from outlast.ports.database import Database, Unavailable
from outlast.ports.upkeep import Upkeep

INTERVAL_S = 60.0
SPREAD_S = 3.0
"""The first one who finds the database full makes room before the others begin, mostly."""
AGAIN_S = 15.0
"""Between two rounds, if room was made and it is full again at once."""
LOOK_TIMEOUT_S = 5.0
STEP_TIMEOUT_S = 120.0

log = structlog.get_logger()


async def keep_up(
    upkeep: Upkeep,
    database: Database,
    coordinates: Callable[[], bool],
    chance: Random,
    unwritable: asyncio.Event,
    made_room: Callable[[], None],
) -> None:
    """For ever, every minute or so, and when the database has refused to write."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(INTERVAL_S * chance.uniform(0.8, 1.2)):
                await unwritable.wait()
                await asyncio.sleep(chance.uniform(0.0, SPREAD_S))
        try:
            done = await one_round(upkeep, database, coordinates())
        except Unavailable as error:
            log.info("the upkeep of the database waits", why=str(error))
        else:
            if any(isinstance(step, CallOff) for step in done):
                made_room()
        if unwritable.is_set():
            await asyncio.sleep(AGAIN_S)
            unwritable.clear()


async def one_round(upkeep: Upkeep, database: Database, coordinates: bool) -> list[Step]:
    """What was done. Raises `Unavailable`."""
    done: list[Step] = []
    while True:
        sizes = await upkeep.sizes(timeout_s=LOOK_TIMEOUT_S)
        full = any(size.full for size in sizes)
        step = next_step(sizes, done=done) if full or coordinates else None
        if step is None:
            return done
        log.warning("upkeep of the database", step=step.words) if full else log.info("upkeep", step=step.words)
        await _carry_out(step, upkeep, database)
        done.append(step)


async def _carry_out(step: Step, upkeep: Upkeep, database: Database) -> None:
    match step:
        case Forget():
            # Of a key that cannot be: what counts is the revision.
            snapshot = await database.read("\0", timeout_s=LOOK_TIMEOUT_S)
            await database.compact(snapshot.revision, timeout_s=STEP_TIMEOUT_S)
        case Reclaim(url=url):
            await upkeep.reclaim(url, timeout_s=STEP_TIMEOUT_S)
        case CallOff():
            await upkeep.call_off(timeout_s=LOOK_TIMEOUT_S)
