"""What can be done with a lab? One method for each verb of `outlast lab`.

The lab's state is the machine's state: what is up is asked of the kernel each time, and state.json holds only
what was asked for when the lab was built. So a command that died half-way leaves nothing that `down` cannot find.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from outlast.lab import beacon, bmc, cgroup, checker, disk, layout, linux, network, node, requirements
from outlast.lab.errors import LabError, NotPossibleNow, WrongInput
from outlast.lab.layout import LabPaths, NodePaths


class LabState(msgspec.Struct, frozen=True):
    """What was asked for at `lab up`."""

    name: str
    nodes: tuple[str, ...]
    service: bool
    watchdog: bool
    kvm: bool
    node_timeout_s: float


@dataclass(frozen=True, slots=True)
class NodeReport:
    name: str
    address: str
    power: str  # on, off, frozen
    why: str
    services: tuple[str, ...]
    guests: tuple[str, ...]
    cut_from: tuple[str, ...]
    bmc: str  # ok, or how it misbehaves


class Lab:
    def __init__(self, name: str = layout.DEFAULT_NAME) -> None:
        self.paths = LabPaths(layout.check_lab_name(name))

    # Up and down

    def up(
        self,
        nodes: int = 3,
        *,
        node_timeout_s: float = 5.0,
        service: bool = True,
        watchdog: bool = True,
        kvm: bool = False,
        tell: Callable[[str], None] = lambda words: None,
    ) -> None:
        """Builds a new lab and powers its nodes on. Returns when every libvirtd answers."""
        names = layout.node_names(nodes)
        if not 0.5 <= node_timeout_s <= 600:
            raise WrongInput(f"cannot use a node time-out of {node_timeout_s:g} s: 0.5 to 600 are possible")
        requirements.check_machine()
        if service:
            _check_service_program()
        with self._alone():
            self._refuse_if_up(tell)
            state = LabState(self.paths.name, names, service, watchdog, kvm, node_timeout_s)
            try:
                self._build(state, tell)
            except BaseException:
                self._tear_down()
                raise

    def down(self) -> bool:
        """Leaves nothing behind: processes, mounts, namespaces, cgroups, files. False if there was nothing."""
        requirements.check_root("take a lab down")
        there = self.paths.root.exists() or cgroup.path_of(self.paths.cgroup).exists()
        if there:
            # First of all, and without waiting for anybody: a hanging `lab up` dies with its nodes.
            cgroup.kill(self.paths.cgroup)
            with self._alone(patience_s=30.0):
                self._tear_down()
        return there

    def is_up(self) -> bool:
        return self.paths.state.exists() and cgroup.is_populated(self.paths.cgroup)

    def put_in_order(self) -> None:
        """Everything on, thawed, healed and in working order, and no guest anywhere: as it was when it was new."""
        for name in self.state().nodes:
            bmc.set_fault(self.paths, name, bmc.Fault.NONE)
            target = self.node(name)
            cgroup.thaw(target.cgroup)
            if not node.is_on(target) or any(node.guest_of(found) for found in node.processes(target)):
                self.reset(name, "put in order")
            shutil.rmtree(target.guest_logs)
            target.guest_logs.mkdir()
        self.heal()
        self.keep_daemon()
        for left in (self.paths.shared, self.paths.images):
            for file in left.iterdir():
                if file.is_file():
                    file.unlink()

    # Power

    def is_on(self, name: str) -> bool:
        return node.is_on(self.node(name))

    def power_on(self, name: str, why: str = "powered on by hand", *, wait: bool = True) -> None:
        target = self.node(name)
        self.keep_daemon()
        node.power_on(target, why)
        if wait:
            wait_for_libvirt(target)

    def power_off(self, name: str, why: str = "powered off by hand") -> None:
        node.power_off(self.node(name), why)

    def reset(self, name: str, why: str = "reset by hand", *, wait: bool = True) -> None:
        self.power_off(name, why)
        self.power_on(name, why, wait=wait)

    def set_bmc_fault(self, name: str, fault: bmc.Fault) -> None:
        self.node(name)
        bmc.set_fault(self.paths, name, fault)
        self.keep_daemon()

    def keep_daemon(self) -> None:
        """Fencing and watchdogs are the daemon's; when it has died, the next command brings a new one."""
        if not bmc.daemon_runs(self.paths):
            bmc.start_daemon(self.paths)
            bmc.wait_for_daemon(self.paths)

    def kill_daemon(self, how: signal.Signals = signal.SIGKILL) -> None:
        for pid in cgroup.members(f"{self.paths.cgroup}/daemon"):
            os.kill(pid, how)

    # Freezing and killing

    def freeze(self, name: str, process: str = "") -> None:
        if process:
            _signal(self.node(name), process, signal.SIGSTOP)
        else:
            node.freeze(self.node(name))

    def thaw(self, name: str, process: str = "") -> None:
        if process:
            _signal(self.node(name), process, signal.SIGCONT)
        else:
            node.thaw(self.node(name))

    def kill(self, name: str, process: str) -> None:
        _signal(self.node(name), process, signal.SIGKILL)

    # Network

    def cut(self, a: str, b: str = "", *, one_way: bool = False) -> None:
        self._check_names(a, b)
        self._set_cuts(network.load_cuts(self.paths) | network.cuts_between(a, b, one_way=one_way))

    def heal(self, a: str = "", b: str = "") -> None:
        self._check_names(a, b)
        self._set_cuts(network.healed(network.load_cuts(self.paths), a, b))

    # Inside

    def run(
        self, name: str, *command: str, stdin: str = "", timeout_s: float = 60.0
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command inside a node and returns its answer; its exit code is not judged."""
        return subprocess.run(
            node.enter_command(self.node(name), command),
            env=node.enter_environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def exec(self, name: str, *command: str, timeout_s: float = 60.0) -> str:
        """Runs a command inside a node and returns what it said; it must succeed."""
        done = self.run(name, *command, timeout_s=timeout_s)
        if done.returncode:
            words = (done.stderr or done.stdout).strip()
            raise LabError(f"{' '.join(command)} failed on {name} (exit code {done.returncode}): {words}")
        return done.stdout

    def virsh(self, name: str, *arguments: str) -> str:
        return self.exec(name, "virsh", "--quiet", *arguments)

    def wait(self, happened: Callable[[], object], within_s: float, what: str = "") -> float:
        """Until `happened()` is true; returns after how many seconds. The bound is there to catch a hang."""
        began = time.monotonic()
        while not happened():
            if time.monotonic() - began > within_s:
                raise LabError(f"did not happen within {within_s:g} s: {what or happened}")
            time.sleep(0.005)
        return time.monotonic() - began

    def become(self, name: str, command: Sequence[str]) -> None:
        """This process goes into the node and becomes the command: terminal, signals and exit code are its own."""
        enter = node.enter_command(self.node(name), command)
        os.execvpe(enter[0], enter, node.enter_environment())

    # Guests

    def create_guest(self, kind: str, name: str, *, image_lock: bool = True, on_node: str = "") -> str:
        """Writes the disk of a guest ("beacon" or "linux") and returns its domain XML."""
        self.state()  # says so when there is no lab
        if on_node:
            self.node(on_node)
        kinds = {"beacon": beacon.create, "linux": linux.create}
        return kinds[kind](self.paths, name, image_lock=image_lock, on_node=on_node)

    def guest_log(self, node_name: str, guest: str) -> tuple[beacon.Beat, ...]:
        """What a guest has said on a node so far."""
        path = self.node(node_name).guest_logs / f"{guest}.log"
        return beacon.read_log(path) if path.exists() else ()

    def watcher(self) -> checker.Watcher:
        """Sees whether two copies of a guest ever run at once, from `with` to its end."""
        return checker.Watcher([self.paths.node(name) for name in self.state().nodes])

    def check_disks(self) -> tuple[checker.Finding, ...]:
        """What the beacons' disks say about two copies of a guest."""
        self.state()
        return checker.check_disks(self.paths.images.glob("*.img"))

    # Looking

    def state(self) -> LabState:
        try:
            return msgspec.json.decode(self.paths.state.read_bytes(), type=LabState)
        except FileNotFoundError:
            name = "" if self.paths.name == layout.DEFAULT_NAME else f" --name {self.paths.name}"
            words = f'there is no lab "{self.paths.name}"; bring it up with: outlast lab up{name}'
            raise NotPossibleNow(words) from None

    def node(self, name: str) -> NodePaths:
        state = self.state()
        if name not in state.nodes:
            raise WrongInput(f'there is no node "{name}" in this lab; it has {", ".join(state.nodes)}')
        return self.paths.node(name)

    def show(self) -> tuple[NodeReport, ...]:
        cuts = network.load_cuts(self.paths)
        return tuple(_report(self.paths.node(name), cuts) for name in self.state().nodes)

    def log(self, name: str, service: str) -> str:
        target = self.node(name)
        logs = {path.stem: path for path in (target.var / "log").glob("*.log")} | {"boot": target.boot_log}
        if service not in logs:
            raise WrongInput(f'{name} has no log of "{service}"; it has those of {", ".join(sorted(logs))}')
        return logs[service].read_text(errors="replace")

    # How

    def _build(self, state: LabState, tell: Callable[[str], None]) -> None:
        lab = self.paths
        lab.images.mkdir(parents=True)
        lab.guests.mkdir()
        (lab.root / "nodes").mkdir(mode=0o700)  # copies of /etc/shadow are in there
        tell("network")
        cgroup.create(lab.cgroup)
        network.create(lab)
        new = lab.state.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(state))
        new.rename(lab.state)
        for name in state.nodes:
            lab.node(name).board.mkdir(parents=True)
        bmc.start_daemon(lab)

        def start(name: str) -> None:
            target = lab.node(name)
            disk.install(
                target,
                state.nodes,
                service=state.service,
                watchdog=state.watchdog,
                kvm=state.kvm,
                node_timeout_s=state.node_timeout_s,
            )
            bmc.wait_for_daemon(lab)  # the services find watchdog and BMC from their first moment on
            node.power_on(target, "lab up")
            wait_for_libvirt(target)
            tell(name)

        with ThreadPoolExecutor(len(state.nodes)) as pool:
            list(pool.map(start, state.nodes))
        disk.remember_qemu_capabilities(lab.node(state.nodes[0]))

    def _refuse_if_up(self, tell: Callable[[str], None]) -> None:
        if self.is_up():
            count = len(self.state().nodes)
            raise NotPossibleNow(
                f'lab "{self.paths.name}" is up already, with {count} nodes; see them with: outlast lab show; '
                "for a new one, first: outlast lab down"
            )
        if self.paths.state.exists() or cgroup.path_of(self.paths.cgroup).exists():
            tell("clearing what an earlier lab left")
        self._tear_down(keep_directory=True)

    def _tear_down(self, *, keep_directory: bool = False) -> None:
        cgroup.kill(self.paths.cgroup)
        cgroup.remove(self.paths.cgroup)
        network.remove(self.paths)
        _empty(self.paths.root)
        if not keep_directory:
            self.paths.root.rmdir()
            with suppress(OSError):  # other labs are there
                layout.LABS.rmdir()

    @contextmanager
    def _alone(self, *, patience_s: float = 0.0) -> Iterator[None]:
        """One `up` or `down` of a lab at a time; the kernel lets go when its holder dies."""
        deadline = time.monotonic() + patience_s
        while not (directory := self._take()):
            if time.monotonic() > deadline:
                raise NotPossibleNow(
                    f'lab "{self.paths.name}" is just being brought up or down by somebody else; try again'
                )
            time.sleep(0.05)
        try:
            yield
        finally:
            os.close(directory)

    def _take(self) -> int:
        """The lab's directory, locked; 0 if somebody else has it, or has just removed it."""
        root = self.paths.root
        root.mkdir(parents=True, exist_ok=True)
        directory = os.open(root, os.O_RDONLY)
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(directory), root.stat()):
                return directory
        os.close(directory)
        return 0

    def _check_names(self, *names: str) -> None:
        for name in names:
            if name:
                self.node(name)
        if len(set(names)) < len(names) and all(names):
            raise WrongInput(f"cannot cut {names[0]} from itself")

    def _set_cuts(self, cuts: frozenset[network.Cut]) -> None:
        network.apply_cuts(self.paths, cuts, self.state().nodes)


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


