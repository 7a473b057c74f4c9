"""How does a resource host send and receive without ever waiting for the service?

Any thread may send, also libvirt's event thread: a frame goes out at once when the socket takes it, and what it does
not take waits here until the main loop finds the socket writable. A service that is frozen therefore blocks nobody.
"""

import os
import socket
import threading
from collections.abc import Sequence

from outlast.frames import BadFrame, Failed, FromHost, Splitter, encode, greeting

_READ_BYTES = 256 * 1024


class Wire:
    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._splitter = Splitter(greeting_first=False)
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._gone = False
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when the main loop should look around: something waits to be sent, or `wake` was called."""

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def gone(self) -> bool:
        """The service closed its end, or ended."""
        return self._gone

    @property
    def wants_to_write(self) -> bool:
        return bool(self._waiting) and not self._gone

    def wake(self) -> None:
        os.eventfd_write(self.wake_fd, 1)

    def greet(self, types: Sequence[str]) -> None:
        self._push(greeting(types))

    def send(self, message: FromHost) -> None:
        """Never blocks, never raises. What is too large to send becomes a failed call."""
        try:
            data = encode(message)
        except BadFrame as error:
            data = encode(Failed(getattr(message, "id", -1), f"its answer cannot be sent: {error}"))
        self._push(data)

    def flush(self) -> None:
        with self._lock:
            self._write_waiting()

    def receive(self) -> list[bytes]:
        """The bodies that have arrived; empty also when the service is gone (see `gone`)."""
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._gone = True
            return []
        return list(self._splitter.feed(data))

    def _push(self, data: bytes) -> None:
        with self._lock:
            if self._gone:
                return
            was_waiting = bool(self._waiting)
            self._waiting += data
            if not was_waiting:
                self._write_waiting()
            must_wait = bool(self._waiting) and not was_waiting
        if must_wait:
            self.wake()

    def _write_waiting(self) -> None:
        while self._waiting and not self._gone:
            try:
                sent = self._sock.send(self._waiting)
            except BlockingIOError:
                return
            except OSError:
                # The reader sees the end of the stream and decides; there is nobody left to tell.
                self._waiting.clear()
                return
            del self._waiting[:sent]
