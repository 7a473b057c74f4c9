"""Whose turn is it to write?

SQLite's own waiting is unfair (a writer can starve for half a second), so whoever writes takes this lock first.
The kernel frees it when its holder dies. It has no time limit of its own: it is only ever tried, never waited for.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from outlast.adapters.sqlite.faults import Busy


class FileLock:
    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self.take()
        try:
            yield
        finally:
            self.release()

    def take(self) -> None:
        """Raise `Busy` if another process or connection has it."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)
