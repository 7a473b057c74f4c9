"""How does a lab come to be, and how does it go without a trace?

Everything is found from the lab's name: its directory, its cgroup, its network. So tearing down needs no memory of
what was built, and ends half-built labs just as well.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from outlast.lab import bmc, cgroup, disk, forming, layout, network, node
from outlast.lab.errors import NotPossibleNow
from outlast.lab.layout import LabPaths
from outlast.lab.state import LabState


def build(lab: LabPaths, state: LabState, tell: Callable[[str], None]) -> None:
    lab.images.mkdir(parents=True)
    lab.guests.mkdir()
    (lab.root / "nodes").mkdir(mode=0o700)  # copies of /etc/shadow are in there
    tell("network")
    cgroup.create(lab.cgroup)
    network.create(lab)
    new = lab.state.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(state))
    new.rename(lab.state)
    for name in state.machines:
        lab.node(name).board.mkdir(parents=True)
    bmc.start_daemon(lab)

    def start(name: str) -> None:
        target = lab.node(name)
        disk.install(target, state)
        bmc.wait_for_daemon(lab)  # the services find watchdog and BMC from their first moment on
        node.power_on(target, "lab up")
        if name in state.nodes:
            node.wait_for_libvirt(target)
        tell(name)

    with ThreadPoolExecutor(len(state.machines)) as pool:
        ready = {name: pool.submit(start, name) for name in state.machines}
        if state.database == "etcd" and state.service:
            forming.form(lab, state, {name: future.result for name, future in ready.items()}, tell)
        for future in ready.values():
            future.result()
    disk.remember_qemu_capabilities(lab.node(state.nodes[0]))


def tear_down(lab: LabPaths, *, keep_directory: bool = False) -> None:
    cgroup.remove(lab.cgroup)
    network.remove(lab)
    _empty(lab.root)
    if not keep_directory:
        lab.root.rmdir()
        with suppress(OSError):  # other labs are there
            layout.LABS.rmdir()


@contextmanager
def alone(lab: LabPaths, *, patience_s: float = 0.0) -> Iterator[None]:
    """One `up` or `down` of a lab at a time; the kernel lets go when its holder dies."""
    deadline = time.monotonic() + patience_s
    while not (directory := _take(lab)):
        if time.monotonic() > deadline:
            raise NotPossibleNow(f'lab "{lab.name}" is just being brought up or down by somebody else; try again')
        time.sleep(0.05)
    try:
        yield
    finally:
        os.close(directory)


def _take(lab: LabPaths) -> int:
    """The lab's directory, locked; 0 if somebody else has it, or has just removed it."""
    root = lab.root
    root.mkdir(parents=True, exist_ok=True)
    directory = os.open(root, os.O_RDONLY)
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(directory), root.stat()):
            return directory
    os.close(directory)
    return 0


def _empty(directory: Path) -> None:
    """A copying command that a dying `lab up` left behind may still add files for a moment."""
    for attempt in range(10):
        try:
            for entry in directory.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            return
        except OSError:
            if attempt == 9:
                raise
            time.sleep(0.1)
