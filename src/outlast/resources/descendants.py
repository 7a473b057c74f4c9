"""What came of what was started for a resource, and is all of it gone?

Two witnesses. Where this node has cgroups (version 2) that can be written, what is started gets a cgroup of its own: a
child is a member from its first instruction on, and the kernel kills all of them at once. And a mark in the environment
that children inherit: it finds them where there is no cgroup, and those that somebody moved out of theirs.
"""

import os
import signal
import time
import urllib.parse
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from outlast.resources.programs import marked

_LOOK_AGAIN_S = 0.01
_GROUP_EMPTY_S = 0.5
"""The kernel counts a process as a member for a moment after its end."""


class StillRuns(Exception):
    """Processes could not be killed. The text names them."""


def make_cgroup(name: str) -> str:
    """The directory of a new cgroup below that of this process; "" where there can be none."""
    parent = _own_cgroup()
    if parent is None:
        return ""
    path = parent / f"outlast-{urllib.parse.quote(name, safe='')}"
    try:
        path.mkdir()
    except OSError:
        return ""
    # Its own file tells whether it is one: elsewhere this would have made a mere directory.
    if not (path / "cgroup.kill").exists():
        with suppress(OSError):
            path.rmdir()
        return ""
    return str(path)


def remove_cgroup(cgroup: str) -> None:
    """With the groups below it, where nothing is left in them."""
    ends_s = time.monotonic() + _GROUP_EMPTY_S
    while cgroup and Path(cgroup).is_dir():
        for group in sorted(Path(cgroup).glob("**/"), key=lambda path: len(path.parts), reverse=True):
            with suppress(OSError):
                group.rmdir()
        if time.monotonic() > ends_s:
            return
        time.sleep(_LOOK_AGAIN_S)


def alive(mark: str, cgroup: str) -> set[int]:
    """The processes that are left, as this node counts. `cgroup` may be empty or gone."""
    return _members(cgroup) | marked(mark)


def kill(mark: str, cgroup: str, within_s: float, spared: Collection[str] = ()) -> None:
    """Returns when none is left but the programs that are `spared`. Raises `StillRuns`."""
    ends_s = time.monotonic() + within_s
    while True:
        everything = alive(mark, cgroup)
        pids = {pid for pid in everything if program(pid) not in spared} if spared else everything
        if not pids:
            break
        if time.monotonic() > ends_s:
            raise StillRuns(f"cannot be killed: {', '.join(describe(pid) for pid in sorted(pids))}")
        if cgroup and pids == everything:
            with suppress(OSError):
                Path(cgroup, "cgroup.kill").write_text("1")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap(pids)
        time.sleep(_LOOK_AGAIN_S)
    remove_cgroup(cgroup)


def describe(pid: int) -> str:
    """For people: "nginx (4711)"."""
    return f"{program(pid) or 'a process'} ({pid})"


def program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _members(cgroup: str) -> set[int]:
    """Also of the groups below it. Remains that nobody has waited for are none."""
    found: set[int] = set()
    if cgroup:
        for directory, _, _ in os.walk(cgroup):  # one that is removed meanwhile has no members
            with suppress(OSError):
                found.update(int(pid) for pid in (Path(directory) / "cgroup.procs").read_text().split())
    return {pid for pid in found if not _is_dead(pid)}


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _reap(pids: set[int]) -> None:
    """Those that are our own children; the others are their parents' business."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _own_cgroup() -> Path | None:
    mount = None
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            root, point = before.split()[3:5]
            mount = (root, Path(point))
    path = next((line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")), "")
    if mount is None or not path.startswith(mount[0]):
        return None
    found = mount[1] / path.removeprefix(mount[0]).lstrip("/")
    return found if (found / "cgroup.procs").exists() else None
