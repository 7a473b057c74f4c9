"""What is Outlast for? Three nodes on this machine, six VMs, and everything that an administrator fears, in a minute.

Everything is real: libvirt, QEMU, the cluster service; the nodes are Linux namespaces. Who runs where is read from
the guests' own serial output, not only from what Outlast says.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import outlast
from outlast.cli.lab.demo import end as ending
from outlast.cli.lab.demo.screen import Screen, screen
from outlast.cli.lab.demo.times import Failover, Other, failover
from outlast.lab.checker import Watcher
from outlast.lab.cluster import LabCluster
from outlast.lab.errors import LabError, NotPossibleNow
from outlast.lab.lab import Lab
from outlast.lab.node import find_processes
from outlast.model.answers import ClusterStatus, GroupRow
from outlast.model.event import Event

BEACONS = ("web", "db", "mail", "wiki")
LINUX = ("shop", "forum")
GUESTS = (*BEACONS, *LINUX)
PATIENCE_S = 60.0
"""Nothing of this takes so long, unless something is wrong."""
POLL_S = 0.005
WATCH_EVERY_S = 0.05
RESOURCE_HOST = "outlast-rhs"
STOP_S = 5.0
"""A beacon has no power button: an orderly stop takes this long, then force."""
PLUGIN = Path(outlast.__file__).parent / "resources" / "vm" / "type.py"


def run(name: str, *, keep: bool) -> None:
    """The whole demo. Raises `LabError` or `ControlError` when something does not happen."""
    lab = Lab(name)
    if lab.is_up():
        option = "" if name == "lab" else f" --name {name}"
        end = f"{ending.program()} lab down{option}"
        raise NotPossibleNow(f'cannot begin: lab "{name}" is up already; end it with {end}, or take another --name')
    cluster = LabCluster(lab)
    with _interruptible():
        shown = screen(cluster)
        demo = Demo(cluster, shown)
        kept = keep
        try:
            demo.play()
        except KeyboardInterrupt:
            kept = False
            shown.say("stopped: the lab is taken down")
            raise
        finally:
            shown.close()
            if not kept:
                _clean_up(lab)
    ending.sum_up(demo.failovers, demo.others, name, kept=kept)


def _clean_up(lab: Lab) -> None:
    """Whoever presses Ctrl-C twice shall not be left with half a lab."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        lab.down()
    finally:
        signal.signal(signal.SIGINT, before)


