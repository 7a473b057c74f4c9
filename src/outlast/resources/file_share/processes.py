"""Which processes serve a share, and how do they end?

They are found by what they were started with, not by a remembered number: the configuration file of the share is an
argument of each of them. Also in their session, which only descendants of the first one can be in: what helps them.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ENDS_WITHIN_S = 10.0
_LOOK_AGAIN_S = 0.01


@dataclass(frozen=True, slots=True)
class Server:
    """All processes of one share."""

    main: int
    """The one that takes connections; 0 when it has ended and others go on."""
    all: tuple[int, ...]


def servers(configurations: Iterable[Path]) -> Mapping[Path, Server]:
    """By configuration file; those without any process are missing. Raises `OSError` when it cannot be told."""
    wanted = {f"--configfile={path}".encode(): path for path in configurations}
    session_of: dict[int, int] = {}
    found: dict[Path, set[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (seen := _seen(int(entry))):
            session, arguments = seen
            session_of[int(entry)] = session
            for argument in arguments:
                if argument in wanted and _is_of_samba(int(entry)):
                    found.setdefault(wanted[argument], set()).add(int(entry))
    return {path: _server(pids, session_of) for path, pids in found.items()}


def _server(pids: set[int], session_of: Mapping[int, int]) -> Server:
    # Its first process leads a session, or has led it. One that somebody started by hand is in his session.
    led = {session_of[pid] for pid in pids if session_of[pid] in pids or session_of[pid] not in session_of}
    everybody = pids | {pid for pid, session in session_of.items() if session in led}
    return Server(next((pid for pid in sorted(pids) if pid in led), 0), tuple(sorted(everybody)))


def be_no_exception(pid: int) -> None:
    """When memory is short: the cluster service is spared, and with it what it starts; a file server is one of many."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("0")


def is_there(pid: int) -> bool:
    return _seen(pid) is not None


def _is_of_samba(pid: int) -> bool:
    """Also after an upgrade, when its file is another one. (Who asks with pdbedit or smbpasswd is no server.)"""
    try:
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return False
    return program.startswith(("smbd", "samba-dcerpcd", "rpcd_"))


def _seen(pid: int) -> tuple[int, Sequence[bytes]] | None:
    """Its session and arguments; None when it has ended."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # What is left of our own child.
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else (int(fields[3]), arguments)


def send(server: Server, number: signal.Signals) -> None:
    for pid in server.all:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end(configuration: Path) -> None:
    """Returns when none is left. Raises `RuntimeError` when they do not end, as one in the kernel's hands may not."""
    ends_s = time.monotonic() + _ENDS_WITHIN_S
    while server := servers([configuration]).get(configuration):
        if time.monotonic() > ends_s:
            raise RuntimeError(f"processes {', '.join(map(str, server.all))} do not end, although they were killed")
        send(server, signal.SIGKILL)
        time.sleep(_LOOK_AGAIN_S)
