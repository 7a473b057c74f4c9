"""The cluster database of the simulated world: the same promises, on a clock that jumps, with faults on demand.

`SimDatabase` is the store that all nodes share; `connect(node)` is what a node holds of it. A call takes the way
there, happens, and takes the way back; news of a commit take one way. A way lasts half of `latency_s`, which is
a number or draws one. Faults:

- `cut(node)`: calls hang until their time is over and then are `Uncertain` (writes) or `Unavailable`; watches hear
  nothing. With `Outage.REFUSED` calls fail at once, as `Unavailable`. `mend(node)`: watches go on where they were.
- `next_write(node, fate)`, or `fate_of` for every write: `Uncertain`, committed or not.

The store belongs to no node: its callbacks run outside all processes, so that a request that is on its way arrives
though its sender has been frozen or killed meanwhile. When a process dies, `detach` its connection.

Nothing here is random by itself and nothing iterates over a set: a run repeats exactly. It is made to be cheap,
because a thousand seeds pass through it: a time-out has no timer until it is certain to pass, and there is no
queue per watch: a watch is a position in the one log.
"""

import asyncio
import bisect
import enum
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from outlast.ports.database import (
    Batch,
    Change,
    Committed,
    Compacted,
    Compare,
    Entry,
    Put,
    Refused,
    Snapshot,
    Unavailable,
    Uncertain,
    Write,
    check_limits,
)
from outlast.sim.process import OUTSIDE

KEEP_REVISIONS = 20_000

_FORGET_EVERY = 1024


class Fate(enum.Enum):
    """What becomes of a write."""

    ANSWERED = enum.auto()
    LOST = enum.auto()  # never happens; the caller sees `Uncertain`
    UNHEARD = enum.auto()  # happens, but its answer never arrives; the caller sees `Uncertain`


class Outage(enum.Enum):
    """How a node that is cut off fails."""

    SILENT = enum.auto()  # as when packets vanish: nothing answers
    REFUSED = enum.auto()  # as when nobody listens: an error at once


