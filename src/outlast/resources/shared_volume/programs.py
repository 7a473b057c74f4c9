"""Runs `images.py`, and finds and ends what runs of it, whoever started it.

What it starts has the volume's id in its environment, and so has the qemu-img that it starts. So another host, after
the one that had begun a change died, knows what still runs.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from outlast.plugin import Json, Refusal

MARK = "OUTLAST_SHARED_VOLUME"
ENDS_WITHIN_S = 5.0
_PROGRAM = Path(__file__).with_name("images.py")


class Progress(msgspec.Struct, frozen=True):
    """How a change stands."""

    percent: int = 0
    ended: bool = False
    result: str = ""
    problem: str = ""
    """Why it was not done, for people."""


class Job:
    """A change that is under way."""

    def __init__(self, id: str, request: Mapping[str, Json]) -> None:
        self.id = id
        self.progress = Progress()
        self._process = _start(request)
        threading.Thread(target=self._follow, name=f"change {id}", daemon=True).start()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        ended: Progress | None = None
        for line in self._process.stdout:
            said = json.loads(line)
            if "percent" in said:
                self.progress = Progress(int(said["percent"]))
            else:
                ended = Progress(100, True, str(said.get("result", "")), str(said.get("problem", "")))
        code = self._process.wait()  # nothing of it runs when it is said to have ended
        self.progress = ended or Progress(ended=True, problem=f"it ended with status {code}")


def ask(request: Mapping[str, Json], deadline_s: float) -> Json:
    """What answers at once. Raises `Refusal`, also when it does not answer in time."""
    process = _start(request, marked=False)
    try:
        said, _ = process.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Refusal(f"{request['path']} does not answer within {deadline_s:g} s") from None
    lines = said.splitlines()
    answer = json.loads(lines[-1]) if lines else {"problem": f"it ended with status {process.returncode}"}
    if "problem" in answer:
        raise Refusal(str(answer["problem"]))
    return answer["result"]


def running(id: str) -> list[int]:
    """Process ids of what changes something on the volume with that id here."""
    wanted = f"{MARK}={id}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and wanted in _environment(name) and _lives(name):
            found.append(int(name))
    return found


def end(id: str) -> None:
    """Returns when nothing of it runs any more. Raises when something hangs in the kernel."""
    ends_s = time.monotonic() + ENDS_WITHIN_S
    while pids := running(id):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() >= ends_s:
            raise RuntimeError(f"a change of the volume cannot be ended: process {pids[0]} hangs in the kernel")
        time.sleep(0.02)


def _start(request: Mapping[str, Json], *, marked: bool = True) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={**os.environ, MARK: str(request["id"])} if marked else None,
        start_new_session=True,
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
    return process


def _environment(pid: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
