"""How long does the cluster database take to answer? It is asked through this, and does what it always does.

Measured is what was answered. What got no answer is counted by what that means, else the time-outs of those who asked
would pass for the database's.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence

from outlast.model.metrics import DatabaseMetrics
from outlast.ports.database import (
    Batch,
    Committed,
    Compare,
    Database,
    Refused,
    Snapshot,
    Unavailable,
    Uncertain,
    Unwritable,
    Write,
)
from outlast.ports.environment import Clock
from outlast.service.measuring.instruments import DATABASE_S, Histogram

READ, COMMIT = "read", "commit"
FAILURES = ("unavailable", "uncertain", "unwritable")


class MeasuredDatabase:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._times = {READ: Histogram(DATABASE_S), COMMIT: Histogram(DATABASE_S)}
        self._failures: dict[str, Counter[str]] = {operation: Counter() for operation in self._times}

    def metrics(self) -> tuple[DatabaseMetrics, ...]:
        return tuple(
            DatabaseMetrics(operation, times.read(), {kind: self._failures[operation][kind] for kind in FAILURES})
            for operation, times in self._times.items()
        )

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        began_s = self._clock.now()
        try:
            found = await self._database.read(prefix, timeout_s=timeout_s)
        except Unavailable as error:
            self._failed(READ, error)
            raise
        self._times[READ].observe(self._clock.now() - began_s)
        return found

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        began_s = self._clock.now()
        try:
            outcome = await self._database.transact(compares, writes, timeout_s=timeout_s)
        except Unavailable as error:
            self._failed(COMMIT, error)
            raise
        self._times[COMMIT].observe(self._clock.now() - began_s)
        return outcome

    def watch(self, prefix: str, after_revision: int) -> AsyncIterator[Batch]:
        return self._database.watch(prefix, after_revision)

    async def compact(self, revision: int, *, timeout_s: float) -> None:
        await self._database.compact(revision, timeout_s=timeout_s)

    async def close(self) -> None:
        await self._database.close()

    def _failed(self, operation: str, error: Unavailable) -> None:
        kind = {Uncertain: "uncertain", Unwritable: "unwritable"}.get(type(error), "unavailable")
        self._failures[operation][kind] += 1
