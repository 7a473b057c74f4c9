"""What has gone wrong with the file, in words that say what to do?

`Busy` is not among these: it only means that another process has its turn, and is tried again.
"""

import sqlite3

from outlast.ports.database import Unavailable

_PRIMARY = 0xFF  # SQLite's extended codes keep the primary one in the low byte

_WORDS = {
    sqlite3.SQLITE_FULL: "its disk is full: free some space, nothing else is needed",
    sqlite3.SQLITE_READONLY: "it is read-only: make the file, its directory and the file system writable",
    sqlite3.SQLITE_IOERR: "its disk reports an error: look into the kernel's log (journalctl -k)",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that its directory exists and is writable",
    sqlite3.SQLITE_PERM: "access is denied: check owner and mode of the file and its directory",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: stop all nodes and restore it from a backup",
    sqlite3.SQLITE_NOTADB: "the file is damaged or no SQLite database: stop all nodes and restore it from a backup",
    sqlite3.SQLITE_PROTOCOL: "another process blocks it in mid-step: look for one that is frozen (state T)",
}

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Busy(Exception):
    """Another process has its turn; nothing was changed. Try again a moment later."""


def is_busy(error: sqlite3.Error) -> bool:
    return _primary_code(error) in _BUSY


def certainly_not_committed(error: sqlite3.Error) -> bool:
    """Whether a COMMIT that raised this left nothing behind.

    The frame that makes a commit valid is written last, so a disk that was full or a file that could not be
    written never holds it. After an I/O error (of the fsync, say) it may be on the disk all the same.
    """
    return _primary_code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, *_BUSY)


def in_words(path: str, doing: str, error: sqlite3.Error) -> str:
    why = _WORDS.get(_primary_code(error), "SQLite refuses")
    return f"cannot {doing} the cluster database {path}: {why} ({error})"


def unavailable(path: str, doing: str, error: sqlite3.Error) -> Unavailable:
    return Unavailable(in_words(path, doing, error))


def _primary_code(error: sqlite3.Error) -> int:
    # Errors that Python's module raises itself carry no code of SQLite.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
