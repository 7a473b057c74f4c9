"""What is one simulated node, below everything that Outlast does: power, processes, VMs, and what is broken there?

Killing its power ends all of it at once. Its processes may freeze or die alone; VMs outlive them all and end only by
power, by a kill, from inside, from the console, or by a resource host. What is broken on the node (a libvirt that
does not answer, a damaged plugin, ...) stands in `Troubles` and is looked at by the fakes of the ports.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from outlast.core.membership.permit import PermitRecord
from outlast.model.health import Condition, Features, Halt, Health, Redefinition
from outlast.model.inside import Incident
from outlast.sim.clock import SimClock
from outlast.sim.guests import Guest, halted
from outlast.sim.loop import SimLoop
from outlast.sim.process import OUTSIDE, Process
from outlast.sim.vms import ALIVE, BROUGHT, Copy, Ended, SimVm, Stored, health_after

__all__ = ["Listener", "Machine", "Troubles", "Witness"]


_A_MOMENT_S = 1.0
HANGS_AGAIN_S = 15.0
"""After it serves: somebody has seen it answer by then."""
STANDS = Health(
    Condition.ONLINE, "it stands still: another node hands it over", running=True, stands=True, brought=True
)
ARRIVES = msgspec.structs.replace(STANDS, arrives=True)
HELD = Health(Condition.ONLINE, "it stands still", running=True, stands=True, held=True)
"""It was started here, and made to stand still."""


class Witness(Protocol):
    """Who is told at once of everything that happens to nodes and VMs (the log, the checks)."""

    def power_changed(self, node: str, *, on: bool, why: str) -> None: ...

    def vm_started(self, node: str, vm: str, by: str) -> None: ...

    def vm_taken_up(self, node: str, vm: str, *, old: bool) -> None: ...

    def vm_held(self, node: str, vm: str) -> None: ...

    def vm_restored(self, node: str, vm: str, *, old: bool) -> None: ...

    def vm_serves(self, node: str, vm: str) -> None: ...

    def vm_start_refused(self, node: str, vm: str) -> None: ...

    def host_ended(self, node: str, names: Collection[str]) -> None: ...
    def vm_asked_off(self, node: str, vm: str) -> None: ...

    def vm_reset(self, node: str, vm: str, guest: Guest) -> None: ...

    def vm_ended(self, node: str, vm: str, ended: Ended) -> None: ...

    def permit_extended(self, node: str, until_s: float) -> None: ...


@dataclass(slots=True)
class Troubles:
    """What is broken on a node. All of it is switched on and off by commands."""

    libvirt_silent: bool = False
    """Nothing can be told, started or stopped by the plugin."""
    damaged_types: dict[str, str] = field(default_factory=dict)
    """Types whose plugin is missing or damaged there, and what is wrong."""
    load: dict[str, str] = field(default_factory=dict)
    """Types whose plugin, as it is loaded, takes its host along ("dies") or never comes back ("hangs")."""
    hung_calls: set[str] = field(default_factory=set)
    """Calls of the plugin that do not return on this node: "is_alive", "online", "open", ..."""
    said_alive: set[str] = field(default_factory=set)
    """VMs that the plugin calls online, whatever is true."""
    said_failed: set[str] = field(default_factory=set)
    """What the plugin calls failed, whatever is true."""
    said_stopped: set[str] = field(default_factory=set)
    """What the plugin says it has stopped, and does not."""
    hidden: set[str] = field(default_factory=set)
    """VMs whose disk is not there."""
    others_disks: set[str] = field(default_factory=set)
    """Paths at which it has another disk than the others."""
    lost_networks: set[str] = field(default_factory=set)
    """Bridges of which the uplink has no carrier."""
    failing_disks: dict[str, Halt] = field(default_factory=dict)
    """VMs whose disk fails on this node, and how: what runs is paused by that."""
    lost_volumes: set[str] = field(default_factory=set)
    """Shared volumes that it does not see."""
    reports_lost: bool = False
    """What plugins see by themselves is not heard: only polls find out."""
    host_start: str = ""
    """What new resource hosts do instead of starting: "dies", "hangs", or nothing of that."""

    @property
    def any_that_hinders(self) -> bool:
        """Is anything so broken that VMs may not be stopped?"""
        return self.libvirt_silent or bool(
            self.damaged_types
            or self.load
            or self.hung_calls
            or self.host_start
            or self.said_failed
            or self.said_stopped
        )


@dataclass(slots=True)
class Standing:
    """What another node hands over, or has handed over, and stands still here."""

    copy: Copy
    complete: bool = False
    as_of_s: float = float("inf")
    """When it was complete: what ran after that has made it old."""
    brought: bool = True
    """It came from another node; else it was started here."""

    @property
    def health(self) -> Health:
        return HELD if not self.brought else STANDS if self.complete else ARRIVES


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
        self.last_guest: dict[str, Guest] = {}
        """What lived in a copy until its end."""
        self.standing: dict[str, Standing] = {}
        """What stands here, by name."""
        self.migrates = False
        """Does libvirt hand over VMs here?"""
        self.known: dict[str, Health] = {}
        """What libvirt remembers here of VMs that no longer run."""
        self.defined: set[str] = set()
        self.edited: dict[str, Redefinition] = {}
        """What somebody did to definitions at its console, since it has power."""
        self.link_change = asyncio.Event()
        """Set with the next change of a link, and then replaced by another one."""
        self.incarnation = ""
        self.member_began = False
        self.stops: dict[str, str] = {}
        """These are files under /run, as is the permit."""
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
        self.incident_listeners: list[Callable[[str, Incident, str], None]] = []
        self.definition_listeners: list[Callable[[str], None]] = []
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
        self.loop.kill(*self.processes)
        self.processes.clear()
        self.listeners.clear()
        self.offer_listeners.clear()
        self.definition_listeners.clear()
        self.incident_listeners.clear()
        self.edited.clear()
        self.known.clear()
        self.incarnation, self.member_began = "", False
        self.stops.clear()
        self.permit = None
        lost = list(self.copies)
        for name in lost:
            self.vms[name].ran_until_s = self.loop.time()
        self.copies.clear()
        self.standing.clear()
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
        if by != "the cluster":
            self.vms[name].started_by_hand_s = self.loop.time()
        self.copies[name] = copy
        self.known.pop(name, None)
        self.defined.add(name)
        self.loop.call_later(copy.vm.boot_s, self._serve, name, copy, context=OUTSIDE)
        self._witness.vm_started(self.name, name, by)

    def _serve(self, name: str, copy: Copy) -> None:
        if self.copies.get(name) is copy:
            copy.serves = True
            self._witness.vm_serves(self.name, name)
            self.disk_changed(name)
            if copy.vm.hangs_again > 0:
                copy.vm.hangs_again -= 1
                self.loop.call_later(HANGS_AGAIN_S, self._hang_again, name, copy, copy.since_s, context=OUTSIDE)

    # --- what lives in them -----------------------------------------------------------------------------------------

    def _hang_again(self, name: str, copy: Copy, since_s: float) -> None:
        if self.copies.get(name) is copy and copy.since_s == since_s:
            copy.guest.hang(self.loop.time(), busy=False)

    def begin_anew(self, name: str, told: tuple[Incident, str] | None = None) -> None:
        """It is reset, or reboots: QEMU runs on, and its guest begins anew. The cluster's own resets are not told."""
        copy = self.copies[name]
        if told is None:
            self._witness.vm_reset(self.name, name, copy.guest)
        copy.guest.wake(self.loop.time())
        copy.serves, copy.since_s = False, self.loop.time()
        self.loop.call_later(copy.vm.boot_s, self._serve, name, copy, context=OUTSIDE)
        if told is not None:
            self.tell_incident(name, *told)

    def tell_incident(self, name: str, incident: Incident, words: str) -> None:
        for listener in list(self.incident_listeners):
            listener(name, incident, words)

    def disk_changed(self, name: str) -> None:
        """Its disk fails, or answers again: what runs is paused by the one, and goes on only when it is told to."""
        copy, halt = self.copies.get(name), self.troubles.failing_disks.get(name, Halt.NOTHING)
        if copy is not None and copy.serves and halt not in (Halt.NOTHING, copy.guest.halt):
            copy.guest.count(self.loop.time())
            copy.guest.halt = halt
            self.tell(name, halted(halt))

    def go_on(self, name: str) -> None:
        copy = self.copies.get(name)
        if copy is not None and copy.guest.halt is not Halt.NOTHING and name not in self.troubles.failing_disks:
            copy.guest.count(self.loop.time())
            copy.guest.halt = Halt.NOTHING
            self.tell(name, ALIVE)

    def start_refused(self, name: str) -> None:
        """The cluster has tried to start it, and it could not be."""
        self._witness.vm_start_refused(self.name, name)

    def host_ended(self, names: Collection[str]) -> None:
        """A resource host that had these open."""
        self._witness.host_ended(self.name, names)

    def asked_off(self, name: str) -> None:
        """The cluster has begun to stop it, in order."""
        self._witness.vm_asked_off(self.name, name)

    def end_vm(self, name: str, ended: Ended, by: Listener | None = None) -> None:
        """`by` is the host that did it: libvirt's event tells the others only."""
        copy = self.copies.pop(name, None)
        if copy is None:
            return
        self.last_guest[name] = copy.guest
        if ended not in (Ended.HANDED_OVER, Ended.MIGRATED):
            self.vms[name].ran_until_s = self.loop.time()
        health = health_after(ended, self.vms[name].type)
        self.known[name] = health
        self._witness.vm_ended(self.name, name, ended)
        self.tell(name, health, by)

    def stands_for_a_migration(self, name: str, *, stands: bool) -> None:
        """It leaves, and stands still for the last of it; or it goes on here after all."""
        copy = self.copies[name]
        copy.stands = stands
        if copy.guest.halt is Halt.NOTHING:
            self.tell(name, copy.health)

    def handed_over(self, name: str, *, by_hand: bool = False) -> None:
        """It stands on another node, and its copy here ends."""
        self.end_vm(name, Ended.MIGRATED if by_hand else Ended.HANDED_OVER)

    def take_up(self, name: str) -> None:
        """What stands here, complete, runs on."""
        standing = self.standing.pop(name)
        self._go_on(name, standing)
        self._witness.vm_taken_up(self.name, name, old=self.vms[name].ran_until_s > standing.as_of_s)

    def _go_on(self, name: str, standing: Standing) -> None:
        copy = Copy(
            self.vms[name],
            self.loop.time(),
            serves=standing.copy.serves,
            guest=standing.copy.guest,
            brought=standing.brought,
        )
        self.copies[name] = copy
        self.known.pop(name, None)
        if not copy.serves:
            left_s = standing.copy.since_s + copy.vm.boot_s - self.loop.time()
            self.loop.call_later(max(0.01, left_s), self._serve, name, copy, context=OUTSIDE)

    def goes_on_by_itself(self, name: str) -> None:
        """Somebody migrated it here past the cluster, and libvirt lets it go on as soon as it is complete."""
        self._go_on(name, self.standing.pop(name))
        self._witness.vm_started(self.name, name, "migration")
        self.tell(name, BROUGHT)

    def was_brought(self, name: str) -> bool:
        copy, standing = self.copies.get(name), self.standing.get(name)
        return (copy is not None and copy.brought) or (standing is not None and standing.brought)

    def hold(self, name: str) -> None:
        """What runs here stands still from now on."""
        copy, now_s = self.copies.pop(name), self.loop.time()
        self.standing[name] = Standing(copy, complete=True, as_of_s=now_s, brought=copy.brought)
        self.vms[name].ran_until_s = now_s
        self._witness.vm_held(self.name, name)

    def restore_vm(self, name: str, stored: Stored) -> None:
        """It goes on from that state."""
        if name in self.copies:
            return
        vm = self.vms[name]
        copy = self.copies[name] = Copy(vm, self.loop.time(), serves=stored.serves)
        self.known.pop(name, None)
        self.defined.add(name)
        if not copy.serves:
            self.loop.call_later(vm.boot_s, self._serve, name, copy, context=OUTSIDE)
        old = stored.used or vm.ran_until_s > stored.as_of_s
        stored.used = True
        self._witness.vm_restored(self.name, name, old=old)

    def drop_standing(self, name: str) -> None:
        """What stands here is thrown away; nothing of it ran."""
        if self.standing.pop(name, None) is not None:
            self.known[name] = health_after(Ended.CALLED, self.vms[name].type)
            self.tell(name, self.known[name])

    def tell(self, name: str, health: Health, by: Listener | None = None) -> None:
        """libvirt's event: a VM changed, and not by the host that it is told to."""
        if not self.troubles.reports_lost:
            for listener in list(self.listeners):
                if listener is not by:
                    listener(name, health)

    def links_change(self) -> None:
        """Whoever waits for that is told by the kernel."""
        event, self.link_change = self.link_change, asyncio.Event()
        event.set()

    def edit(self, name: str, memory_mib: int) -> None:
        """At its console; the definition counts from the VM's next start."""
        vm, before = self.vms[name], self.edited.get(name)
        was = before.now if before is not None else Features(vm.memory_mib)
        self.edited[name] = Redefinition(f"{vm.definition} memory={memory_mib}", was, Features(memory_mib))
        for listener in list(self.definition_listeners):
            listener(name)

    def damage(self, type: str, problem: str) -> None:
        """The files of a plugin are changed or gone. An empty problem: they are whole again."""
        if problem:
            self.troubles.damaged_types[type] = problem
        else:
            self.troubles.damaged_types.pop(type, None)
        for listener in list(self.offer_listeners):
            listener()