def wait_for_libvirt(target: NodePaths, *, within_s: float = 30.0) -> None:
    """Until libvirtd answers a question, not merely until its socket is there."""
    deadline = time.monotonic() + within_s
    pid = node.init_pid(target)
    while not os.path.exists(f"/proc/{pid}/root/run/libvirt/libvirt-sock"):
        if time.monotonic() > deadline:
            raise LabError(f"libvirtd of {target.name} did not start; see {target.var}/log/libvirtd.log")
        node.init_pid(target)  # raises when the node died
        time.sleep(0.01)
    ask = node.enter_command(target, ["virsh", "--quiet", "version", "--daemon"])
    left_s = max(1.0, deadline - time.monotonic())
    try:
        answer = subprocess.run(
            ask, env=node.enter_environment(), capture_output=True, text=True, timeout=left_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"libvirtd of {target.name} does not answer; see {target.var}/log/libvirtd.log") from None
    if answer.returncode:
        raise LabError(f"libvirtd of {target.name} does not answer: {answer.stderr.strip()}")


def _check_service_program() -> None:
    program = disk.search_path().split(":")[0] + "/outlastd"
    if not os.access(program, os.X_OK):
        raise NotPossibleNow(
            f"cannot start the cluster service in the nodes: there is no {program}; install Outlast there, "
            "or bring the lab up with --no-service"
        )


def _signal(target: NodePaths, process: str, what: signal.Signals) -> None:
    for pid in node.find_processes(target, process):
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def _report(target: NodePaths, cuts: frozenset[network.Cut]) -> NodeReport:
    power = node.last_power(target)
    on = node.is_on(target)
    running = node.processes(target) if on else ()
    services = [s for s in ("libvirtd", "outlastd", "outlast-rhs") if any(node.is_service(p, s) for p in running)]
    guests = [guest for guest in map(node.guest_of, running) if guest]
    mine = [cut for cut in cuts if target.name in (cut.source, cut.target)]
    return NodeReport(
        name=target.name,
        address=layout.address_of(target.name),
        power="frozen" if on and cgroup.is_frozen(target.cgroup) else "on" if on else "off",
        why="its first process died" if power.on and not on else power.why,
        services=tuple(services),
        guests=tuple(sorted(guests)),
        cut_from=tuple(sorted({(c.target if c.source == target.name else c.source) or "all" for c in mine})),
        bmc=bmc.fault_of(target.lab, target.name).value,
    )
