"""The cluster database of the simulated world: the same promises, on a clock that jumps, with faults on demand.

`SimDatabase` is what all nodes share; `connect(node)` is what a node holds of it. A call takes the way there,
happens, and takes the way back; news of a commit take one way. A way lasts half of `latency_s`, which is a number or
draws one. Faults:

- `cut(node)`: calls hang until their time is over and then are `Uncertain` (writes) or `Unavailable`; watches hear
  nothing. With `Outage.REFUSED` calls fail at once, as `Unavailable`. `mend(node)`: watches go on where they were.
- `next_write(node, fate)`, or `fate_of` for every write: `Uncertain`, committed or not.
- `full`: writes are refused, reads are answered.

Here the store is one thing that is simply there; where members carry it, `outlast.sim.endpoints` has the connection.
It belongs to no node: its callbacks run outside all processes, so that a request that is on its way arrives though
its sender has been frozen or killed meanwhile. When a process dies, `detach` its connection.

Nothing here is random by itself and nothing iterates over a set: a run repeats exactly. It is made to be cheap,
because thousands of seeds pass through it: there is no queue per watch. `outlast.sim.flights` has the calls.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextvars import Context
from typing import TypeVar

from outlast.ports.database import (
    AnotherHistory,
    Batch,
    Change,
    Committed,
    Compare,
    Entry,
    Refused,
    Snapshot,
    Unwritable,
    Write,
    check_limits,
)
from outlast.sim.flights import Call, Fate, Outage, Way
from outlast.sim.process import OUTSIDE
from outlast.sim.store import KEEP_REVISIONS, SimStore

T = TypeVar("T")

__all__ = ["Fate", "Outage", "SimConnection", "SimDatabase"]


class SimDatabase:
    def __init__(self, *, latency_s: float | Callable[[], float] = 0.001, keep_revisions: int = KEEP_REVISIONS) -> None:
        self.way_s: Callable[[], float] = _half(latency_s)
        self.fate_of: Callable[[str], Fate] | None = None
        self.slow_s: dict[str, float] = {}  # how much longer each way takes, by node
        self.outages: dict[str, Outage] = {}
        self.full = False
        self.on_commit: Callable[[Batch], None] | None = None  # told of each commit in the moment of it
        self.store = SimStore(keep_revisions=keep_revisions)
        self.serve_from(self.store)
        self._fates: dict[str, deque[Fate]] = {}
        self._watched: list[SimConnection] = []  # connections with watches

    def connect(self, node: str) -> "SimConnection":
        return SimConnection(self, node)

    def serve_from(self, store: SimStore) -> None:
        """News of what is committed there go out from now on."""
        store.on_commit = self._committed
        store.before_forgetting = lambda revision: self._pass_over(store, revision)

    def cut(self, node: str, outage: Outage = Outage.SILENT) -> None:
        self.outages[node] = outage

    def mend(self, node: str) -> None:
        if self.outages.pop(node, None):
            for connection in self._watched:
                if connection.node == node:
                    connection.ask_for_news()

    def next_write(self, node: str, fate: Fate) -> None:
        """Decide what becomes of the node's next write (and, called again, of the one after it)."""
        self._fates.setdefault(node, deque()).append(fate)

    @property
    def revision(self) -> int:
        return self.store.revision

    def entries(self, prefix: str = "") -> tuple[Entry, ...]:
        """The present, at once and whatever is cut: also for scenarios and invariants."""
        return self.store.entries(prefix)

    def commit(self, compares: Sequence[Compare], writes: Sequence[Write]) -> Committed | Refused:
        """At once and whatever is cut."""
        return self.store.commit(compares, writes)

    def fate(self, node: str) -> Fate:
        fates = self._fates.get(node)
        if fates:
            return fates.popleft()
        return self.fate_of(node) if self.fate_of else Fate.ANSWERED

    @property
    def watched(self) -> "Sequence[SimConnection]":
        return self._watched

    def attach(self, connection: "SimConnection") -> None:
        if connection not in self._watched:
            self._watched.append(connection)

    def detach(self, connection: "SimConnection") -> None:
        """Nobody reads its news any more: also for one whose process died. Safe to repeat."""
        if connection in self._watched:
            self._watched.remove(connection)

    def _committed(self, store: SimStore, batch: Batch) -> None:
        if self.on_commit:
            self.on_commit(batch)
        for connection in self._watched:
            connection.send_news(store, batch.revision, batch.changes)

    def _pass_over(self, store: SimStore, revision: int) -> None:
        for connection in self._watched:
            if connection.store is store:
                connection.pass_over(revision)


