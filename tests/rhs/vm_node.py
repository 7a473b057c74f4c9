"""A real libvirtd and QEMU, and VMs on them, for the tests that run inside a private node (test_vm.py)."""

import contextlib
import gc
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import guest
import msgspec
import pytest

from outlast.plugin import Condition, Health, Spec
from outlast.plugin_contract import HANG_S, RecordingHost
from outlast.resources.vm import VmType, qemu
from outlast.resources.vm.definition import uuid_of
from outlast.resources.vm.domain import VmDomain
from outlast.resources.vm.state_files import MANAGED

NUMBERS = itertools.count(1)


def make_spec(directory: Path) -> Spec:
    name = f"vm{next(NUMBERS)}"
    disk = directory / f"{name}.img"
    guest.write_disk(disk)
    xml = guest.definition(name, disk)
    return Spec(f"res-{name}", "vm", definition=xml, identity=uuid_of(xml))


def qemu_pid(spec: Spec) -> int:
    """Found without the plugin."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and spec.identity.encode() in (entry / "cmdline").read_bytes():
                return int(entry.name)
    return 0


def virsh(*arguments: str) -> str:
    done = subprocess.run(["virsh", "-q", *arguments], capture_output=True, text=True, timeout=HANG_S, check=True)
    return done.stdout.strip()


def libvirtd_pid() -> int:
    return int(Path("/run/libvirtd.pid").read_text())


def wait_until(true: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + HANG_S
    while not true():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


@contextlib.contextmanager
def frozen_libvirtd() -> Iterator[None]:
    pid = libvirtd_pid()
    gc.collect()  # Who frees the last of a closed connection takes leave of the daemon, and waits for its answer.
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def no_libvirtd() -> Iterator[None]:
    os.kill(libvirtd_pid(), signal.SIGKILL)
    wait_until(lambda: not qemu.scan().daemon_runs)
    try:
        yield
    finally:
        subprocess.run(["libvirtd", "-d", "-p", "/run/libvirtd.pid"], check=True, timeout=HANG_S)


class Running:
    """A VM that runs, and what its type reports since."""

    def __init__(self, directory: Path) -> None:
        self.host = RecordingHost()
        self.type = VmType(self.host)
        self.spec = make_spec(directory)
        self.vm: VmDomain = self.type.open(self.spec)
        self.name = self.vm.libvirt_name
        self.vm.online(lambda _: None)

    @property
    def pid(self) -> int:
        return qemu_pid(self.spec)

    def is_alive(self) -> Health:
        return self.type.is_alive([self.spec.name])[self.spec.name]

    @property
    def saved_by_hand(self) -> list[str]:
        """What lies there of it, by the name that libvirt gives it, or that we do."""
        names = (f"{self.name}.save", f"outlast-{self.spec.identity}-*.state")
        return [str(path) for name in names for path in MANAGED.glob(name)]

    def reported(self) -> list[Condition]:
        return [health.condition for _, health in self.host.health]

    def end(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            virsh("destroy", self.name)
        self.vm.terminate()
        self.vm.forget()
        self.vm.close()
        self.type.close()


@pytest.fixture
def vm(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.end()


_HOST = """
import sys, msgspec
from outlast.plugin import Spec
from outlast.plugin_contract import RecordingHost
from outlast.resources.vm import VmType
spec = msgspec.json.decode(sys.argv[1], type=Spec)
def progress(word):
    print(word, flush=True)
    sys.stdin.readline()
VmType(RecordingHost()).open(spec).online(progress)
"""


class OtherHost:
    """A resource host that is about to ask libvirt to start a VM, and is killed when it has."""

    def __init__(self, spec: Spec) -> None:
        arguments = [sys.executable, "-c", _HOST, msgspec.json.encode(spec).decode()]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "defined\n"

    def ask(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
