"""Writes down every change that was asked for, by the command line too: who, from where, what, and how it ended."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping

import msgspec
import structlog

from outlast.core.access import auditing
from outlast.core.access.permissions import NEEDS
from outlast.model import keys
from outlast.model.access import DONE, Audit
from outlast.model.health import Json
from outlast.ports.database import Delete, Unavailable
from outlast.ports.environment import Clock
from outlast.service.commands.context import CommandError
from outlast.service.journal import Journal
from outlast.service.store import READ_TIMEOUT_S, Store, put

log = structlog.get_logger()

KEPT = 10_000
MOST_WAITING = 1000
"""While the database is away."""
RETRY_S = 5.0
PRUNED_EVERY = 500
"""So many are written between two looks whether there are too many."""
BATCH = 100
GONE = "not known: it ended before there was an answer"


class Auditing:
    def __init__(self, store: Store, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._written = 0
        self._waiting: deque[Audit] = deque()
        self._writing: asyncio.Task[None] | None = None

    def note(self, who: str, address: str, verb: str, arguments: Mapping[str, Json], result: str) -> None:
        """Written a moment later, or when the database answers again: who asked does not wait for it."""
        record = Audit(
            id=self._journal.new_id(),
            at_s=self._clock.wall(),
            node=self._store.me,
            who=who,
            address=address,
            verb=verb,
            arguments=auditing.told(verb, arguments),
            result=result,
        )
        if len(self._waiting) == MOST_WAITING:
            log.warning("not in the audit log: too much waits for it", **msgspec.to_builtins(self._waiting.popleft()))
        self._waiting.append(record)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            record = self._waiting[0]
            try:
                # The same under the same key: it may be written twice when it is not known whether it was.
                await self._store.database.transact([], [put(keys.AUDIT + record.id, record)], timeout_s=READ_TIMEOUT_S)
                self._written += 1
                if self._written % PRUNED_EVERY == 1:
                    await self._prune()
            except Unavailable:
                await asyncio.sleep(RETRY_S)
                continue
            if self._waiting and self._waiting[0] is record:
                self._waiting.popleft()

    async def _prune(self) -> None:
        snapshot = await self._store.database.read(keys.AUDIT, timeout_s=READ_TIMEOUT_S)
        oldest_first = sorted(snapshot.entries, key=lambda entry: entry.revision)
        surplus = [entry.key for entry in oldest_first[: max(0, len(oldest_first) - KEPT)]]
        for start in range(0, len(surplus), BATCH):
            batch = [Delete(key) for key in surplus[start : start + BATCH]]
            await self._store.database.transact([], batch, timeout_s=READ_TIMEOUT_S)

    async def following(
        self,
        who: str,
        address: str,
        verb: str,
        arguments: Mapping[str, Json],
        answers: AsyncIterator[tuple[str, Json]],
    ) -> AsyncIterator[tuple[str, Json]]:
        """Hands the answers on, and writes down how it ended."""
        need = NEEDS.get(verb)
        if (need is not None and not need.changes) or auditing.tries_only(arguments):
            async for kind, value in answers:
                yield kind, value
            return
        result = GONE
        try:
            async for kind, value in answers:
                if kind == "result":
                    result = DONE
                yield kind, value
        except CommandError as error:
            result = str(error)
            raise
        finally:  # also when who asked has hung up, which ends this, and may have changed something
            self.note(who, address, verb, arguments, result)
