"""Which processes belong to a node, and how are all of them stopped, frozen or killed at once?

A node's processes are the members of its cgroup (version 2; no controller is needed), never a list of
process ids and never a name: a child is a member from its first instruction on, so nothing can slip away, and
nothing of somebody else's can be hit. Killing and freezing a cgroup are done by the kernel in one go.
"""

import errno
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from outlast.lab.errors import LabError, NotPossibleNow


@cache
def mount_point() -> Path:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    raise NotPossibleNow(
        "cannot run a lab here: no cgroup2 file system is mounted (on Debian 12 it is at /sys/fs/cgroup)"
    )


def path_of(group: str) -> Path:
    return mount_point() / group


def create(group: str) -> Path:
    path = path_of(group)
    path.mkdir(parents=True, exist_ok=True)
    return path


def members(group: str) -> tuple[int, ...]:
    """Process ids in the group itself (not in groups below it)."""
    try:
        return tuple(int(pid) for pid in (path_of(group) / "cgroup.procs").read_text().split())
    except (FileNotFoundError, OSError):
        return ()


def is_populated(group: str) -> bool:
    return _event(group, "populated")


def is_frozen(group: str) -> bool:
    return _event(group, "frozen")


def _event(group: str, name: str) -> bool:
    try:
        return f"{name} 1" in (path_of(group) / "cgroup.events").read_text()
    except (FileNotFoundError, OSError):
        return False


def kill(group: str, *, within_s: float = 20.0) -> None:
    """Returns when no process of the group (or below it) is left. Frozen ones die too."""

    # Again and again: somebody may have joined between the blow and the look.
    _wait_for(group, "populated 0", within_s, each_time=lambda: strike(group))


def strike(group: str) -> None:
    """Kills what is in the group now, once, and waits for nothing."""
    with suppress(FileNotFoundError):
        (path_of(group) / "cgroup.kill").write_text("1")


def freeze(group: str, *, within_s: float = 10.0) -> None:
    (path_of(group) / "cgroup.freeze").write_text("1")
    _wait_for(group, "frozen 1", within_s)


def thaw(group: str, *, within_s: float = 10.0) -> None:
    (path_of(group) / "cgroup.freeze").write_text("0")
    _wait_for(group, "frozen 0", within_s)


def remove(group: str) -> None:
    """Kills what is in the group and below it, and removes all of it."""
    path = path_of(group)
    for attempt in range(10):
        kill(group)
        try:
            for below in sorted(path.glob("**/"), key=lambda p: len(p.parts), reverse=True):
                with suppress(FileNotFoundError):
                    below.rmdir()
            return
        except OSError as error:  # busy: somebody has just joined
            if error.errno != errno.EBUSY or attempt == 9:
                raise


def _wait_for(group: str, event: str, within_s: float, *, each_time: Callable[[], None] = lambda: None) -> None:
    """The kernel tells of each change of cgroup.events (poll, POLLPRI)."""
    try:
        events = os.open(path_of(group) / "cgroup.events", os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        deadline = time.monotonic() + within_s
        each_time()
        while event not in os.pread(events, 200, 0).decode():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise LabError(f'cgroup {group} did not reach "{event}" within {within_s:g} s')
            # Not longer: a notice may have been given between reading and polling.
            poll.poll(min(left_s, 0.05) * 1000)
            each_time()
    finally:
        os.close(events)
