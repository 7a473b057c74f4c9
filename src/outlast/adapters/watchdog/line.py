"""How is a watchdog fed that is another process: the lab's, or `outlast-watchdog`?

Lines over a unix socket ("arm SECONDS", "feed", "disarm"), never answered and never waited for: what feeds a watchdog
must not hang in it. Closing the connection does not stop the countdown, only `disarm` does.
"""

import socket
from contextlib import suppress

from outlast.model.watchdog import Strength


class LineWatchdog:
    counts_on = False

    def __init__(self, path: str, strength: Strength, words: str) -> None:
        self.strength = strength
        self.words = words
        self._path = path
        self._timeout_s = 0.0
        self._connection: socket.socket | None = None

    def length_s(self, timeout_s: float) -> float:
        if self._connection is None:
            self._connection = self._connect()
        return timeout_s

    def arm(self, timeout_s: float) -> float:
        self._send(f"arm {timeout_s:.3f}")
        self._timeout_s = timeout_s
        return timeout_s

    def feed(self) -> None:
        if not self._timeout_s:
            raise OSError("cannot feed the watchdog: it was not armed")
        # A watchdog that was away (and lost its memory) is armed again by its next meal.
        self._send("feed", after_reconnecting=f"arm {self._timeout_s:.3f}")

    def disarm(self) -> None:
        self._timeout_s = 0.0
        with suppress(OSError):  # gone: then it counts for nobody
            self._send("disarm")
        self._close()

    def _send(self, line: str, *, after_reconnecting: str = "") -> None:
        if self._connection is not None:
            try:
                self._write(self._connection, line)
                return
            except OSError:
                self._close()
        self._connection = self._connect()
        try:
            self._write(self._connection, after_reconnecting or line)
        except OSError:
            self._close()
            raise

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            raise OSError(error.errno, f"no contact with the watchdog at {self._path}: {error.strerror}") from error
        return connection

    def _write(self, connection: socket.socket, line: str) -> None:
        """Raises BlockingIOError (an OSError) when nobody has read for long: that watchdog is not to be trusted."""
        connection.sendall(f"{line}\n".encode())

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
