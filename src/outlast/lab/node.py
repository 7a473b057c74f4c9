"""How is one node powered on and off, frozen, and entered?

Everything here needs only the lab's directory and cgroup: it works the same from the command line, from the
lab's daemon (the BMC), and after the daemon has died.
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from outlast.lab import cgroup, disk, layout
from outlast.lab.errors import LabError, NotPossibleNow, WrongInput
from outlast.lab.layout import NodePaths

MODULES = {
    "outlastd": "outlast.service.main",
    "outlast-rhs": "outlast.rhs.main",
    "outlast-witness": "outlast.service.witness",
    "outlast-web": "outlast.web.main",
}
SERVICES = ("libvirtd", "etcd", *MODULES)


class Power(msgspec.Struct, frozen=True):
    """The last thing that was done to the node's power, and why."""

    on: bool
    why: str
    at: float  # wall clock, for people


@dataclass(frozen=True, slots=True)
class NodeProcess:
    pid: int  # as the host counts
    arguments: tuple[str, ...]
    program: str


def is_on(node: NodePaths) -> bool:
    return cgroup.is_populated(node.cgroup)


def power_on(node: NodePaths, why: str) -> None:
    """Returns when the node's first process runs its services; they may take a moment longer."""
    with _switch_held(node):
        if not is_on(node):
            _start(node, why)


