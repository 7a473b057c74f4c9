"""Has the event log told by each change what is protected and whether the promise to survive lost nodes is kept?

The coordinator looks some seconds after something has changed, so that what a failover puts right by itself is no
news, and so that no storm of changes makes a storm of events; and now and then without that, for what time alone
changes. What was told last stands in the database: another coordinator goes on from there.
"""

import asyncio
from collections.abc import Callable

import msgspec

from outlast.core.foresight.noting import news
from outlast.model import keys
from outlast.model.noted import Noted
from outlast.ports.database import Committed, Compare, Unavailable
from outlast.service.journal import Journal
from outlast.service.observation import Observation
from outlast.service.store import READ_TIMEOUT_S, Store, put

SETTLES_S = 10.0
LOOKS_S = 60.0


class Noting:
    def __init__(
        self, store: Store, observation: Observation, journal: Journal, coordinates: Callable[[], bool]
    ) -> None:
        self._store = store
        self._observation = observation
        self._journal = journal
        self._coordinates = coordinates
        self._known: tuple[Noted, int] | None = None
        """What was told last, and the revision of its record; None: to be read."""

    async def run(self) -> None:
        changes = self._store.subscribe(
            keys.CLUSTER, keys.NODES, keys.SESSIONS, keys.SILENCES, keys.GROUPS, keys.RESOURCES, keys.RULES,
            keys.STATUS,
        )  # fmt: skip
        while True:
            await changes.wait(LOOKS_S)
            await asyncio.sleep(SETTLES_S)
            if not self._coordinates():
                self._known = None
                continue
            try:
                await self._look()
            except Unavailable:
                self._known = None  # it may have been written

    async def _look(self) -> None:
        before, revision = self._known or await self._read()
        found = news(before, self._observation.view())
        self._known = before, revision
        if found.now == before:
            return
        events = [self._journal.event(told.kind, told.words, group=told.group) for told in found.events]
        compares = [*self._store.unchanged(keys.COORDINATOR), Compare(keys.NOTED, revision)]
        outcome = await self._store.transact(compares, [put(keys.NOTED, found.now), *events])
        self._known = (found.now, outcome.revision) if isinstance(outcome, Committed) else None

    async def _read(self) -> tuple[Noted, int]:
        snapshot = await self._store.database.read(keys.NOTED, timeout_s=READ_TIMEOUT_S)
        entry = next((one for one in snapshot.entries if one.key == keys.NOTED), None)
        return (msgspec.json.decode(entry.value, type=Noted), entry.revision) if entry is not None else (Noted(), 0)