class SimDatabase:
    def __init__(self, *, latency_s: float | Callable[[], float] = 0.001, keep_revisions: int = KEEP_REVISIONS) -> None:
        self.way_s: Callable[[], float] = _half(latency_s)
        self.fate_of: Callable[[str], Fate] | None = None
        self.slow_s: dict[str, float] = {}  # how much longer each way takes, by node
        self.on_commit: Callable[[Batch], None] | None = None  # told of each commit in the moment of it
        self.revision = 0
        self.outages: dict[str, Outage] = {}
        self._keep_revisions = keep_revisions
        self._compacted = 0
        self._entries: dict[str, Entry] = {}
        self._keys: list[str] = []  # of _entries, in order
        self._log: list[Batch] = []  # revisions _compacted + 1 to revision, without a gap
        self._fates: dict[str, deque[Fate]] = {}
        self._watched: list[SimConnection] = []  # connections with watches

    def connect(self, node: str) -> "SimConnection":
        return SimConnection(self, node)

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

    def entries(self, prefix: str = "") -> tuple[Entry, ...]:
        """The present, at once and whatever is cut: also for scenarios and invariants."""
        keys, entries = self._keys, self._entries
        found = []
        for place in range(bisect.bisect_left(keys, prefix), len(keys)):
            key = keys[place]
            if not key.startswith(prefix):
                break
            found.append(entries[key])
        return tuple(found)

    # What happens when a call has arrived

    def commit(self, compares: Sequence[Compare], writes: Sequence[Write]) -> Committed | Refused:
        entries = self._entries
        for compare in compares:
            entry = entries.get(compare.key)
            if (entry.revision if entry else 0) != compare.revision:
                return Refused(self.revision)
        changes = self._apply(writes, self.revision + 1)
        if not changes:
            return Committed(self.revision)
        self.revision += 1
        batch = Batch(self.revision, changes)
        self._log.append(batch)
        if self.on_commit:
            self.on_commit(batch)
        if len(self._log) > self._keep_revisions + _FORGET_EVERY:
            self.forget(self.revision - self._keep_revisions)
        for connection in self._watched:
            connection.send_news(self.revision, changes)
        return Committed(self.revision)

    def forget(self, revision: int) -> None:
        if revision > self.revision:
            raise ValueError(f"cannot compact up to revision {revision}: the present one is {self.revision}")
        if revision <= self._compacted:
            return
        for connection in self._watched:
            connection.pass_over(revision)
        del self._log[: revision - self._compacted]
        self._compacted = revision

    def first_after(self, after_revision: int, until: int, prefix: str) -> Batch | None:
        """The first commit under `prefix` in these revisions. Raises `Compacted`."""
        if after_revision < self._compacted:
            raise Compacted(
                f"cannot watch from revision {after_revision}: history up to {self._compacted} is gone; read again"
            )
        offset = self._compacted + 1
        for place in range(after_revision + 1 - offset, until + 1 - offset):
            batch = self._log[place]
            changes = batch.changes
            if len(changes) == 1:  # nearly always: a session record
                if changes[0].key.startswith(prefix):
                    return batch
                continue
            under = tuple(change for change in changes if change.key.startswith(prefix))
            if under:
                return batch if len(under) == len(changes) else Batch(batch.revision, under)
        return None

    def fate(self, node: str) -> Fate:
        fates = self._fates.get(node)
        if fates:
            return fates.popleft()
        return self.fate_of(node) if self.fate_of else Fate.ANSWERED

    def attach(self, connection: "SimConnection") -> None:
        if connection not in self._watched:
            self._watched.append(connection)

    def detach(self, connection: "SimConnection") -> None:
        """Nobody reads its news any more: also for one whose process died. Safe to repeat."""
        if connection in self._watched:
            self._watched.remove(connection)

    def _apply(self, writes: Sequence[Write], revision: int) -> tuple[Change, ...]:
        entries = self._entries
        changes = []
        for write in writes:
            key = write.key
            if isinstance(write, Put):
                if key not in entries:
                    bisect.insort(self._keys, key)
                entries[key] = Entry(key, write.value, revision)
                changes.append(Change(key, write.value, revision))
            elif key in entries:
                del entries[key]
                del self._keys[bisect.bisect_left(self._keys, key)]
                changes.append(Change(key, None, revision))
        if len(changes) > 1:
            changes.sort(key=lambda change: change.key)
        return tuple(changes)


class SimConnection:
    """What one node holds of the database: the port."""

    def __init__(self, store: SimDatabase, node: str) -> None:
        self.node = node
        self._store = store
        self._watches: list[_Watch] = []
        self._heard = 0  # news up to this revision have arrived
        self._closed = False

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        store = self._store
        call = _Call(self, lambda: Snapshot(store.revision, store.entries(prefix)), timeout_s, None)
        snapshot: Snapshot = await call.answer
        return snapshot

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        compares, writes = tuple(compares), tuple(writes)
        check_limits(compares, writes)
        store = self._store
        call = _Call(self, lambda: store.commit(compares, writes), timeout_s, store.fate(self.node))
        outcome: Committed | Refused = await call.answer
        return outcome

    async def compact(self, revision: int, *, timeout_s: float) -> None:
        await _Call(self, lambda: self._store.forget(revision), timeout_s, self._store.fate(self.node)).answer

    async def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[Batch, None]:
        if self._closed:
            return
        watch = _Watch(prefix, after_revision)
        self._watches.append(watch)
        self._store.attach(self)
        self.ask_for_news()
        try:
            await watch.something_new()
            while not self._closed:
                batch = self._store.first_after(watch.position, self._heard, prefix)
                if batch is None:
                    watch.position = max(watch.position, self._heard)
                    await watch.something_new()
                else:
                    watch.position = batch.revision
                    yield batch
        finally:
            self._watches.remove(watch)
            if not self._watches:
                self._store.detach(self)

    async def close(self) -> None:
        self._closed = True
        for watch in self._watches:
            watch.wake()

    @property
    def reachable(self) -> bool:
        return self.node not in self._store.outages

    @property
    def outage(self) -> Outage | None:
        return Outage.REFUSED if self._closed else self._store.outages.get(self.node)

    def way_s(self) -> float:
        store = self._store
        return store.way_s() + store.slow_s.get(self.node, 0.0) if store.slow_s else store.way_s()

    def send_news(self, revision: int, changes: Sequence[Change]) -> None:
        if not self.reachable:
            return
        for watch in self._watches:
            if _touches(changes, watch.prefix):
                self._deliver(self.way_s(), revision, changes)
                return

    def ask_for_news(self) -> None:
        """For a watch that begins or a node that was cut off."""
        if self.reachable:
            self._deliver(self.way_s() + self.way_s(), self._store.revision, None)

    def pass_over(self, revision: int) -> None:
        """Before history is forgotten: a watch that has nothing to get from it has missed nothing."""
        for watch in self._watches:
            if watch.position < revision and not self._store.first_after(watch.position, revision, watch.prefix):
                watch.position = revision

    def _deliver(self, delay_s: float, revision: int, changes: Sequence[Change] | None) -> None:
        """News may overtake each other: a watch reads the log up to the latest, so all stays in order."""
        asyncio.get_running_loop().call_later(delay_s, self._hear, revision, changes, context=OUTSIDE)

    def _hear(self, revision: int, changes: Sequence[Change] | None) -> None:
        if not self.reachable:
            return  # `mend` asks again
        self._heard = max(self._heard, revision)
        for watch in self._watches:
            if changes is None or _touches(changes, watch.prefix):
                watch.wake()