def _start(node: NodePaths, why: str) -> None:
    node.init.unlink(missing_ok=True)
    group = cgroup.create(node.cgroup)
    cgroup.thaw(node.cgroup)  # a node that lost its power while it was frozen
    environment = {
        "PATH": disk.search_path(),
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "LIBVIRT_DEFAULT_URI": "qemu:///system",
        "LAB": str(node.lab.root),
        "NODE": str(node.root),
        "NAME": node.name,
        "ADDRESS": layout.address_of(node.name),
        "CGROUP": str(group),
        "NET": str(node.lab.network),
        "DEVICES": node.devices.read_text() if node.devices.exists() else "",
        "KEEP": "\n".join(_kept_directories()),
    }
    _remember(node, Power(on=True, why=why, at=time.time()))
    with node.boot_log.open("ab") as log:
        starter = subprocess.Popen(
            ["/bin/sh", str(disk.files() / "boot.sh")],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    threading.Thread(target=starter.wait, daemon=True).start()  # reaps it when the node has died
    _wait_for_init(node, starter)


def power_off(node: NodePaths, why: str) -> None:
    """Returns when not one process of the node is left."""
    if is_on(node) or last_power(node).on:
        _remember(node, Power(on=False, why=why, at=time.time()))  # first: whoever sees it off can read why
    # At once, also while somebody is about to power it on; but once: a second blow could hit the life after this one.
    cgroup.strike(node.cgroup)
    with _switch_held(node):
        # Somebody was about to, and had no process yet: that one must go as well. But not the life that somebody
        # has given it since; then the record says "on".
        if not last_power(node).on:
            cgroup.kill(node.cgroup)


def last_power(node: NodePaths) -> Power:
    try:
        return msgspec.json.decode(node.power.read_bytes(), type=Power)
    except (FileNotFoundError, msgspec.DecodeError):
        return Power(on=False, why="never powered on", at=0.0)


def freeze(node: NodePaths) -> None:
    _must_be_on(node, "freeze it")
    cgroup.freeze(node.cgroup)


def thaw(node: NodePaths) -> None:
    _must_be_on(node, "thaw it")
    cgroup.thaw(node.cgroup)


def init_pid(node: NodePaths) -> int:
    """The node's first process, as the host counts."""
    try:
        pid = int(node.init.read_text())
    except (FileNotFoundError, ValueError):
        pid = 0
    # A process id means nothing by itself (the number may be somebody else's by now): the cgroup vouches for it.
    if pid not in cgroup.members(node.cgroup):
        raise NotPossibleNow(f"{node.name} is off; power it on with: {_hint(node, f'power on {node.name}')}")
    return pid


def wait_for_libvirt(target: NodePaths, *, within_s: float = 30.0) -> None:
    """Until libvirtd answers a question, not merely until its socket is there."""
    deadline = time.monotonic() + within_s
    pid = init_pid(target)
    while not os.path.exists(f"/proc/{pid}/root/run/libvirt/libvirt-sock"):
        if time.monotonic() > deadline:
            raise LabError(f"libvirtd of {target.name} did not start; see {target.var}/log/libvirtd.log")
        init_pid(target)  # raises when the node died
        time.sleep(0.01)
    ask = enter_command(target, ["virsh", "--quiet", "version", "--daemon"])
    left_s = max(1.0, deadline - time.monotonic())
    try:
        answer = subprocess.run(
            ask, env=enter_environment(), capture_output=True, text=True, timeout=left_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"libvirtd of {target.name} does not answer; see {target.var}/log/libvirtd.log") from None
    if answer.returncode:
        raise LabError(f"libvirtd of {target.name} does not answer: {answer.stderr.strip()}")


def life_of(node: NodePaths) -> str:
    """Names one life of the node, from power-on to power-off; "" when it is off."""
    try:
        pid = init_pid(node)
        return f"{pid}@{Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except (NotPossibleNow, FileNotFoundError, ProcessLookupError):
        return ""


def process(pid: int) -> NodeProcess | None:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except (FileNotFoundError, ProcessLookupError):
        return None
    return NodeProcess(pid, tuple(arguments), program)


def processes(node: NodePaths) -> tuple[NodeProcess, ...]:
    return tuple(found for pid in cgroup.members(node.cgroup) if (found := process(pid)))


def find_processes(node: NodePaths, what: str) -> tuple[int, ...]:
    """`what`: libvirtd, etcd, outlastd, outlast-witness, outlast-rhs (or outlast-rhs:TEXT, a word of its command line),
    qemu:VM."""
    _must_be_on(node, f"find {what}")
    kind, _, which = what.partition(":")
    if kind not in (*SERVICES, "qemu") or (kind == "qemu" and not which):
        known = ", ".join(SERVICES)
        raise WrongInput(f'cannot tell which process "{what}" is: use one of {known}, qemu:VMNAME')
    pids = tuple(
        found.pid
        for found in processes(node)
        if (guest_of(found) == which if kind == "qemu" else is_service(found, kind, which))
    )
    if not pids:
        raise NotPossibleNow(f"no process {what} runs on {node.name}")
    return pids


def signal_processes(target: NodePaths, process: str, what: signal.Signals) -> None:
    for pid in find_processes(target, process):
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def guest_of(process: NodeProcess) -> str:
    """The name of the guest that this process runs; "" if it is no QEMU."""
    if process.program.startswith("qemu-system-"):
        for argument in process.arguments:
            if argument.startswith("guest="):
                return argument.removeprefix("guest=").split(",")[0]
    return ""


def is_service(process: NodeProcess, kind: str, which: str = "") -> bool:
    if kind in ("libvirtd", "etcd"):
        return process.program == kind
    module = MODULES[kind]
    named = any(os.path.basename(a) == kind or a == module for a in process.arguments[:5])
    return process.program.startswith("python") and named and (not which or which in " ".join(process.arguments))


def enter_command(node: NodePaths, command: Sequence[str]) -> list[str]:
    """What to execute on the host so that `command` runs inside the node, as one of its processes."""
    pid = init_pid(node)
    if cgroup.is_frozen(node.cgroup):  # the command would be frozen with it, and take no Ctrl-C either
        raise NotPossibleNow(f"{node.name} is frozen; let it go on with: {_hint(node, f'thaw {node.name}')}")
    enter = ["nsenter", f"--target={pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
    join = 'echo $$ >"$0/cgroup.procs"; exec "$@"'
    missing = f'echo "outlast: there is no command \\"$1\\" on {node.name}" >&2; exit 127'
    go_there = f'cd "$0" 2>/dev/null || cd /; command -v "$1" >/dev/null || {{ {missing}; }}; exec "$@"'
    inside = ["/bin/sh", "-c", go_there, os.getcwd(), *command]
    return ["/bin/sh", "-c", join, str(cgroup.path_of(node.cgroup)), *enter, *inside]


def enter_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("TERM", "COLORTERM", "COLUMNS", "LINES") if name in os.environ}
    mine = {name: value for name, value in os.environ.items() if name.startswith(("OUTLAST_", "LIBVIRT_", "PYTHON"))}
    return {
        "HOME": "/root",
        "USER": "root",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "PATH": disk.search_path(),
        "LIBVIRT_DEFAULT_URI": "qemu:///system",
        **kept,
        **mine,
    }


@contextmanager
def _switch_held(node: NodePaths) -> Iterator[None]:
    """One hand at a time on the power switch; the kernel lets go when its holder dies."""
    directory = os.open(node.root, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _remember(node: NodePaths, power: Power) -> None:
    # Two hands may be on the switch at once (the watchdog and a person): each writes a file of its own.
    new = node.power.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    new.write_bytes(msgspec.json.encode(power))
    new.rename(node.power)


def _wait_for_init(node: NodePaths, starter: "subprocess.Popen[bytes]", *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            pid = int(node.init.read_text())
            if Path(f"/proc/{pid}/comm").read_text() == "s6-svscan\n":
                return
        except (FileNotFoundError, ValueError, ProcessLookupError):
            pass
        if starter.returncode is not None:
            break
        time.sleep(0.005)
    log = node.boot_log.read_text(errors="replace").strip().splitlines()
    raise LabError(f"cannot power on {node.name}: {log[-1] if log else 'its first process ended'} ({node.boot_log})")


def _kept_directories() -> list[str]:
    """What of the host's /etc and /var a node must see as well: the Outlast that runs it, what dpkg knows, and the USB
    devices that virt-install wants to know of."""
    package = Path(str(disk.files())).parents[2]
    wanted = {"/var/lib/dpkg", "/var/lib/usbutils", "/etc/ssl", sys.prefix, sys.base_prefix, str(package)}
    return sorted(path for path in wanted if path.startswith(("/var/", "/etc/")) and os.path.isdir(path))


def _must_be_on(node: NodePaths, purpose: str) -> None:
    if not is_on(node):
        raise NotPossibleNow(f"cannot {purpose}: {node.name} is off ({last_power(node).why})")


def _hint(node: NodePaths, verb: str) -> str:
    name = "" if node.lab.name == layout.DEFAULT_NAME else f" --name {node.lab.name}"
    return f"outlast lab {verb}{name}"
