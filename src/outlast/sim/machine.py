"""What is one simulated node, below everything that Outlast does: power, processes, VMs, and what is broken there?

Killing its power ends all of it at once. Its processes may freeze or die alone; VMs outlive them all and end only by
power, by a kill, from inside, from the console, or by a resource host. What is broken on the node (a libvirt that
does not answer, a damaged plugin, ...) stands in `Troubles` and is looked at by the fakes of the ports.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from outlast.core.permit import PermitRecord
from outlast.model.health import Health
from outlast.sim.clock import SimClock
from outlast.sim.loop import SimLoop
from outlast.sim.process import Process
from outlast.sim.vms import Copy, Ended, SimVm, health_after

__all__ = ["Listener", "Machine", "Troubles", "Witness"]


_A_MOMENT_S = 1.0


class Witness(Protocol):
    """Who is told at once of everything that happens to nodes and VMs (the log, the checks)."""

    def power_changed(self, node: str, *, on: bool, why: str) -> None: ...

    def vm_started(self, node: str, vm: str, by: str) -> None: ...

    def vm_ended(self, node: str, vm: str, ended: Ended) -> None: ...

    def permit_extended(self, node: str, until_s: float) -> None: ...


@dataclass(slots=True)
class Troubles:
    """What is broken on a node. All of it is switched on and off by commands."""

    libvirt_silent: bool = False
    """Nothing can be told, started or stopped by the plugin."""
    damaged_types: dict[str, str] = field(default_factory=dict)
    """Types whose plugin is missing or damaged there, and what is wrong."""
    hung_calls: set[str] = field(default_factory=set)
    """Calls of the plugin that do not return on this node: "is_alive", "online", "open", ..."""
    said_alive: set[str] = field(default_factory=set)
    """VMs that the plugin calls online, whatever is true."""
    reports_lost: bool = False
    """What plugins see by themselves is not heard: only polls find out."""
    host_start: str = ""
    """What new resource hosts do instead of starting: "dies", "hangs", or nothing of that."""

    @property
    def any_that_hinders(self) -> bool:
        """Is anything so broken that VMs may not be stopped?"""
        return self.libvirt_silent or bool(self.damaged_types or self.hung_calls or self.host_start)


Listener = Callable[[str, Health], None]
"""Told that a VM of the node changed by itself, and how it is now."""


class Machine:
    def __init__(
        self, name: str, loop: SimLoop, clock: SimClock, vms: dict[str, SimVm], node_timeout_s: float, witness: Witness
    ) -> None:
        self.name = name
        self.loop = loop
        self.clock = clock
        self.vms = vms
        self.troubles = Troubles()
        self.troubled_at_s = float("-inf")
        """When its troubles changed last: what could not be done before is done from then on."""
        self.on = False
        self.frozen = False
        self.copies: dict[str, Copy] = {}
        """What runs here now, by name."""
        self.known: dict[str, Health] = {}
        """What libvirt remembers here of VMs that no longer run."""
        self.defined: set[str] = set()
        self.incarnation = ""
        self.member_began = False
        """Both are files under /run, as is the permit."""
        self.permit: PermitRecord | None = None
        """The file under /run that its resource hosts read."""
        self._lapsed_at_s = float("-inf")
        """When the permit was last extended that had passed already."""
        self.permit_ignored = False
        """A planted bug: the hosts of this node do not keep the permit."""
        self.node_timeout_s = node_timeout_s
        self.processes: list[Process] = []
        self.listeners: list[Listener] = []
        self.offer_listeners: list[Callable[[], None]] = []
        self.when_power_goes: list[Callable[[], None]] = []
        self.when_changed: list[Callable[[], None]] = []
        """Told when it stands still, goes on, or gets or loses its power."""
        self._witness = witness
        self._pids = 100

    # --- power and processes --------------------------------------------------------------------------------------

    def power_on(self, why: str) -> None:
        if not self.on:
            self.on = True
            self._witness.power_changed(self.name, on=True, why=why)
            self._changed()

    def power_off(self, why: str) -> None:
        """Everything on the node ends at once, and nothing is remembered."""
        if not self.on:
            return
        self.on = False
        self.frozen = False
        for process in self.processes:
            self.loop.kill(process)
        self.processes.clear()
        self.listeners.clear()
        self.offer_listeners.clear()
        self.known.clear()
        self.incarnation, self.member_began = "", False
        self.permit = None
        lost = list(self.copies)
        self.copies.clear()
        self._witness.power_changed(self.name, on=False, why=why)
        for name in lost:
            self._witness.vm_ended(self.name, name, Ended.POWER)
        hooks, self.when_power_goes = self.when_power_goes, []
        for hook in hooks:
            hook()
        self._changed()

    def _changed(self) -> None:
        for listener in self.when_changed:
            listener()

    def spawn(self, what: str) -> tuple[int, Process]:
        self._pids += 1
        process = Process(f"{self.name}/{what}-{self._pids}", self.loop.time())
        if self.frozen:
            process.freeze()
        self.processes.append(process)
        return self._pids, process

    def end(self, process: Process) -> None:
        if process in self.processes:
            self.processes.remove(process)
            self.loop.kill(process)

    def freeze(self) -> None:
        """Every process of the node stands still; its VMs count as running, for they go on with it."""
        if self.on and not self.frozen:
            self.frozen = True
            for process in self.processes:
                process.freeze()
            self._changed()

    def thaw(self) -> None:
        if self.frozen:
            self.frozen = False
            for process in list(self.processes):
                self.loop.thaw(process)
            self._changed()

    def permit_passed(self) -> bool:
        """Now, or a moment ago: a host that has begun to stop everything goes through with it."""
        now_s = self.clock.now()
        return self.permit is None or self.permit.until_s <= now_s or now_s - self._lapsed_at_s < _A_MOMENT_S

    def write_permit(self, permit: PermitRecord) -> None:
        if self.permit is not None and self.permit.until_s <= self.clock.now():
            self._lapsed_at_s = self.clock.now()
        self.permit = permit
        self._witness.permit_extended(self.name, permit.until_s)

    # --- VMs ------------------------------------------------------------------------------------------------------

    def start_vm(self, name: str, by: str) -> None:
        """QEMU runs from now on; the guest serves after its boot time. Already running is fine."""
        if name in self.copies:
            return
        copy = Copy(self.vms[name], self.loop.time())
        self.copies[name] = copy
        self.known.pop(name, None)
        self.defined.add(name)
        self.loop.call_later(copy.vm.boot_s, self._serve, name, copy)
        self._witness.vm_started(self.name, name, by)

    def _serve(self, name: str, copy: Copy) -> None:
        if self.copies.get(name) is copy:
            copy.serves = True

    def end_vm(self, name: str, ended: Ended, by: Listener | None = None) -> None:
        """`by` is the host that did it: libvirt's event tells the others only."""
        if self.copies.pop(name, None) is None:
            return
        health = health_after(ended)
        self.known[name] = health
        self._witness.vm_ended(self.name, name, ended)
        self.tell(name, health, by)

    def tell(self, name: str, health: Health, by: Listener | None = None) -> None:
        """libvirt's event: a VM changed, and not by the host that it is told to."""
        if not self.troubles.reports_lost:
            for listener in list(self.listeners):
                if listener is not by:
                    listener(name, health)

    def damage(self, type: str, problem: str) -> None:
        """The files of a plugin are changed or gone. An empty problem: they are whole again."""
        if problem:
            self.troubles.damaged_types[type] = problem
        else:
            self.troubles.damaged_types.pop(type, None)
        for listener in list(self.offer_listeners):
            listener()
