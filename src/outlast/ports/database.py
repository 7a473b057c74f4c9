"""What Outlast needs from the cluster database.

The database stores and orders; it does not think. It promises what etcd can keep, and nothing more:

- keys are text, values are bytes; the whole database has one *revision*, up by one with each commit;
- a transaction compares revisions of several keys and writes several keys, all or nothing;
- reads are linearizable;
- a watch delivers every commit after a revision, in order, once, each commit whole; when that history is gone
  it says so (`Compacted`), and the reader starts again from a fresh `read`.

It promises no leases: sessions are heartbeat records that observers judge by their own clock.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """A key that exists. `revision` is the cluster-wide revision of the commit that wrote it last (> 0)."""

    key: str
    value: bytes
    revision: int


class Snapshot(msgspec.Struct, frozen=True):
    """Entries in order of their keys, as they were at `revision`."""

    revision: int
    entries: tuple[Entry, ...]


class Compare(msgspec.Struct, frozen=True):
    """Holds when the key was last written at `revision`; 0 means: the key does not exist."""

    key: str
    revision: int


class Put(msgspec.Struct, frozen=True):
    key: str
    value: bytes


class Delete(msgspec.Struct, frozen=True):
    """Deleting a key that does not exist is no error and makes no change to watch."""

    key: str


Write = Put | Delete


class Committed(msgspec.Struct, frozen=True):
    """All compares held; the writes are durable at `revision`."""

    revision: int


class Refused(msgspec.Struct, frozen=True):
    """A compare did not hold; nothing was written. `revision` is the database's revision at that time."""

    revision: int


class Change(msgspec.Struct, frozen=True):
    """One key of a commit. `value` is None when the key was deleted."""

    key: str
    value: bytes | None
    revision: int


class Batch(msgspec.Struct, frozen=True):
    """The changes of one commit under the watched prefix, in order of their keys."""

    revision: int
    changes: tuple[Change, ...]


MOST_COMPARES = 128
MOST_WRITES = 128
"""etcd's default limit on the operations of a transaction."""
MOST_BYTES = 1024 * 1024
"""Keys and values of a transaction together. etcd takes 1.5 MiB, with its own words around them."""


class Unavailable(Exception):
    """The database could not be reached or did not answer in time. Nothing was written."""


class Unwritable(Unavailable):
    """It answers, and refuses to write: it is full, or this one may not. Nothing was written."""


class Uncertain(Unavailable):
    """As `Unavailable`, but the transaction may have been committed: read again before deciding anything."""


class Compacted(Exception):
    """The history after the asked revision is gone. Read again and watch from there."""


class AnotherHistory(Compacted):
    """What was delivered is not what the database knows: it has gone on without that. Read again, and trust nothing
    that was known before."""


def check_limits(compares: Sequence[Compare], writes: Sequence[Write]) -> None:
    """Every adapter refuses the same, before anything is sent. Raises ValueError."""
    if len(compares) > MOST_COMPARES or len(writes) > MOST_WRITES:
        raise ValueError(
            f"cannot commit {len(compares)} compares and {len(writes)} writes at once: "
            f"at most {MOST_COMPARES} and {MOST_WRITES}; cut the transaction in two"
        )
    if len(writes) > 1 and len({write.key for write in writes}) != len(writes):
        raise ValueError("cannot commit: a key is written twice")
    size = 0
    for write in writes:
        if not write.key:
            raise ValueError("cannot commit: keys must not be empty")
        if isinstance(write, Put):
            size += len(write.key) + len(write.value)
    if size > MOST_BYTES:
        raise ValueError(f"cannot commit {size} bytes at once: at most {MOST_BYTES}")
    for compare in compares:
        if not compare.key or compare.revision < 0:
            raise ValueError("cannot compare: keys must not be empty and revisions not negative")


class Database(Protocol):
    """One connection to the cluster database. Used from one event loop; calls may overlap.

    No call blocks the event loop. `timeout_s` bounds a call: when it has passed, the call raises `Unavailable`
    (reads; writes that certainly were not sent) or `Uncertain` (writes). Writes are never retried by an adapter.
    """

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        """All entries whose key starts with `prefix` (a whole key is a prefix of itself). Linearizable."""
        ...

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        """Commit all `writes` if every compare holds. A key may be written once per transaction.

        Within `check_limits`, else ValueError. A commit without any effective write
        (no writes, or only deletes of absent keys) makes no new revision and reports the present one.
        """
        ...

    def watch(self, prefix: str, after_revision: int) -> AsyncIterator[Batch]:
        """Every commit after `after_revision` that touched `prefix`, for ever. Raises `Compacted`.

        A lost connection is mended inside (resumed at the last delivered revision + 1, nothing else).
        Closing the iterator (or cancelling the task that reads it) ends the watch.
        """
        ...

    async def compact(self, revision: int, *, timeout_s: float) -> None:
        """Forget the history up to and including `revision`. Present values stay readable."""
        ...

    async def close(self) -> None:
        """End all watches and release what the connection holds. Safe to repeat."""
        ...
