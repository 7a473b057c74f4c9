"""What can be done with a lab? One method for each verb of `outlast lab`.

The lab's state is the machine's state: what is up is asked of the kernel each time, and state.json holds only
what was asked for when the lab was built. So a command that died half-way leaves nothing that `down` cannot find.
"""

import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from outlast.lab import (
    beacon,
    bmc,
    building,
    cgroup,
    checker,
    disk,
    freezing,
    layout,
    linux,
    network,
    node,
    requirements,
)
from outlast.lab.errors import LabError, NotPossibleNow, WrongInput
from outlast.lab.layout import LabPaths, NodePaths
from outlast.lab.report import NodeReport, report
from outlast.lab.state import LabState, load_state

SHUTDOWN_S = 1800.0
"""Longer than a cluster waits for a drain by default."""
SERVICE_END_S = 15.0


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
        database: str = "sqlite",
        witness: bool = False,
        memory_mib: int = 0,
        web: bool = False,
        tell: Callable[[str], None] = lambda words: None,
    ) -> None:
        """Builds a new lab and powers its nodes on. Returns when every libvirtd answers, and with etcd when all nodes
        are members of their cluster."""
        names = layout.node_names(nodes)
        if not 0.5 <= node_timeout_s <= 600:
            raise WrongInput(f"cannot use a node time-out of {node_timeout_s:g} s: 0.5 to 600 are possible")
        if memory_mib < 0:
            raise WrongInput(f"cannot give {memory_mib} MiB to a node: it must be 0 (its share) or more")
        _check_database(database, witness=witness)
        requirements.check_machine(etcd=database == "etcd")
        if service:
            _check_service_program()
        with building.alone(self.paths):
            self._refuse_if_up(tell)
            witnesses = (layout.WITNESS,) if witness else ()
            state = LabState(
                self.paths.name, names, service, watchdog, kvm, node_timeout_s, database, witnesses, memory_mib, web
            )
            try:
                building.build(self.paths, state, tell)
            except BaseException:
                building.tear_down(self.paths)
                raise

    def down(self) -> bool:
        """Leaves nothing behind: processes, mounts, namespaces, cgroups, files. False if there was nothing."""
        requirements.check_root("take a lab down")
        there = self.paths.root.exists() or cgroup.path_of(self.paths.cgroup).exists()
        if there:
            # First of all, and without waiting for anybody: a hanging `lab up` dies with its nodes.
            cgroup.kill(self.paths.cgroup)
            with building.alone(self.paths, patience_s=30.0):
                building.tear_down(self.paths)
        return there

    def is_up(self) -> bool:
        return self.paths.state.exists() and cgroup.is_populated(self.paths.cgroup)

    def put_in_order(self) -> None:
        """Everything on, thawed, healed and in working order, and no guest anywhere: as it was when it was new."""
        for name in self.state().machines:
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
        if wait and name in self.state().nodes:
            node.wait_for_libvirt(target)

    def power_off(self, name: str, why: str = "powered off by hand") -> None:
        node.power_off(self.node(name), why)

    def reset(self, name: str, why: str = "reset by hand", *, wait: bool = True) -> None:
        self.power_off(name, why)
        self.power_on(name, why, wait=wait)

    def shutdown(self, name: str) -> str:
        """In order, as a machine with systemd goes down: what outlast-drain.service runs there, then its services, then
        its power. Returns what the first of them said."""
        target = self.node(name)
        said = self.run(name, "outlast", "node", "before-shutdown", timeout_s=SHUTDOWN_S)
        self.run(name, "s6-svc", "-d", "-wD", "-T", f"{SERVICE_END_S * 1000:.0f}", "/run/service/outlastd")
        node.power_off(target, "shut down in order")
        return (said.stdout + said.stderr).strip()

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
        freezing.freeze(self.node(name), process)

    def thaw(self, name: str, process: str = "") -> None:
        freezing.thaw(self.node(name), process)

    def kill(self, name: str, process: str) -> None:
        node.signal_processes(self.node(name), process, signal.SIGKILL)

    # Network

    def cut(self, a: str, b: str = "", *, one_way: bool = False, plane: str = "") -> None:
        """`plane`: "database" or "service" cuts only those links; the rest of the network goes on."""
        self._check_names(a, b)
        if plane not in network.PLANES:
            raise WrongInput(f'there is no plane "{plane}"; there are: {", ".join(filter(None, network.PLANES))}')
        self._set_cuts(network.load_cuts(self.paths) | network.cuts_between(a, b, one_way=one_way, plane=plane))

    def split(self, one: Sequence[str], other: Sequence[str], *, plane: str = "") -> None:
        """Nobody of one side hears anybody of the other, at once."""
        pairs = [network.cuts_between(a, b, plane=plane) for a in one for b in other]
        self._set_cuts(network.load_cuts(self.paths).union(*pairs))

    def unite(self, one: Sequence[str], other: Sequence[str]) -> None:
        cuts = network.load_cuts(self.paths)
        for a, b in itertools.product(one, other):
            cuts = network.healed(cuts, a, b)
        self._set_cuts(cuts)

    def slow(self, name: str, kbit: int) -> None:
        """What is sent to it comes through no faster, until it is healed or loses power; 0: as fast as ever."""
        self.node(name)
        network.set_speed(self.paths, name, kbit)

    def heal(self, a: str = "", b: str = "") -> None:
        self._check_names(a, b)
        self._set_cuts(network.healed(network.load_cuts(self.paths), a, b))
        for name in self.state().machines if not a else ():
            network.set_speed(self.paths, name, 0)

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
        return load_state(self.paths)

    def node(self, name: str) -> NodePaths:
        state = self.state()
        if name not in state.machines:
            raise WrongInput(f'there is no node "{name}" in this lab; it has {", ".join(state.machines)}')
        return self.paths.node(name)

    def show(self) -> tuple[NodeReport, ...]:
        cuts = network.load_cuts(self.paths)
        return tuple(report(self.paths.node(name), cuts) for name in self.state().machines)

    def log(self, name: str, service: str) -> str:
        target = self.node(name)
        logs = {path.stem: path for path in (target.var / "log").glob("*.log")} | {"boot": target.boot_log}
        if service not in logs:
            raise WrongInput(f'{name} has no log of "{service}"; it has those of {", ".join(sorted(logs))}')
        return logs[service].read_text(errors="replace")

    # How

    def _refuse_if_up(self, tell: Callable[[str], None]) -> None:
        if self.is_up():
            count = len(self.state().nodes)
            raise NotPossibleNow(
                f'lab "{self.paths.name}" is up already, with {count} nodes; see them with: outlast lab show; '
                "for a new one, first: outlast lab down"
            )
        if self.paths.state.exists() or cgroup.path_of(self.paths.cgroup).exists():
            tell("clearing what an earlier lab left")
        building.tear_down(self.paths, keep_directory=True)

    def _check_names(self, *names: str) -> None:
        for name in names:
            if name:
                self.node(name)
        if len(set(names)) < len(names) and all(names):
            raise WrongInput(f"cannot cut {names[0]} from itself")

    def _set_cuts(self, cuts: frozenset[network.Cut]) -> None:
        network.apply_cuts(self.paths, cuts, self.state().machines)


def _check_database(database: str, *, witness: bool) -> None:
    if database not in ("sqlite", "etcd"):
        raise WrongInput(f'there is no database "{database}"; there are: sqlite, etcd')
    if witness and database != "etcd":
        raise WrongInput("a witness votes in etcd; add --database etcd")


def _check_service_program() -> None:
    program = disk.search_path().split(":")[0] + "/outlastd"
    if not os.access(program, os.X_OK):
        raise NotPossibleNow(
            f"cannot start the cluster service in the nodes: there is no {program}; install Outlast there, "
            "or bring the lab up with --no-service"
        )
