"""Looks again and again whether this node sees its volumes, and never waits for a volume itself.

Each volume has a thread here and a process (`checker.py`) that does the touching. A process that does not answer in
time is killed; if it hangs in the kernel it cannot be, and is left there, while another one is tried now and then: the
volume may have been mounted anew meanwhile.
"""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

INTERVAL_S = 5.0
DEADLINE_S = 10.0
"""An answer that takes longer is none. NFS and multipath take that long over a failover of theirs, and no longer."""
STARTS_S = 1.0
"""For Python to start, beside the deadline."""
MOST_STUCK = 3
"""So many processes that cannot be killed are left hanging at once."""
_PROGRAM = Path(__file__).with_name("checker.py")


class Seen(msgspec.Struct, frozen=True):
    """What a look at the volume came to."""

    why: str = ""
    """Why it is not seen, for people; empty: it is."""
    free_mib: int = -1
    direct: bool = False
    """It was written past the page cache."""


class Volume(msgspec.Struct, frozen=True):
    name: str
    path: str
    id: str
    node: str = ""
    """This one's name: whose file is written. Empty: it is looked once, into a file of its own."""


class Checker:
    """The process that looks."""

    def __init__(self, volume: Volume) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_PROGRAM), volume.path, volume.id, volume.node or _once()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )

    def look(self, deadline_s: float) -> Seen | None:
        """None: no answer, and it is of no use any more."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        ends_s = time.monotonic() + deadline_s
        said = b""
        try:
            stdin.write(b"\n")
            stdin.flush()
            while not said.endswith(b"\n"):
                if not select.select([stdout], [], [], max(0.0, ends_s - time.monotonic()))[0]:
                    return None
                said += os.read(stdout.fileno(), 65536) or b"\n"
        except OSError:
            return None
        try:
            return msgspec.convert(json.loads(said), Seen)
        except (ValueError, msgspec.ValidationError):
            return None  # it died

    def end(self) -> bool:
        """False: it hangs in the kernel."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return self.has_ended(0.5)

    def has_ended(self, within_s: float = 0.0) -> bool:
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True


def _once() -> str:
    """Two looks of one node at the same moment must not read what the other wrote."""
    return f"{socket.gethostname()}-once"


def late(deadline_s: float = DEADLINE_S) -> Seen:
    return Seen(f"it does not answer: a write has not come back within {deadline_s:g} s")


def look_once(volume: Volume, deadline_s: float) -> Seen:
    checker = Checker(volume)
    seen = checker.look(deadline_s)
    checker.end()
    return seen or late(deadline_s)


class Watch:
    """Of one volume."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.seen: Seen | None = None
        """None: nobody knows yet."""
        self._stuck: list[Checker] = []
        self._over = threading.Event()
        threading.Thread(target=self._run, name=f"watch {volume.name}", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        checker: Checker | None = None
        while not self._over.is_set():
            self._stuck = [one for one in self._stuck if not one.has_ended()]
            fresh = checker is None
            if checker is None and len(self._stuck) < MOST_STUCK:
                checker = Checker(self.volume)
            if checker is not None:
                seen = checker.look(DEADLINE_S + (STARTS_S if fresh else 0.0))
                self.seen = seen or late()
                if seen is None:
                    if not checker.end():
                        self._stuck.append(checker)
                    checker = None
            self._over.wait(INTERVAL_S)
        if checker is not None:
            checker.end()


class Watching:
    """Of all volumes of this node."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch] = {}
        self._lock = threading.Lock()

    def follow(self, volumes: list[Volume]) -> Mapping[str, Seen]:
        """From now on these are watched, and no others. Returns what is known of them."""
        with self._lock:
            wanted = {volume.name: volume for volume in volumes}
            for name in [name for name, watch in self._watches.items() if wanted.get(name) != watch.volume]:
                self._watches.pop(name).stop()
            for name, volume in wanted.items():
                if name not in self._watches:
                    self._watches[name] = Watch(volume)
            return {name: watch.seen for name, watch in self._watches.items() if watch.seen is not None}

    def seen(self, name: str) -> Seen | None:
        with self._lock:
            watch = self._watches.get(name)
            return watch.seen if watch is not None else None

    def note(self, name: str, seen: Seen) -> None:
        """Somebody else has just looked."""
        with self._lock:
            if name in self._watches:
                self._watches[name].seen = seen

    def close(self) -> None:
        self.follow([])