class _Watch:
    __slots__ = ("_waiting", "position", "prefix")

    def __init__(self, prefix: str, position: int) -> None:
        self.prefix = prefix
        self.position = position  # it has been handed everything up to this revision
        self._waiting: asyncio.Future[None] | None = None

    async def something_new(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Call:
    """One call on its way there and back. `fate` is None for a read."""

    __slots__ = ("_connection", "_deadline_s", "_fate", "_happen", "_loop", "answer")

    def __init__(
        self, connection: SimConnection, happen: Callable[[], object], timeout_s: float, fate: Fate | None
    ) -> None:
        self._connection = connection
        self._happen = happen
        self._fate = fate
        self._loop = asyncio.get_running_loop()
        self._deadline_s = self._loop.time() + timeout_s
        self.answer: asyncio.Future[Any] = self._loop.create_future()
        outage, way_s = connection.outage, connection.way_s()
        if outage is Outage.REFUSED:
            self._loop.call_later(min(way_s, timeout_s), self._refuse, context=OUTSIDE)
        elif outage is Outage.SILENT or fate is Fate.LOST:
            self._end_late()
        else:
            self._loop.call_later(way_s, self._arrive, context=OUTSIDE)
            if way_s > timeout_s:
                self._end_late()

    def _arrive(self) -> None:
        if not self._connection.reachable:
            self._end_late()
            return
        try:
            result = self._happen()
        except ValueError as error:
            self.answer.set_exception(error)
            return
        answered_s = self._loop.time() + self._connection.way_s()
        if self._fate is Fate.UNHEARD or answered_s > self._deadline_s:
            self._end_late()
        else:
            self._loop.call_at(answered_s, self._answer, result, context=OUTSIDE)

    def _answer(self, result: object) -> None:
        if not self._connection.reachable:
            self._end_late()
        elif not self.answer.done():
            self.answer.set_result(result)

    def _end_late(self) -> None:
        self._loop.call_at(self._deadline_s, self._give_up, context=OUTSIDE)

    def _give_up(self) -> None:
        if not self.answer.done():
            kind = Unavailable if self._fate is None else Uncertain
            node = self._connection.node
            self.answer.set_exception(kind(f"cannot get an answer of the cluster database on {node} in time"))

    def _refuse(self) -> None:
        if not self.answer.done():
            node = self._connection.node
            self.answer.set_exception(Unavailable(f"cannot reach the cluster database from {node}"))


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
