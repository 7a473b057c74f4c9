"""What stands in a simulated database: entries, the log of commits, and what a commit does.

There is no time here, and there are no faults: `outlast.sim.database` has the way there and back. It is made to be
cheap, because thousands of seeds pass through it: a watch is a position in the one log.
"""

import bisect
from collections.abc import Callable, Sequence

from outlast.ports.database import Batch, Change, Committed, Compacted, Compare, Entry, Put, Refused, Write

KEEP_REVISIONS = 20_000

_FORGET_EVERY = 1024


class SimStore:
    def __init__(self, *, keep_revisions: int = KEEP_REVISIONS) -> None:
        self.revision = 0
        self.began_at: int | None = None
        """The revision from which on it is a history of its own."""
        self.on_commit: Callable[[SimStore, Batch], None] | None = None
        """Told of each commit in the moment of it."""
        self._keep_revisions = keep_revisions
        self._compacted = 0
        self.before_forgetting: Callable[[int], None] | None = None
        self._entries: dict[str, Entry] = {}
        self._keys: list[str] = []  # of _entries, in order
        self._log: list[Batch] = []  # revisions _compacted + 1 to revision, without a gap

    def entries(self, prefix: str = "") -> tuple[Entry, ...]:
        keys, entries = self._keys, self._entries
        found = []
        for place in range(bisect.bisect_left(keys, prefix), len(keys)):
            key = keys[place]
            if not key.startswith(prefix):
                break
            found.append(entries[key])
        return tuple(found)

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
        if len(self._log) > self._keep_revisions + _FORGET_EVERY:
            self.forget(self.revision - self._keep_revisions)
        if self.on_commit:
            self.on_commit(self, batch)
        return Committed(self.revision)

    def forget(self, revision: int) -> None:
        if revision > self.revision:
            raise ValueError(f"cannot compact up to revision {revision}: the present one is {self.revision}")
        if revision <= self._compacted:
            return
        if self.before_forgetting:
            self.before_forgetting(revision)
        del self._log[: revision - self._compacted]
        self._compacted = revision

    def first_after(self, after_revision: int, until: int, prefix: str) -> Batch | None:
        """The first commit under `prefix` in these revisions. Raises `Compacted`."""
        if after_revision < self._compacted:
            raise Compacted(
                f"cannot watch from revision {after_revision}: history up to {self._compacted} is gone; read again"
            )
        offset = self._compacted + 1
        for place in range(after_revision + 1 - offset, min(until, self.revision) + 1 - offset):
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

    def copy_at(self, revision: int) -> "SimStore":
        """As it was at that revision, to go on from there by itself. Its history must not have been forgotten."""
        if self._compacted:
            raise ValueError(f"cannot go back to revision {revision}: history up to {self._compacted} is gone")
        copy = SimStore(keep_revisions=self._keep_revisions)
        copy.began_at = revision
        for batch in self._log[:revision]:
            copy._log.append(batch)
            copy.revision = batch.revision
            for change in batch.changes:
                if change.value is None:
                    copy._entries.pop(change.key, None)
                else:
                    copy._entries[change.key] = Entry(change.key, change.value, change.revision)
        copy._keys = sorted(copy._entries)
        return copy

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
