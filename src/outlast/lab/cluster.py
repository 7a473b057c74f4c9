"""How does one look at the lab's cluster from outside its nodes: in tests, benchmarks and the demo?

Through each node's control socket, reached by way of its first process's root, and through the guests' serial output,
which is written by the guests alone: it says who runs where without asking Outlast.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import outlast
from outlast.client.control import Client, ControlError
from outlast.lab.errors import LabError, NotPossibleNow
from outlast.lab.lab import Lab
from outlast.lab.node import find_processes, guest_of, processes
from outlast.model.answers import MEMBERS, ClusterStatus, GroupRow, ProtectReport
from outlast.model.event import Event

POLL_S = 0.002
KNOWN_S = 5.0
"""So long what one node knows may be news to another one."""
RESTS_S = 30.0
"""So long it is waited for what is being started or stopped, before all is cleared away."""


class LabCluster:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._old: set[str] = set()
        """Ids of the events before the last `clear`."""

    def client(self, node: str = "") -> Client:
        """The cluster service of a node; without a name, of the first one that is on."""
        if not node:
            nodes = self.lab.state().nodes
            node = next(report.name for report in self.lab.show() if report.power == "on" and report.name in nodes)
        pid = self.lab.node(node).init.read_text().strip()
        return Client(f"/proc/{pid}/root/run/outlast/control.sock")

    def call(self, verb: str, node: str = "", **arguments: Any) -> Any:
        return self.client(node).call(verb, arguments, type=object)

    def status(self, node: str = "") -> ClusterStatus:
        return self.client(node).call("status", {}, type=ClusterStatus)

    def group(self, name: str, node: str = "") -> GroupRow:
        return self.client(node).call("group.show", {"name": name}, type=GroupRow)

    def owner(self, name: str, node: str = "") -> str:
        return self.group(name, node).owner

    def events(self, node: str = "", limit: int = 1000, **filters: str) -> list[Event]:
        return self.client(node).call("events", {"limit": limit, **filters}, type=list[Event])

    def story(self, node: str = "") -> list[Event]:
        """What happened since the last `clear`, oldest first."""
        return [event for event in self.events(node) if event.id not in self._old]

    def wait(
        self, happened: Callable[[ClusterStatus], object], what: str, within_s: float = 60.0, node: str = ""
    ) -> ClusterStatus:
        """Until a status of the cluster, as `node` knows it, says so. The bound catches a hang; it measures nothing."""
        deadline = time.monotonic() + within_s
        last = "no node answers"
        while time.monotonic() < deadline:
            try:
                status = self.status(node)
                if happened(status):
                    return status
                last = _summary(status)
            except (ControlError, OSError, StopIteration) as error:
                last = str(error) or last
            time.sleep(0.02)
        raise LabError(f"did not happen within {within_s:g} s: {what}\n{last}")

    def wait_for_members(self, *names: str, within_s: float = 60.0) -> ClusterStatus:
        wanted = set(names or self.lab.state().nodes)
        return self.wait(lambda s: wanted <= up(s) and s.coordinator in up(s), f"{sorted(wanted)} are up", within_s)

    def wait_for_web(self, *names: str, within_s: float = 60.0) -> None:
        """Until each of these nodes, or every one, serves the HTTP API: a while after its cluster service answers."""
        asked = ("curl", "--silent", "--insecure", "--output", "/dev/null", "--max-time", "5")
        deadline = time.monotonic() + within_s
        for name in names or self.lab.state().nodes:
            while (done := self.lab.run(name, *asked, f"https://{name}:9443/")).returncode:
                if time.monotonic() > deadline:
                    raise LabError(f"{name} does not serve the HTTP API after {within_s:g} s (curl: {done.returncode})")
                time.sleep(0.1)

    def wait_online(self, *groups: str, within_s: float = 60.0, node: str = "") -> ClusterStatus:
        def are_online(status: ClusterStatus) -> bool:
            return {row.name for row in status.groups if row.state == "online" and row.settled} >= set(groups)

        return self.wait(are_online, f"{', '.join(groups)} online", within_s, node)

    def protect(self, kind: str, name: str, *, wait: bool = True, **options: Any) -> str:
        """A new guest under the cluster's protection; returns its domain XML.

        Without QEMU's image lock: safety never rests on it (rule 5).
        """
        xml = self.lab.create_guest(kind, name, image_lock=False)
        self.client().call("vm.protect", {"definition": xml, **options}, type=ProtectReport)
        if wait:
            for node in up(self.wait_online(name)):
                with suppress(LabError):  # one that cannot know it now, as a test wants it
                    self.wait_online(name, within_s=KNOWN_S, node=node)
        return xml

    def clear(self) -> None:
        """All nodes in order and members, nothing protected, no guest anywhere."""
        for report in self.lab.show():
            if report.power == "frozen":
                self.lab.thaw(report.name)
            elif report.power == "off":
                self.lab.power_on(report.name)
        self.wait_for_members()
        self._let_go_of_all()
        self.lab.put_in_order()
        for node in self.lab.state().nodes:
            for guest in self.lab.virsh(node, "list", "--all", "--name").split():
                self.lab.virsh(node, "undefine", guest)
        self.wait_for_members()
        if self.lab.state().web:
            self.wait_for_web()
        self.excuse_losses()
        self._old = {event.id for event in self.events()}

    def _let_go_of_all(self) -> None:
        """In no start: a node carries that out also when the VM is let go of meanwhile, and would define and start it
        after all has been cleared away. What comes to no rest is let go of by power."""
        with suppress(LabError):
            self.wait(lambda s: all(row.settled for row in s.groups), "nothing is on its way", within_s=RESTS_S)
        for row in self.status().groups:
            self.call("vm.unprotect", name=row.name)
            if row.owner and not row.settled:
                self.lab.power_off(row.owner)

    def excuse_losses(self) -> None:
        """Nodes are lost on purpose here, again and again: none is quarantined for that."""
        self.call("cluster.set", values={"quarantine_threshold": 0})

    def outputs(self, guests: Iterable[str], nodes: Iterable[str]) -> Mapping[tuple[str, str], int]:
        """How many bytes each guest has written to its serial port on each node."""
        found = {}
        for node in nodes:
            for guest in guests:
                try:
                    found[guest, node] = os.path.getsize(self.lab.node(node).guest_logs / f"{guest}.log")
                except FileNotFoundError:
                    found[guest, node] = 0
        return found

    def wait_for_output(
        self, guests: Iterable[str], nodes: Iterable[str], before: Mapping[tuple[str, str], int], within_s: float = 60.0
    ) -> dict[str, float]:
        """When each guest first wrote something more on one of these nodes, by the monotonic clock."""
        nodes, missing, seen = tuple(nodes), set(guests), {}
        deadline = time.monotonic() + within_s
        while missing:
            now = self.outputs(missing, nodes)
            at = time.monotonic()
            for (guest, node), size in now.items():
                if guest in missing and size > before.get((guest, node), 0):
                    seen[guest] = at
                    missing.discard(guest)
            if at > deadline:
                told = "\n".join(self._told(node) for node in nodes)
                raise LabError(f"no output within {within_s:g} s from {', '.join(sorted(missing))}\n{told}")
            time.sleep(POLL_S)
        return seen

    def _told(self, node: str) -> str:
        """How that node says that things are, for whoever waited in vain."""
        try:
            status = self.status(node)
        except (ControlError, OSError) as error:
            return f"{node}: {error}"
        return f"{node}: {_summary(status)} {'; '.join(status.alarms)}"

    @contextmanager
    def damaged_plugin(self, node: str) -> Iterator[None]:
        """The files of the VM plugin, as this node alone sees them, are broken; and whole again afterwards."""
        file = Path(outlast.__file__).parent / "resources/vm/domain.py"
        damage = (
            f"cp {file} /run/damaged && echo 'this is (no Python' >>/run/damaged && mount --bind /run/damaged {file}"
        )
        self.lab.exec(node, "sh", "-c", damage)
        try:
            yield
        finally:
            self.lab.exec(node, "umount", str(file))

    def pid(self, node: str, what: str) -> int:
        """Of a process of the node (outlastd, outlast-rhs, libvirtd), as the host counts; 0 when there is none."""
        try:
            return find_processes(self.lab.node(node), what)[0]
        except NotPossibleNow:
            return 0

    def qemu_pid(self, node: str, guest: str) -> int:
        """As the host counts; 0 when it does not run there."""
        return next((pid for pid, name in _qemus(self.lab, node) if name == guest), 0)

    def running(self) -> dict[str, list[str]]:
        """Guest to the nodes on which a QEMU of it runs now, read from the processes."""
        found: dict[str, list[str]] = {}
        for node in self.lab.state().nodes:
            for _, guest in _qemus(self.lab, node):
                found.setdefault(guest, []).append(node)
        return found


def up(status: ClusterStatus) -> set[str]:
    return {row.name for row in status.nodes if row.state in MEMBERS}


def _qemus(lab: Lab, name: str) -> list[tuple[int, str]]:
    return [(found.pid, guest) for found in processes(lab.node(name)) if (guest := guest_of(found))]


def _summary(status: ClusterStatus) -> str:
    nodes = ", ".join(f"{row.name} {row.state}" for row in status.nodes)
    groups = "\n".join(f"  {row.name}: {row.state} on {row.owner or '-'} {row.why}" for row in status.groups)
    return f"{nodes}\n{groups}"