class SimConnection:
    """What one node holds of the database: the port. It is a `Way` of its own, since there is only one."""

    def __init__(self, database: SimDatabase, node: str) -> None:
        self.node = node
        self._database = database
        self._watches: list[_Watch] = []
        self._heard = 0  # news up to this revision have arrived
        self._closed = False

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        call = Call(self, lambda store: Snapshot(store.revision, store.entries(prefix)), timeout_s, None)
        snapshot: Snapshot = await call.answer
        return snapshot

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        compares, writes = tuple(compares), tuple(writes)
        check_limits(compares, writes)
        fate = self._database.fate(self.node)
        call = Call(self, lambda store: store.commit(compares, writes), timeout_s, fate)
        outcome: Committed | Refused = await call.answer
        return outcome

    async def compact(self, revision: int, *, timeout_s: float) -> None:
        await self.ask(lambda store: store.forget(revision), timeout_s=timeout_s, writes=True)

    async def ask(self, work: Callable[[SimStore], T], *, timeout_s: float, writes: bool) -> T:
        """Anything that is done where the store is."""
        fate = self._database.fate(self.node) if writes else None
        result: T = await Call(self, work, timeout_s, fate).answer
        return result

    async def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[Batch, None]:
        if self._closed:
            return
        self.look_for_store()
        watch = _Watch(prefix, after_revision)
        self._watches.append(watch)
        self._database.attach(self)
        self.ask_for_news()
        try:
            await watch.something_new()
            while not self._closed:
                if watch.is_another:
                    raise AnotherHistory("the database has gone on without what was seen there; read again")
                batch = self.store.first_after(watch.position, self._heard, prefix)
                if batch is None:
                    watch.position = max(watch.position, self._heard)
                    await watch.something_new()
                else:
                    watch.position = batch.revision
                    yield batch
        finally:
            self._watches.remove(watch)
            if not self._watches:
                self._database.detach(self)

    async def close(self) -> None:
        self._closed = True
        for watch in self._watches:
            watch.wake()

    # --- how it reaches the store; a connection to members does this otherwise -------------------------------------

    @property
    def store(self) -> SimStore:
        """What it hears of."""
        return self._database.store

    def look_for_store(self) -> None:
        """Before a watch begins: nobody has told it of changes while it had none. There is only this one store."""

    @property
    def hears(self) -> bool:
        """Do news arrive?"""
        return self.node not in self._database.outages

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    hedge_s: float | None = None

    def way(self) -> Way:
        return self

    @property
    def outage(self) -> Outage | None:
        return Outage.REFUSED if self._closed else self._database.outages.get(self.node)

    def there_s(self) -> float:
        database = self._database
        return database.way_s() + database.slow_s.get(self.node, 0.0) if database.slow_s else database.way_s()

    def back_s(self) -> float:
        return self.there_s()

    def arrives(self) -> bool:
        return self.node not in self._database.outages

    def answers(self) -> bool:
        return self.node not in self._database.outages

    def waits_in(self) -> Context | None:
        return None

    def work_s(self) -> float:
        return 0.0

    def serve(self, work: Callable[[SimStore], T], *, writes: bool) -> T:
        if writes and self._database.full:
            raise Unwritable("cannot write to the cluster database: it has no space left")
        return work(self._database.store)

    def missed(self) -> None:
        """There is only this one way."""

    # --- news -----------------------------------------------------------------------------------------------------

    def send_news(self, store: SimStore, revision: int, changes: Sequence[Change]) -> None:
        if not self.hears or store is not self.store:
            return
        for watch in self._watches:
            if _touches(changes, watch.prefix):
                self._deliver(self.back_s(), revision, changes)
                return

    def ask_for_news(self) -> None:
        """For a watch that begins or a node that was cut off."""
        if self.hears:
            self._deliver(self.there_s() + self.back_s(), self.store.revision, None)

    def pass_over(self, revision: int) -> None:
        """Before history is forgotten: a watch that has nothing to get from it has missed nothing."""
        for watch in self._watches:
            if watch.position < revision and not self.store.first_after(watch.position, revision, watch.prefix):
                watch.position = revision

    def _deliver(self, delay_s: float, revision: int, changes: Sequence[Change] | None) -> None:
        """News may overtake each other: a watch reads the log up to the latest, so all stays in order."""
        self.loop.call_later(delay_s, self._hear, revision, changes, context=OUTSIDE)

    def _hear(self, revision: int, changes: Sequence[Change] | None) -> None:
        if not self.hears:
            return  # who mends it asks again
        self._heard = max(self._heard, revision)
        for watch in self._watches:
            if changes is None or _touches(changes, watch.prefix):
                watch.wake()


class _Watch:
    __slots__ = ("_waiting", "is_another", "position", "prefix")

    def __init__(self, prefix: str, position: int) -> None:
        self.prefix = prefix
        self.position = position  # it has been handed everything up to this revision
        self.is_another = False
        self._waiting: asyncio.Future[None] | None = None

    async def something_new(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _touches(changes: Sequence[Change], prefix: str) -> bool:
    if len(changes) == 1:
        return changes[0].key.startswith(prefix)
    return any(change.key.startswith(prefix) for change in changes)


def _half(latency_s: float | Callable[[], float]) -> Callable[[], float]:
    if callable(latency_s):
        draw = latency_s
        return lambda: draw() / 2
    way_s = latency_s / 2
    return lambda: way_s