class Demo:
    def __init__(self, cluster: LabCluster, shown: Screen) -> None:
        self.cluster = cluster
        self.lab = cluster.lab
        self.shown = shown
        self.failovers: list[Failover] = []
        self.others: list[Other] = []
        self._began = time.monotonic()

    def play(self) -> None:
        self.build()
        with Watcher([self.lab.node(node) for node in self.nodes()], every_s=WATCH_EVERY_S) as watcher:
            self.kill_a_vm()
            victim = self.cut_the_power()
            self.bring_it_back(victim)
            self.break_resource_hosts()
            self.damage_a_plugin()
        self.look_for_two_copies(watcher)

    # The steps

    def build(self) -> None:
        self.shown.step("Three nodes, each with its own libvirt and its own cluster service")
        began = time.time()
        self.lab.up(3, tell=lambda words: None)
        self.shown.watch_from("n1")
        self.cluster.wait_for_members(within_s=PATIENCE_S)
        self.shown.say(f"n1, n2 and n3 form a cluster after {time.time() - began:.1f} s", good=True)
        self.shown.step("Six VMs under its protection: four beacons (a boot sector each), two small Linux guests")
        before = self.cluster.outputs(GUESTS, self.nodes())
        for guest in BEACONS:
            self.cluster.protect("beacon", guest, wait=False, offline_timeout_s=STOP_S)
        for guest in LINUX:
            self.cluster.protect("linux", guest, wait=False)
        self.wait_for_answers(GUESTS, self.nodes(), before)
        self.cluster.wait(all_well, "all six VMs online and protected", PATIENCE_S)
        self.shown.say(f"{self.places()}: all six answer", good=True)

    def kill_a_vm(self) -> None:
        source = self.cluster.owner("web", "n1")
        self.shown.step(f"(a) The QEMU of web is killed on {source}")
        before = self.cluster.outputs(["web"], self.nodes())
        others = [node for node in self.nodes() if node != source]
        fault = time.time()
        self.lab.kill(source, "qemu:web")
        answered = self.wait_for_answers(["web"], others, before)["web"]
        self.cluster.wait(all_well, "web is online again", PATIENCE_S)
        self.note_failovers("QEMU killed", {"web": source}, fault, {"web": answered})

    def cut_the_power(self) -> str:
        status = self.cluster.status("n1")
        victim = max(self.nodes(), key=lambda node: (sum(row.owner == node for row in status.groups), node))
        eye = next(node for node in self.nodes() if node != victim)
        hit = [row.name for row in status.groups if row.owner == victim]
        too = ", and coordinates the cluster" if status.coordinator == victim else ""
        self.shown.watch_from(eye)
        self.shown.step(f"(b) {victim} loses power. It runs {', '.join(hit)}{too}")
        before = self.cluster.outputs(hit, self.nodes())
        others = [node for node in self.nodes() if node != victim]
        fault = time.time()
        self.lab.power_off(victim, "the demo cut its power")
        self.shown.say(
            f"silent for {status.node_timeout_s:g} s, it is suspected; fenced, it is proven dead; only then..."
        )
        answered = self.wait_for_answers(hit, others, before)
        self.cluster.wait(groups_online, "its VMs are online elsewhere", PATIENCE_S)
        self.note_failovers("power cut", dict.fromkeys(hit, victim), fault, answered, node=victim)
        return victim

    def bring_it_back(self, victim: str) -> None:
        self.shown.step(f"(c) {victim} gets its power back")
        fault = time.time()
        self.lab.power_on(victim)
        self.cluster.wait_for_members(within_s=PATIENCE_S)
        joined = self.event_after(fault, lambda event: event.kind == "node-joined" and event.about == victim)
        left = [guest for guest, nodes in self.cluster.running().items() if victim in nodes]
        if left:
            raise LabError(f"{victim} came back and runs {', '.join(left)}, which it does not own")
        took_s = joined.at_s - fault
        self.shown.say(f"it runs nothing that is not its own, and is a member again after {took_s:.2f} s", good=True)
        self.others.append(Other(f"{victim} powered on", "it came back clean, and is a member again", took_s))

    def break_resource_hosts(self) -> None:
        owners = sorted({row.owner for row in self.cluster.status().groups})
        killed, frozen = owners[0], owners[-1] if len(owners) > 1 else owners[0]
        self.shown.step(f"(d) A resource host is killed on {killed}, and one is frozen on {frozen}")
        pids, before = self.pids(), self.cluster.outputs(GUESTS, self.nodes())
        self.break_host("resource host killed", killed, self.lab.kill)
        self.break_host("resource host frozen", frozen, self.lab.freeze)
        self.cluster.wait(all_well, "all VMs online and protected", PATIENCE_S)
        self.wait_for_answers(GUESTS, self.nodes(), before, anything=True)
        if self.pids() != pids:
            raise LabError(f"a VM was touched: {pids} became {self.pids()}")
        self.shown.say("no VM noticed: the same six QEMU processes run, and all guests count on", good=True)

    def damage_a_plugin(self) -> None:
        status = self.cluster.status()
        node = max(sorted({row.owner for row in status.groups}), key=lambda name: _owned(status, name))
        self.shown.step(f"(e) The VM plugin is damaged on {node}")
        damaged = self.lab.paths.shared / "damaged.py"
        damaged.write_text("raise ImportError('this file was damaged by the demo')\n")
        fault = time.time()
        self.in_node(node, "mount", "--bind", str(damaged), str(PLUGIN))
        seen = self.cluster.wait(lambda s: unprotected(s, node), f"the VMs of {node} are not protected", PATIENCE_S)
        took_s = time.time() - fault
        for row in seen.groups:
            if not row.protected:
                self.shown.say(f"{row.name} is {row.state}, but not protected: {'; '.join(row.not_protected_because)}")
        self.others.append(Other(f"plugin damaged on {node}", "its VMs run on, shown as not protected", took_s))
        self.shown.rest()
        fault = time.time()
        self.in_node(node, "umount", str(PLUGIN))
        self.cluster.wait(all_well, "all VMs are protected again", PATIENCE_S)
        self.shown.say(
            f"the plugin is put right, and all are protected again after {time.time() - fault:.2f} s", good=True
        )
        self.others.append(Other(f"plugin repaired on {node}", "they are protected again", time.time() - fault))

    def look_for_two_copies(self, watcher: Watcher) -> None:
        self.shown.step("In the end")
        missing = set(GUESTS) - set(self.cluster.running())
        if missing:
            raise LabError(f"in the end, {', '.join(sorted(missing))} did not run")
        self.shown.say(f"{self.places()}: all six run", good=True)
        twice = (*watcher.findings, *self.lab.check_disks())
        if twice:
            raise LabError("; ".join(f"{finding.guest}: {finding.words}" for finding in twice))
        self.shown.say(
            f"{watcher.rounds} looks at all processes, and the guests' disks, say: none ever ran twice", good=True
        )
        self.shown.say(f"{time.monotonic() - self._began:.0f} s in all")

    # What the steps share

    def nodes(self) -> tuple[str, ...]:
        return self.lab.state().nodes

    def places(self) -> str:
        status = self.cluster.status()
        owned = {node: [row.name for row in status.groups if row.owner == node] for node in self.nodes()}
        return "; ".join(f"{node}: {', '.join(names) or 'nothing'}" for node, names in owned.items())

    def pids(self) -> dict[str, int]:
        status = self.cluster.status()
        return {row.name: self.cluster.qemu_pid(row.owner, row.name) for row in status.groups}

    def in_node(self, node: str, *command: str) -> None:
        done = self.lab.run(node, *command)
        if done.returncode:
            raise LabError(f"cannot run {' '.join(command)} on {node}: {done.stderr.strip()}")

    def break_host(self, what: str, node: str, how: Callable[[str, str], None]) -> None:
        old = set(find_processes(self.lab.node(node), RESOURCE_HOST))
        fault = time.time()
        how(node, RESOURCE_HOST)
        seen = self.event_after(fault, lambda event: event.kind == "host-died" and event.about == node)
        self.until(lambda: self.hosts(node) - old and not self.hosts(node) & old, f"{node} has a new resource host")
        self.shown.say(f"{node}: noticed after {seen.at_s - fault:.2f} s; a new one looks after the running VMs")
        self.others.append(Other(f"{what} on {node}", "noticed; a new one took over", seen.at_s - fault))

    def hosts(self, node: str) -> set[int]:
        try:
            return set(find_processes(self.lab.node(node), RESOURCE_HOST))
        except NotPossibleNow:
            return set()  # just now there is none

    def until(self, happened: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not happened():
            if time.monotonic() > deadline:
                raise LabError(f"did not happen within {PATIENCE_S:g} s: {what}")
            time.sleep(POLL_S)

    def event_after(self, at_s: float, wanted: Callable[[Event], bool]) -> Event:
        found: list[Event] = []

        def look() -> bool:
            found.extend(event for event in self.cluster.events() if event.at_s >= at_s and wanted(event))
            return bool(found)

        self.until(look, "the cluster notices it")
        return found[0]

    def note_failovers(
        self, what: str, sources: Mapping[str, str], fault: float, answered: Mapping[str, float], *, node: str = ""
    ) -> None:
        events = self.cluster.events()
        for vm, source in sources.items():
            told = failover(what, vm, source, events, fault_at_s=fault, answered_at_s=answered[vm], node=node)
            self.failovers.append(told)
            self.shown.say(f"{vm} answers on {told.target} after {answered[vm] - fault:.2f} s", good=True)

    def wait_for_answers(
        self, guests: "tuple[str, ...] | list[str]", nodes: "tuple[str, ...] | list[str]",
        before: Mapping[tuple[str, str], int], *, anything: bool = False,
    ) -> dict[str, float]:  # fmt: skip
        """When each guest first said something new on one of these nodes: a beacon anything, a Linux READY."""
        seen: dict[str, float] = {}

        def look() -> bool:
            for guest in set(guests) - set(seen):
                word = b" READY " if guest in LINUX and not anything else b"\n"
                if any(word in self.new_output(guest, node, before) for node in nodes):
                    seen[guest] = time.time()
            return len(seen) == len(guests)

        self.until(look, f"{', '.join(guests)} show a sign of life")
        return seen

    def new_output(self, guest: str, node: str, before: Mapping[tuple[str, str], int]) -> bytes:
        try:
            with (self.lab.node(node).guest_logs / f"{guest}.log").open("rb") as log:
                log.seek(before.get((guest, node), 0))
                return log.read()
        except FileNotFoundError:
            return b""


def all_well(status: ClusterStatus) -> bool:
    return groups_online(status) and all(row.protected for row in status.groups)


def groups_online(status: ClusterStatus) -> bool:
    return len(status.groups) == len(GUESTS) and all(_runs(row) for row in status.groups)


def unprotected(status: ClusterStatus, node: str) -> bool:
    return _owned(status, node) > 0 and all(not row.protected for row in status.groups if row.owner == node)


def _runs(row: GroupRow) -> bool:
    return row.state == "online" and row.settled


def _owned(status: ClusterStatus, node: str) -> int:
    return sum(row.owner == node for row in status.groups)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Being told to end is like Ctrl-C: the lab is cleaned up first."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
