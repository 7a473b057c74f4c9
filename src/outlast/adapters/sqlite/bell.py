"""How does a process learn at once that another one has committed?

Whoever commits writes a byte into the bell file; whoever watches has inotify on it. inotify follows the inode,
so this also works between mount and PID namespaces. The write-ahead log itself is no bell: it changes *before*
the commit can be seen. A process killed between commit and bell rings nothing, so listeners also look by
themselves after a second of silence.
"""

import asyncio
import os
from collections.abc import Callable

from inotify_simple import INotify, flags

SILENCE_S = 1.0

_MANY_EVENTS = 65536


class Ringer:
    """For those who commit."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._descriptor).st_size == 0:
            self.ring()  # the byte exists from now on, so that ringing works on a full disk, too

    def ring(self) -> None:
        os.pwrite(self._descriptor, b"!", 0)

    def close(self) -> None:
        os.close(self._descriptor)


class Listener:
    """For those who watch: calls `heard` after each ring, and after a second without any."""

    def __init__(self, path: str, heard: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._inotify = INotify(nonblocking=True)
        self._inotify.add_watch(path, flags.MODIFY)
        self._descriptor = self._inotify.fileno()
        self._last_s = self._loop.time()
        self._loop.add_reader(self._descriptor, self._rung)
        self._timer = self._loop.call_later(SILENCE_S, self._look)

    def close(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._descriptor)
        self._inotify.close()

    def _rung(self) -> None:
        try:
            os.read(self._descriptor, _MANY_EVENTS)  # one call answers any number of rings
        except BlockingIOError:
            return
        self._last_s = self._loop.time()
        self._heard()

    def _look(self) -> None:
        quiet_s = self._loop.time() - self._last_s
        if quiet_s >= SILENCE_S:
            self._last_s, quiet_s = self._loop.time(), 0.0
            self._heard()
        self._timer = self._loop.call_later(SILENCE_S - quiet_s, self._look)
