"""outlast-watchdog: restarts this machine when it was armed and is not fed. For machines without a watchdog device.

It survives the death of the cluster service, which only talks to it (line.py). It does NOT survive a kernel that hangs,
a machine without memory to schedule it, or its own end: that is why the cluster calls it *process*, and does not take
its word for proof of death unless the administrator says so.

It locks itself in memory, runs at real-time priority if it may, holds one socket, and makes no allocation of note
after its start. Told to end while it counts (SIGTERM), it ends when it is disarmed.
"""

import argparse
import ctypes
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

SOCKET = Path("/run/outlast/watchdog.sock")
INITIAL_PID_NAMESPACE = 0xEFFFFFFC
"""Of the machine itself; every other belongs to a container or to the lab."""
RB_AUTOBOOT = 0x01234567
MCL_CURRENT_AND_FUTURE = 1 | 2
SHORTEST_S, LONGEST_S = 0.1, 3600.0
LONGEST_LINE = 100
PRIORITY = 50


class Countdown:
    """Armed, fed and disarmed by lines; what was armed stays so when the connection closes."""

    def __init__(self) -> None:
        self.timeout_s = 0.0
        self.due_s: float | None = None

    def obey(self, line: str, now_s: float) -> str:
        """Returns what was wrong with it, if anything."""
        verb, _, argument = line.strip().partition(" ")
        match verb:
            case "arm":
                try:
                    timeout_s = float(argument)
                except ValueError:
                    timeout_s = 0.0
                if not SHORTEST_S <= timeout_s <= LONGEST_S:
                    return f"cannot arm: {SHORTEST_S:g} to {LONGEST_S:g} seconds, not {argument!r}"
                self.timeout_s = timeout_s
                self.due_s = now_s + timeout_s
            case "feed" if self.due_s is not None:
                self.due_s = now_s + self.timeout_s
            case "feed":
                return "fed, but not armed"
            case "disarm":
                self.due_s = None
            case _:
                return f"unknown: {line.strip()!r}; known are: arm SECONDS, feed, disarm"
        return ""

    def left_s(self, now_s: float) -> float | None:
        """None when it does not count; not above 0 when the machine must end."""
        return None if self.due_s is None else self.due_s - now_s


class Server:
    """Lines from any number of connections; bytes that make no line are dropped with their connection."""

    def __init__(self, listener: socket.socket, countdown: Countdown, bite: Callable[[], None]) -> None:
        self.ending = False
        """Told to end: as soon as it does not count."""
        self._countdown = countdown
        self._bite = bite
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._lines: dict[socket.socket, bytes] = {}

    def wake_by(self, receiver: socket.socket) -> None:
        """Bytes from here only end the wait."""
        self._selector.register(receiver, selectors.EVENT_READ, lambda _: receiver.recv(100))

    def run(self) -> None:
        while True:
            left_s = self._countdown.left_s(now_s())
            if left_s is None and self.ending:
                return
            if left_s is not None and left_s <= 0:
                _say(f"not fed for {self._countdown.timeout_s:g} s: this machine ends now")
                self._bite()
                return
            for key, _ in self._selector.select(left_s):
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.setblocking(False)
        self._lines[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ, self._read)

    def _read(self, connection: socket.socket) -> None:
        try:
            received = connection.recv(4096)
        except OSError:
            received = b""
        *lines, rest = (self._lines[connection] + received).split(b"\n")
        for line in lines:
            wrong = self._countdown.obey(line.decode(errors="replace"), now_s())
            if wrong:
                _say(wrong)
        self._lines[connection] = rest
        if not received or len(rest) > LONGEST_LINE:
            self._selector.unregister(connection)
            del self._lines[connection]
            connection.close()


def now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def restart_machine() -> None:
    """By the shortest way there is: nothing is written out, nothing is asked."""
    try:
        Path("/proc/sysrq-trigger").write_text("b")
    except OSError as error:
        _say(f"sysrq: {error}")
    _reboot()


def end_namespace() -> None:
    """In a PID namespace of one's own, reboot(2) ends the namespace's first process and all others with it."""
    if in_initial_namespace():
        raise RuntimeError("this is the machine itself, not a namespace of the lab")
    _reboot()


def in_initial_namespace() -> bool:
    return os.stat("/proc/self/ns/pid").st_ino == INITIAL_PID_NAMESPACE


def _reboot() -> None:
    if ctypes.CDLL(None, use_errno=True).reboot(RB_AUTOBOOT) != 0:
        _say(f"reboot: {os.strerror(ctypes.get_errno())}")


def _hold_on() -> None:
    """Neither swapped out nor kept waiting; what is not allowed is said, and done without."""
    if ctypes.CDLL(None, use_errno=True).mlockall(MCL_CURRENT_AND_FUTURE) != 0:
        _say(f"not locked in memory: {os.strerror(ctypes.get_errno())}")
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as error:
        _say(f"not at real-time priority: {error.strerror}")


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    listener.bind(str(new))
    new.chmod(0o600)
    listener.listen()
    listener.setblocking(False)
    new.rename(path)  # whoever sees it can connect
    return listener


def _say(words: str) -> None:
    print(f"outlast-watchdog: {words}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="outlast-watchdog", description="Restarts this machine when it is not fed.")
    parser.add_argument("--socket", type=Path, default=SOCKET, help=f"default: {SOCKET}")
    parser.add_argument(
        "--only-namespace", action="store_true", help="end this PID namespace instead (the lab); refused elsewhere"
    )
    arguments = parser.parse_args()
    if arguments.only_namespace and in_initial_namespace():
        parser.error("this is no PID namespace of its own, but the machine itself")
    listener = _listen(arguments.socket)
    server = Server(listener, Countdown(), end_namespace if arguments.only_namespace else restart_machine)

    def end(*_: object) -> None:
        server.ending = True

    # What wakes the loop is the signal's byte: a signal alone would not end its wait.
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    receiver.setblocking(False)
    signal.set_wakeup_fd(sender.fileno())
    server.wake_by(receiver)
    signal.signal(signal.SIGTERM, end)
    _hold_on()
    _say(f"ready on {arguments.socket}")
    server.run()


if __name__ == "__main__":
    main()
