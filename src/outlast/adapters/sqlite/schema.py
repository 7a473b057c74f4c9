"""How is the file laid out, and how is it opened?

`entries` is the present; `log` is the history that watches read; `marker` says up to where history is gone.
A row of the log has the id `revision * 128 + place`, so a revision's rows are neighbours, in order of keys, and
the present revision is the last row's. Therefore the last revision's rows are never deleted.
"""

import contextlib
import os
import sqlite3
import time

from outlast.adapters.sqlite import faults
from outlast.adapters.sqlite.lock import FileLock
from outlast.ports.database import Unavailable

PLACES = 128  # rows of the log per revision: as many as a transaction may write keys

_APPLICATION_ID = 0x4F55544C  # "OUTL"
_VERSION = 1

# Another process may be closing the file as its last user, or recovering it after a crash.
_OPEN_WITHIN_S = 5.0
_RETRY_S = 0.01

_CREATE = f"""
BEGIN IMMEDIATE;
CREATE TABLE entries (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL);
CREATE TABLE log (id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB);
CREATE TABLE marker (compacted INTEGER NOT NULL);
INSERT INTO marker VALUES (0);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
COMMIT;
"""


def open_file(path: str, lock: FileLock) -> sqlite3.Connection:
    """A connection to the database in `path`, which is created if it is not there."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    deadline_s = time.monotonic() + _OPEN_WITHIN_S
    try:
        while True:
            try:
                _prepare(connection, path, lock)
                return connection
            except faults.Busy:
                _pause(path, deadline_s)
            except sqlite3.Error as error:
                if not faults.is_busy(error):
                    raise faults.unavailable(path, "open", error) from error
                _pause(path, deadline_s)
    except Unavailable:
        connection.close()
        raise


def create_private(path: str) -> None:
    """SQLite gives its side files the mode of the main one, so this decides for all of them."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _prepare(connection: sqlite3.Connection, path: str, lock: FileLock) -> None:
    version = _pragma(connection, "user_version")
    if version == 0:
        _create(connection, path, lock)
    elif _pragma(connection, "application_id") != _APPLICATION_ID:
        raise Unavailable(f"cannot open the cluster database {path}: it is a database of another program")
    elif version != _VERSION:
        raise Unavailable(
            f"cannot open the cluster database {path}: it has layout {version} and this Outlast knows {_VERSION}; "
            "use the same version of Outlast everywhere"
        )
    # FULL: with NORMAL a power loss could take back a revision that somebody has already acted on.
    connection.execute("PRAGMA synchronous = FULL")
    # The store makes the checkpoints, after the caller has its answer.
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def _create(connection: sqlite3.Connection, path: str, lock: FileLock) -> None:
    with lock.held():
        if _pragma(connection, "user_version") != 0:
            return  # another process was faster
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise Unavailable(f"cannot open the cluster database {path}: it is a database of another program")
        connection.execute("PRAGMA journal_mode = WAL")
        try:
            connection.executescript(_CREATE)
        finally:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _pause(path: str, deadline_s: float) -> None:
    if time.monotonic() > deadline_s:
        raise Unavailable(
            f"cannot open the cluster database {path}: another process holds its lock since {_OPEN_WITHIN_S:g} s; "
            "look for one that is frozen (state T)"
        )
    time.sleep(_RETRY_S)
