"""What does one process do to the file?

Everything here blocks and runs in the worker thread. Every method is one short SQLite transaction: a long read
would keep the write-ahead log from ever shrinking. `Busy` means that nothing was done and it is worth a retry.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from outlast.adapters.sqlite import faults, schema
from outlast.adapters.sqlite.bell import Ringer
from outlast.adapters.sqlite.lock import FileLock
from outlast.adapters.sqlite.place import require_local
from outlast.adapters.sqlite.worker import Begin
from outlast.ports.database import (
    Batch,
    Change,
    Committed,
    Compacted,
    Compare,
    Delete,
    Entry,
    Put,
    Refused,
    Snapshot,
    Unavailable,
    Uncertain,
    Write,
)

PLACES = schema.PLACES

# History is forgotten in steps, so that only one commit in so many pays for it.
_TRIM_EVERY = 64
_TRIM_AT_MOST = 256  # rows of history per commit beyond the ordinary, after a change of `keep_revisions`

_WAL_LIMIT_BYTES = 2 * 1024 * 1024

# Commits read at once by `changes`: bounds how long the worker is at it.
CHUNK = 500

_PRESENT = "SELECT id FROM log ORDER BY id DESC LIMIT 1"
_PUT = (
    "INSERT INTO entries (key, value, revision) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision"
)
_RANGE = "SELECT key, value, revision FROM entries WHERE key >= ? AND key < ? ORDER BY key"
_REST = "SELECT key, value, revision FROM entries WHERE key >= ? ORDER BY key"


def _at_once() -> None:
    """For a caller that does not change its mind."""


class History(msgspec.Struct, frozen=True):
    """The commits after a revision, whole and in order, up to and including `until`; `present` may be later."""

    batches: tuple[Batch, ...]
    until: int
    present: int


class Store:
    def __init__(self, path: str, keep_revisions: int) -> None:
        self.path = path
        self._keep_revisions = keep_revisions
        self._closing = contextlib.ExitStack()
        try:
            self._open()
        except OSError as error:
            self._closing.close()
            raise Unavailable(f"cannot open the cluster database {path}: {error.strerror or error}") from error
        except Unavailable:
            self._closing.close()
            raise

    def _open(self) -> None:
        require_local(self.path)
        schema.create_private(self.path)
        self._lock = FileLock(f"{self.path}-lock")
        self._closing.callback(self._lock.close)
        self._ringer = Ringer(f"{self.path}-bell")
        self._closing.callback(self._ringer.close)
        self._connection = schema.open_file(self.path, self._lock)
        self._closing.callback(self._connection.close)
        self._identity = _identity(self.path)

    @property
    def bell_path(self) -> str:
        return f"{self.path}-bell"

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # nothing is lost: every commit is durable already
            self._closing.close()

    def read(self, prefix: str) -> Snapshot:
        with self._reading():
            present = self._present()
            end = _end_of(prefix)
            between = (_RANGE, (prefix, end)) if end else (_REST, (prefix,))
            rows = self._connection.execute(*between)
            entries = tuple(Entry(key, value, revision) for key, value, revision in rows)
        return Snapshot(present, entries)

    def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], begin: Begin = _at_once
    ) -> Committed | Refused:
        with self._writing("write to"):
            present = self._present()
            if any(self._revision_of(compare.key) != compare.revision for compare in compares):
                return Refused(present)
            revision = present + 1
            if not self._write(writes, revision):
                return Committed(present)
            if revision % _TRIM_EVERY == 0:
                self._forget(min(revision - self._keep_revisions, self._oldest() + _TRIM_AT_MOST))
            self._commit(begin)
            return Committed(revision)

    def compact(self, revision: int, begin: Begin = _at_once) -> None:
        with self._writing("compact"):
            present = self._present()
            if revision > present:
                raise ValueError(f"cannot compact up to revision {revision}: the present one is {present}")
            self._forget(revision)
            self._commit(begin)

    def history(self, after_revision: int, prefix: str) -> History:
        """For a watch that begins; at most a chunk, the caller comes again. Raises `Compacted`."""
        with self._reading():
            compacted = self._compacted()
            present = self._present()
            if after_revision < compacted:
                raise _compacted(after_revision, compacted)
            until = min(after_revision + CHUNK, present)
            rows = self._rows(after_revision, until, prefix)
        return History(_batches(rows), max(until, after_revision), present)

    def news(self, after_revision: int) -> History:
        """For watches that are up to date; the whole database, so that one read serves them all.

        Every revision has left rows, so a gap at the beginning means that history was forgotten meanwhile.
        """
        self._require_same_file()
        try:
            rows = self._rows(after_revision, after_revision + CHUNK, "")
        except sqlite3.Error as error:
            raise self._read_fault(error) from error
        batches = _batches(rows)
        if batches and batches[0].revision != after_revision + 1:
            raise _compacted(after_revision, batches[0].revision - 1)
        if batches:
            return History(batches, batches[-1].revision, batches[-1].revision)
        return History((), after_revision, after_revision)

    def tidy(self) -> None:
        """Bring a long write-ahead log into the database file and cut it. Costs a few fsyncs; can wait."""
        with contextlib.suppress(OSError, sqlite3.Error, faults.Busy):
            if os.stat(f"{self.path}-wal").st_size < _WAL_LIMIT_BYTES:
                return
            with self._lock.held():
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # The steps of a transaction

    def _revision_of(self, key: str) -> int:
        row = self._connection.execute("SELECT revision FROM entries WHERE key = ?", (key,)).fetchone()
        return row[0] if row else 0

    def _write(self, writes: Sequence[Write], revision: int) -> bool:
        """Whether anything changed."""
        place = revision * PLACES
        for write in sorted(writes, key=_key_of):
            if isinstance(write, Put):
                value: bytes | None = write.value
                self._connection.execute(_PUT, (write.key, value, revision))
            else:
                value = None
                if not self._connection.execute("DELETE FROM entries WHERE key = ?", (write.key,)).rowcount:
                    continue
            self._connection.execute("INSERT INTO log VALUES (?, ?, ?)", (place, write.key, value))
            place += 1
        return place > revision * PLACES

    def _forget(self, revision: int) -> None:
        # The rows of `revision` itself stay: if it is the present one, they tell its number.
        self._connection.execute("DELETE FROM log WHERE id < ?", (revision * PLACES,))
        self._connection.execute("UPDATE marker SET compacted = ?1 WHERE compacted < ?1", (revision,))

    def _present(self) -> int:
        row = self._connection.execute(_PRESENT).fetchone()
        return row[0] // PLACES if row else 0

    def _oldest(self) -> int:
        return int(self._connection.execute("SELECT id FROM log ORDER BY id LIMIT 1").fetchone()[0]) // PLACES

    def _compacted(self) -> int:
        return int(self._connection.execute("SELECT compacted FROM marker").fetchone()[0])

    def _rows(self, after_revision: int, until: int, prefix: str) -> list[tuple[int, str, bytes | None]]:
        rows = self._connection.execute(
            "SELECT id, key, value FROM log WHERE id >= ? AND id < ? ORDER BY id",
            ((after_revision + 1) * PLACES, (until + 1) * PLACES),
        )
        return [row for row in rows if row[1].startswith(prefix)]

    # What surrounds a transaction

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        self._require_same_file()
        try:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise self._read_fault(error) from error

    @contextlib.contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        with self._lock.held():
            self._require_same_file()
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
            except sqlite3.Error as error:
                if faults.is_busy(error):
                    raise faults.Busy from error
                raise faults.unavailable(self.path, doing, error) from error
            finally:
                self._roll_back()

    def _commit(self, begin: Begin) -> None:
        begin()
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if faults.certainly_not_committed(error):
                raise
            words = faults.in_words(self.path, "make sure of a commit to", error)
            raise Uncertain(words) from error
        with contextlib.suppress(OSError):  # the others will look by themselves
            self._ringer.ring()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself
                self._connection.execute("ROLLBACK")

    def _read_fault(self, error: sqlite3.Error) -> Exception:
        return faults.Busy() if faults.is_busy(error) else faults.unavailable(self.path, "read", error)

    def _require_same_file(self) -> None:
        """Two files under one name would be two databases: half of the nodes in each."""
        try:
            if _identity(self.path) == self._identity:
                return
            why = "was replaced by another one"
        except OSError as error:
            why = f"is gone ({error.strerror})"
        raise Unavailable(
            f"cannot use the cluster database {self.path}: the file {why} while it was open; "
            "restart the cluster service on all nodes"
        )


def _batches(rows: list[tuple[int, str, bytes | None]]) -> tuple[Batch, ...]:
    commits: dict[int, list[Change]] = {}
    for row, key, value in rows:
        revision = row // PLACES
        commits.setdefault(revision, []).append(Change(key, value, revision))
    return tuple(Batch(revision, tuple(changes)) for revision, changes in commits.items())


def _end_of(prefix: str) -> str | None:
    """The smallest text that is greater than all that begin with `prefix`; None if there is none."""
    for place in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[place])
        if code < 0x10FFFF:
            following = 0xE000 if code == 0xD7FF else code + 1  # between them lie no characters
            return prefix[:place] + chr(following)
    return None


def _compacted(after_revision: int, compacted: int) -> Compacted:
    return Compacted(f"cannot watch from revision {after_revision}: history up to {compacted} is gone; read again")


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _key_of(write: Put | Delete) -> str:
    return write.key
