"""Keeps the event log bounded: the coordinator deletes the oldest events and stored inputs."""

import asyncio
from collections.abc import Callable

from outlast.model import keys
from outlast.ports.database import Delete, Unavailable
from outlast.service.store import READ_TIMEOUT_S, Store

INTERVAL_S = 600.0
INPUTS_KEPT = 500
DELETES_PER_TRANSACTION = 100


async def prune(store: Store, coordinates: Callable[[], bool]) -> None:
    """For ever, every ten minutes."""
    while True:
        await asyncio.sleep(INTERVAL_S)
        if not coordinates():
            continue
        try:
            await _keep(store, keys.EVENTS, store.settings.events_kept)
            await _keep(store, keys.INPUTS, INPUTS_KEPT)
        except Unavailable:
            continue


async def _keep(store: Store, prefix: str, kept: int) -> None:
    snapshot = await store.database.read(prefix, timeout_s=READ_TIMEOUT_S)
    oldest_first = sorted(snapshot.entries, key=lambda entry: entry.revision)
    surplus = [entry.key for entry in oldest_first[: max(0, len(oldest_first) - kept)]]
    for start in range(0, len(surplus), DELETES_PER_TRANSACTION):
        batch = surplus[start : start + DELETES_PER_TRANSACTION]
        await store.transact([], [Delete(key) for key in batch])
