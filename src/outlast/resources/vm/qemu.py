"""Which QEMU processes run on this node, whatever libvirt says, and how did one end?

QEMU's process is the second witness beside libvirt: it is there while libvirtd restarts or hangs, and its end is seen
at once through a pidfd, where libvirt (9.0, measured) needs 200 ms to say the same. A process is known by the UUID on
its command line, never by its pid alone.

How a process ended that is not our child can be asked since Linux 6.15 (PIDFD_GET_INFO). Where the kernel does not
tell, libvirt's word is waited for.
"""

import contextlib
import fcntl
import os
import select
import signal
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

PID_FILES = "/run/libvirt/qemu"
DAEMONS = frozenset({"libvirtd", "virtqemud"})

_PIDFD_GET_INFO = 0xC040FF0B
_INFO_BYTES = 64
_INFO_EXIT = 1 << 3
_EXIT_CODE_OFFSET = 60
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_REAP_S = 0.05
"""The kernel tells how a process ended once its parent has waited for it; init does so at once."""


class Process:
    """One QEMU process. The pidfd keeps meaning this very process, also when its pid is used again.

    The pidfd is closed with the last reference: several threads may look at the process while one lets go of it.
    """

    def __init__(self, uuid: str, pid: int, pidfd: int, *, incoming: bool = False) -> None:
        """`incoming`: it was started to receive what another node hands over."""
        self.uuid = uuid
        self.incoming = incoming
        self.pid = pid
        self.pidfd = pidfd

    def __del__(self) -> None:
        os.close(self.pidfd)

    def ended(self, within_s: float = 0.0) -> bool:
        """True when all its threads are gone: nothing of it writes to a disk any more."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(within_s * 1000))

    def cpu_s(self) -> float | None:
        """Processor time of all its threads so far; None: nobody can tell any more."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            return None
        if self.ended():  # what was read may be another process with its pid
            return None
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)


class ProcessId(NamedTuple):
    """A process, and no other one that has its pid later."""

    pid: int
    started_ticks: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What /proc holds right now."""

    qemu: Mapping[str, int]
    """UUID -> pid."""
    daemon_runs: bool
    """libvirt's daemon, or a child of it that is about to become a QEMU: it could still start something."""
    dying_qemu: bool
    """A QEMU whose first thread has ended while others are stuck in the kernel: nobody can tell whose it is."""


def daemons() -> set[ProcessId]:
    """libvirt's daemons that live now, hung or not; also a child of one that is about to become a QEMU."""
    found = (process_id(pid) for pid in _pids() if _is_daemon(_command_line(pid)))
    return {one for one in found if one is not None}


def process_id(pid: int) -> ProcessId | None:
    """None: there is no such process, or only what remains of it."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else ProcessId(pid, int(fields[19]))


def find(uuid: str, name: str) -> Process | None:
    """The process that runs this VM now: by libvirt's pid file, which costs nothing, else by looking at them all."""
    with contextlib.suppress(OSError, ValueError), open(f"{PID_FILES}/{name}.pid") as file:
        if process := _open(uuid, int(file.read())):
            return process
    pid = scan().qemu.get(uuid)
    return _open(uuid, pid) if pid else None


def find_by_pid_file(uuid: str, name: str) -> Process | None:
    with contextlib.suppress(OSError, ValueError), open(f"{PID_FILES}/{name}.pid") as file:
        return _open(uuid, int(file.read()))
    return None


def pid_file_is_stale(uuid: str, name: str) -> bool:
    """libvirt's pid file is there, and the process that it names is not this VM's QEMU, or not any more."""
    try:
        with open(f"{PID_FILES}/{name}.pid") as file:
            pid = int(file.read())
    except (OSError, ValueError):
        return False
    return _open(uuid, pid) is None and not _is_dying_qemu(pid)


def scan() -> Scan:
    qemu: dict[str, int] = {}
    daemon_runs = dying_qemu = False
    for pid in _pids():
        arguments = _command_line(pid)
        if not arguments:
            dying_qemu = dying_qemu or _is_dying_qemu(pid)
        elif _is_daemon(arguments):
            daemon_runs = True
        elif uuid := _uuid_of(arguments):
            qemu[uuid] = pid
    return Scan(qemu, daemon_runs, dying_qemu)


def how_it_ended(process: Process) -> int | None:
    """Its wait status (`os.WIFSIGNALED` and so on), or None when this kernel does not tell."""
    poll = select.poll()
    poll.register(process.pidfd, 0)  # POLLHUP alone: the process was waited for.
    poll.poll(_REAP_S * 1000)
    info = bytearray(struct.pack("=Q", _INFO_EXIT).ljust(_INFO_BYTES, b"\0"))
    try:
        fcntl.ioctl(process.pidfd, _PIDFD_GET_INFO, info)
    except OSError:
        return None
    (mask,) = struct.unpack_from("=Q", info)
    (status,) = struct.unpack_from("=i", info, _EXIT_CODE_OFFSET)
    return int(status) if mask & _INFO_EXIT else None


class Watch:
    """One thread that sleeps until one of the watched processes ends."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[Process, Callable[[Process], None]]] = {}
        self._lock = threading.Lock()
        self._started = False

    def add(self, process: Process, on_end: Callable[[Process], None]) -> None:
        """`on_end` runs in the watch's thread, once; it must not block for long."""
        with self._lock:
            self._watched[process.pidfd] = (process, on_end)
            # A pidfd stays readable once its process has ended, so a process that ended before is told as well.
            self._epoll.register(process.pidfd, select.EPOLLIN)
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="qemu watch", daemon=True).start()

    def remove(self, process: Process) -> None:
        with self._lock:
            if self._watched.pop(process.pidfd, None):
                self._epoll.unregister(process.pidfd)

    def _run(self) -> None:
        while True:
            for fd, _ in self._epoll.poll():
                with self._lock:
                    entry = self._watched.pop(fd, None)
                    if entry:
                        self._epoll.unregister(fd)
                if entry:
                    process, on_end = entry
                    on_end(process)


def _open(uuid: str, pid: int) -> Process | None:
    """The order matters: what the pidfd means is checked after it was opened."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    arguments = _command_line(pid)
    process = Process(uuid, pid, pidfd, incoming=b"-incoming" in arguments)
    if _uuid_of(arguments) == uuid and not process.ended():
        return process
    return None


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _command_line(pid: int) -> list[bytes]:
    """Empty for a kernel thread, for what remains of a process, and for no process at all."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:
            return file.read(65536).rstrip(b"\0").split(b"\0") if pid else []
    except OSError:
        return []


def _is_daemon(arguments: list[bytes]) -> bool:
    return bool(arguments) and os.path.basename(arguments[0]).decode(errors="replace") in DAEMONS


def _uuid_of(arguments: list[bytes]) -> str:
    with contextlib.suppress(ValueError, IndexError):
        return arguments[arguments.index(b"-uuid") + 1].decode(errors="replace").lower()
    return ""


def _is_dying_qemu(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            head, _, tail = file.read(4096).rpartition(b")")
    except OSError:
        return False
    fields = tail.split()
    return b"(qemu" in head and fields[0] in (b"Z", b"X") and int(fields[17]) > 1
