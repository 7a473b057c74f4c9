"""How does a resource type run a program that may hang? With a deadline, in a session of its own that is killed as a
whole, and with as much of its output kept as somebody can read.

The program may leave a daemon behind that holds its output open (a start does that): what counts is the end of the
program itself, and what it had written until then.
"""

import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KEPT_BYTES = 64 * 1024
"""Of each of its two outputs, the last so many."""
WORDS_KEPT = 300
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MARK = "OUTLAST_RUN"
"""In the environment of a program and of all that it starts, also of what has left its session."""
_READ_BYTES = 64 * 1024
_LOG_PREFIX = re.compile(r"^(\w{3} \d\d \d\d:\d\d:\d\d|\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d\S*) ")
_JOIN_GROUP = 'echo 0 >"$0/cgroup.procs" && exec "$@"'


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    """Its exit code; minus the number of the signal that ended it."""
    output: bytes
    errors: str
    timed_out: bool = False
    """It was killed at its deadline."""

    @property
    def last_words(self) -> str:
        """The last line that it wrote, for people, without the time of day; errors before output."""
        for text in (self.errors, self.output.decode(errors="replace")):
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            if lines:
                return _LOG_PREFIX.sub("", lines[-1])[-WORDS_KEPT:]
        return ""


class Running:
    """One program that runs. It is killed at its deadline whether or not anybody waits for it."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        timeout_s: float,
        environment: Mapping[str, str],
        directory: str = "/",
        cgroup: str = "",
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        """`cgroup`: the directory of a cgroup that it joins before it does anything. Raises OSError when it cannot be
        started."""
        self.mark = f"{MARK}={os.urandom(16).hex()}"
        name, _, value = self.mark.partition("=")
        joining = ("/bin/sh", "-c", _JOIN_GROUP, cgroup) if cgroup else ()
        self._process = subprocess.Popen(
            [*joining, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, name: value},
            cwd=directory,
            start_new_session=True,
        )
        self._pidfd = os.pidfd_open(self._process.pid)
        self._ends_s = time.monotonic() + timeout_s
        self._kept_bytes = kept_bytes
        self._ended = threading.Event()
        self._result: Ended | None = None
        threading.Thread(target=self._attend, daemon=True, name=f"attends {arguments[0]}").start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float | None = None) -> Ended | None:
        """None when it has not ended by then."""
        self._ended.wait(timeout_s)
        return self._result

    def kill(self, within_s: float) -> bool:
        """It and all that it started. False when it has not ended by then: it hangs in the kernel."""
        self._strike()
        return self._ended.wait(within_s)

    def _attend(self) -> None:
        streams = {pipe.fileno(): bytearray() for pipe in (self._process.stdout, self._process.stderr) if pipe}
        poll = select.poll()
        for fd in (*streams, self._pidfd):
            os.set_blocking(fd, False)
            poll.register(fd, select.POLLIN)
        timed_out = False
        while True:
            left_s = self._ends_s - time.monotonic()
            if left_s <= 0 and not timed_out:
                timed_out = True
                self._strike()
            ready = [fd for fd, _ in poll.poll(100 if timed_out else max(1, left_s * 1000))]
            for fd in ready:
                if fd in streams and not self._read(fd, streams[fd]):
                    poll.unregister(fd)
            if self._pidfd in ready:
                break
            if timed_out:
                self._strike()
        for fd, kept in streams.items():
            while self._read(fd, kept):
                pass
        code = self._process.wait()
        # What it had written before it was killed may be the reason why it hung.
        output, errors = (bytes(kept) for kept in streams.values())
        self._result = Ended(code, output, errors.decode(errors="replace"), timed_out=timed_out)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
        os.close(self._pidfd)
        self._ended.set()

    def _read(self, fd: int, kept: bytearray) -> bool:
        """False when there is nothing more now."""
        try:
            read = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return False
        kept += read
        del kept[: -self._kept_bytes]
        return bool(read)

    def _strike(self) -> None:
        # Its process id is not given to anybody else before it was waited for, which only `_attend` does.
        if self._result is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for pid in marked(self.mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def run(
    arguments: Sequence[str],
    *,
    timeout_s: float,
    environment: Mapping[str, str],
    directory: str = "/",
    kept_bytes: int = KEPT_BYTES,
) -> Ended:
    """Runs it to its end. Raises OSError when it cannot be started."""
    running = Running(
        arguments, timeout_s=timeout_s, environment=environment, directory=directory, kept_bytes=kept_bytes
    )
    ended = running.wait()
    assert ended is not None
    return ended


def marked(mark: str) -> set[int]:
    """The processes (of this PID namespace) that bear `mark` in their environment, `NAME=VALUE` or the beginning of
    it. Those that wrote over their environment, as some daemons do, are not found."""
    sought = mark.encode()
    mine = _namespace("self")
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                environment = Path(entry.path, "environ").read_bytes()
                begins = environment.startswith(sought) or b"\0" + sought in environment
                if begins and _namespace(entry.name) == mine and start_time(int(entry.name)) is not None:
                    found.add(int(entry.name))
    return found


def start_time(pid: int) -> int | None:
    """When it was started, in the kernel's ticks since boot; with its id that is one process for good. None when there
    is no such process any more, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _namespace(pid: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")
