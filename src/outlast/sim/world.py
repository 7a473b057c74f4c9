"""What is the simulated world: n nodes with the real cluster service, one database, VMs, and the power over all of it?

`World(setup)` makes it, with the cluster's records already written; `run(seconds)` plays it; the methods below are
what may happen to it. Everything that happens is told to the story (the log) and to the checks, at once. A run ends at
the first violation (`broken`). The composition root of the simulator: only here the service meets the fakes.
"""

import logging
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from random import Random

import msgspec
import structlog

from outlast.core.membership.certainty import Promise
from outlast.core.membership.timing import timing
from outlast.model import keys
from outlast.model.fence import FenceDevice
from outlast.model.group import Group, Wanted
from outlast.model.health import Halt, Json
from outlast.model.node import Node as NodeRecord
from outlast.model.settings import Settings
from outlast.model.watchdog import Strength
from outlast.ports.database import Batch, Put
from outlast.service.peers import PROMISE
from outlast.sim import records
from outlast.sim.asking import administer
from outlast.sim.checks import Checks
from outlast.sim.clock import SimClock
from outlast.sim.daemons import Daemons, Service
from outlast.sim.database import Fate, Outage, SimDatabase
from outlast.sim.engine import WITNESS, Engine
from outlast.sim.fence import NodePower
from outlast.sim.forks import address_of
from outlast.sim.guests import Guest
from outlast.sim.links import Links
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.migrations import Migrations
from outlast.sim.peers import Exchange
from outlast.sim.permits import PermitWatch
from outlast.sim.process import OUTSIDE
from outlast.sim.setup import Setup
from outlast.sim.story import WORLD, Story
from outlast.sim.vms import STARTED, Ended, SimVm, words_of
from outlast.sim.watchdog import SimWatchdog
from outlast.sim.witness import Witness

BOOT_S = 20.0
"""From power to a started cluster service."""
TROUBLE_COUNTS_S = 15.0
"""For so long after it ended, a trouble may still be the reason for which a VM is stopped."""
CARRIED_OUT_S = 6.0
"""So late what was decided about a guest may be done: it may have come to life in between."""
AILED_S = 60.0
"""Likewise what was wrong inside a VM: it is asked about every now and then only."""


class World:
    def __init__(self, setup: Setup, *, verbose: bool = False) -> None:
        """`verbose`: the services' own log lines appear in the story."""
        self.setup = setup
        self._verbose = verbose
        self._broken_taken = 0
        self.loop = SimLoop()
        self.random = Random(setup.seed)
        self._permit_s = timing(setup.node_timeout_s).permit_s
        self.story = Story()
        self.checks = Checks(self.loop.time)
        self.database = SimDatabase(latency_s=self._latency())
        self.database.on_commit = self._committed
        self.vms: dict[str, SimVm] = {}
        self.powers = {name: NodePower(name, setup.fencing) for name in setup.nodes}
        self.machines = {name: self._machine(name) for name in setup.nodes}
        witnesses = {WITNESS: self._machine(WITNESS)} if setup.witness else {}
        self.everything = {**self.machines, **witnesses}
        """The nodes, and the machine that only carries the database."""
        self.watchdogs = {
            name: SimWatchdog(machine, setup.watchdogs or Strength.HARDWARE) for name, machine in self.machines.items()
        }
        self.links = Links(self.loop, way_s=self.database.way_s)
        self.migrations = Migrations(self.loop, self.links, self.machines, self.tell) if setup.live else None
        self.exchange = Exchange(self.links)
        self.engine = Engine(setup, self.loop, self.links, self.database, self.everything, self.checks)
        self.checks.outages.is_needed = self.engine.is_needed
        self.checks.outages.is_well = self._is_well
        self.checks.watchdog_counts = self._watchdog_counts
        self.checks.stands_on = self._stands_on
        self.checks.hour_of = self._hour_of
        self.checks.guests.ails = self._ails
        self.checks.turns.hindered = lambda node: self.machines[node].troubles.any_that_hinders
        self.exchange.on_answer = self._peer_answered
        self.daemons = Daemons(self)
        self._deaf: dict[str, None] = {}
        self._permit_watches = [PermitWatch(self, name) for name in setup.nodes]
        self.witness = (
            Witness(self.everything[WITNESS], self.engine, self.exchange, self.loop, self.failed) if witnesses else None
        )
        self.write(
            Put(
                keys.CLUSTER,
                msgspec.json.encode(Settings(node_timeout_s=setup.node_timeout_s, fence_action=setup.fence_action)),
            ),
            *(Put(keys.NODES + name, msgspec.json.encode(self._node_record(name))) for name in setup.nodes),
            *self.engine.records(),
        )

    @property
    def services(self) -> dict[str, Service]:
        return self.daemons.services

    @property
    def now(self) -> float:
        return self.loop.time()

    @property
    def broken(self) -> list[str]:
        """What must never happen and did; the world plays no further."""
        return [str(violation) for violation in self.checks.violations] + self.loop.problems

    def take_broken(self) -> list[str]:
        """What of it is new since it was last taken."""
        found = self.broken[self._broken_taken :]
        self._broken_taken += len(found)
        return found

    def run(self, seconds: float) -> None:
        self.run_until(self.now + seconds)

    def run_until(self, when_s: float) -> None:
        with self._service_log():
            if not self.broken:
                self.loop.run_until(when_s)

    def close(self) -> None:
        self.loop.close()

    def tell(self, words: str) -> None:
        self.story.tell(self.now, WORLD, words)

    # --- what is in the world -------------------------------------------------------------------------------------

    def fence_devices(self, node: str) -> tuple[FenceDevice, ...]:
        return self.powers[node].devices

    def address(self, node: str) -> str:
        return address_of(node)

    def identity(self, name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))

    # --- power, processes ----------------------------------------------------------------------------------------

    def power_on(self, node: str, *, boot_s: float = BOOT_S) -> None:
        machine = self.everything[node]
        if machine.on:
            return
        machine.power_on("")
        if node in self.machines:
            self.powers[node].back()
            self.daemons.start_later(node, boot_s)
        elif self.witness is not None:
            self.witness.start_later(boot_s)

    def power_off(self, node: str, why: str = "power cut") -> None:
        self.everything[node].power_off(why)

    def troubled(self, node: str) -> None:
        """The troubles of a node change: for a while they may be the reason for what is done there."""
        if node not in self.machines:
            return
        self.machines[node].troubled_at_s = self.now
        self.checks.disturb(node, TROUBLE_COUNTS_S)

    # --- hands on VMs ---------------------------------------------------------------------------------------------

    def _stands_on(self, vm: str) -> str:
        return next((n for n, one in self.machines.items() if one.was_brought(vm) or vm in one.standing), "")

    def where(self, vm: str) -> list[str]:
        return [name for name, machine in self.machines.items() if vm in machine.copies]

    def owner(self, vm: str) -> str:
        kept = self.checks.groups.get(self.checks.group_of.get(vm, ""))
        return kept.record.owner if kept is not None else ""

    def end_vm(self, vm: str, ended: Ended) -> None:
        """On every node where it runs. A guest that stands still (its state is being saved, say) does nothing."""
        for node in self.where(vm):
            if ended is Ended.GUEST and self.machines[node].copies[vm].stands:
                continue
            if ended in (Ended.GUEST, Ended.CONSOLE):
                self.checks.switched_by_hand(node, vm, Wanted.OFFLINE, by_guest=ended is Ended.GUEST)
            self.machines[node].end_vm(vm, ended)

    def console_start(self, vm: str, node: str) -> None:
        """By hand, where the VM belongs. Elsewhere only what runs nowhere: who starts a second copy by hand is beyond
        all protection but the disk's lock, until it is seen. So is who starts one that was reported failed while the
        cluster is about to start it elsewhere, or one that is to move where its node has not read so yet.
        """
        machine = self.machines[node]
        if node != self.owner(vm):
            self._start_a_stray(vm, machine)
            return
        belongs = node == self.owner(vm) and node in self.services and self.checks.is_member(node)
        if belongs and self._goes_unread(self.checks.groups[self.checks.group_of[vm]].record, node):
            return
        if machine.on and belongs and vm in machine.defined and not self.where(vm):
            self.checks.switched_by_hand(node, vm, Wanted.ONLINE)
            machine.start_vm(vm, "hand")
            machine.tell(vm, STARTED)

    def _goes_unread(self, group: Group, node: str) -> bool:
        """May it be given to another node at any moment, on a word that this one cannot know to be out of date?"""
        known = self.services[node].node.store.groups.get(group.name)
        unread = known is None or known.move_to != group.move_to
        return self.checks.said_failed(group) or (group.move_to not in ("", node) and unread)

    def _start_a_stray(self, vm: str, machine: Machine) -> None:
        """As with `virsh create`."""
        stands = any(vm in one.standing for one in self.machines.values())
        if machine.on and not machine.troubles.libvirt_silent and not stands and not self.where(vm):
            self.checks.switched_by_hand(machine.name, vm, Wanted.ONLINE)
            self.checks.restraint.ask(self.checks.group_of.get(vm, vm))
            machine.start_vm(vm, "hand")
            machine.tell(vm, STARTED)

    def console_migrate(self, vm: str, to: str) -> None:
        """`virsh migrate`, to another node; "": to a machine that is none."""
        running = self.where(vm)
        if not to:
            self.end_vm(vm, Ended.MIGRATED)
        elif len(running) == 1 and self.migrations is not None:
            refused = self.migrations.by_hand(self.machines[running[0]], vm, to)
            self.checks.restraint.ask(self.checks.group_of.get(vm, vm))
            words = f": refused: {refused}" if refused else ""
            self.tell(f"somebody migrates {vm} from {running[0]} to {to}{words}")

    # --- the administrator ----------------------------------------------------------------------------------------

    def administer(
        self, node: str, verb: str, arguments: Mapping[str, Json], who_listens: Callable[[], str] | None = None
    ) -> None:
        administer(self, node, verb, arguments, who_listens)

    def end_maintenance(self) -> None:
        """Whoever paused a node, kept something in maintenance or disarmed the cluster has done with it what he wanted;
        he says so as soon as the database takes it."""
        if self.engine.writable:
            records.end_maintenance(self)

    # --- the database ---------------------------------------------------------------------------------------------

    def cut_database(self, nodes: list[str], *, refused: bool = False) -> None:
        for node in nodes:
            self.database.cut(node, Outage.REFUSED if refused else Outage.SILENT)

    def deafen(self, nodes: list[str]) -> None:
        """Everything they write arrives, and no answer to a write does: a partition in one direction."""
        self._deaf.update(dict.fromkeys(nodes))
        self.database.fate_of = lambda node: Fate.UNHEARD if node in self._deaf else Fate.ANSWERED

    def slow_database(self, nodes: list[str], way_s: float) -> None:
        for node in nodes:
            self.database.slow_s[node] = way_s

    def mend_database(self, nodes: list[str]) -> None:
        for node in nodes:
            self._deaf.pop(node, None)
            self.database.slow_s.pop(node, None)
            self.loop.call_soon(self.database.mend, node, context=OUTSIDE)

    # --- the witness of the machines ------------------------------------------------------------------------------

    def power_changed(self, node: str, *, on: bool, why: str) -> None:
        if on:
            self.tell(f"{node} has power")
        else:
            self.tell(f"{node} has no power: {why}")
        if node in self.machines:
            if not on:
                self.daemons.power_gone(node)
                self.watchdogs[node].disarm()
                self.powers[node].gone()
            self.checks.power(node, on=on)
            self.stop_if_broken()

    def vm_started(self, node: str, vm: str, by: str) -> None:
        how = {"the cluster": "", "migration": ": it was migrated there by hand"}
        self.tell(f"{vm} runs on {node}" + how.get(by, ": started at the host's console"))
        self.checks.vm_started(node, vm, by_cluster=by == "the cluster")
        self.stop_if_broken()

    def vm_taken_up(self, node: str, vm: str, *, old: bool) -> None:
        self.tell(f"{vm} runs on on {node}")
        self.checks.vm_started(node, vm, by_cluster=True, goes_on=True, old=old)
        self.stop_if_broken()

    def vm_held(self, node: str, vm: str) -> None:
        self.tell(f"{vm} stands still on {node}")
        self.checks.vm_held(node, vm)
        self.stop_if_broken()

    def vm_restored(self, node: str, vm: str, *, old: bool) -> None:
        self.tell(f"{vm} goes on on {node} from its saved state")
        self.checks.vm_started(node, vm, by_cluster=True, goes_on=True, old=old, restored=True)
        self.stop_if_broken()

    def vm_serves(self, node: str, vm: str) -> None:
        self.checks.vm_serves(node, vm)

    def vm_reset(self, node: str, vm: str, guest: Guest) -> None:
        self.tell(f"{vm} is reset on {node}")
        self.checks.vm_reset(node, vm, guest.lifeless_s(self.now, lately_s=CARRIED_OUT_S))
        self.stop_if_broken()

    def vm_start_refused(self, node: str, vm: str) -> None:
        self.checks.turns.tried(node, vm)

    def host_ended(self, node: str, names: Collection[str]) -> None:
        self.checks.host_ended(node, names)

    def vm_asked_off(self, node: str, vm: str) -> None:
        self.checks.vm_asked_off(node, vm)
        self.stop_if_broken()

    def vm_ended(self, node: str, vm: str, ended: Ended) -> None:
        self.tell(f"{vm} ended on {node}: {words_of(ended, self.vms[vm].type)}")
        self.checks.vm_ended(
            node,
            vm,
            called=ended in (Ended.CALLED, Ended.HANDED_OVER, Ended.SAVED),
            by_permit=ended is Ended.PERMIT,
            permit_passed=self.machines[node].permit_passed(),
        )
        self.stop_if_broken()

    def _peer_answered(self, asker: str, by: str, topic: str, said: bytes) -> None:
        if topic == PROMISE:
            counted_s = msgspec.json.decode(said, type=Promise).counted_s
            # A number is all that the asker hears: it counts by the asker's clock from here on.
            self.checks.outages.promised(by, asker, counted_s / self.machines[asker].clock.pace)

    def _is_well(self, node: str) -> bool:
        service = self.services.get(node)
        if service is None or not service.process.runs or not self.links.whole:
            return False
        return node not in self._deaf and node not in self.database.slow_s

    def _ails(self, node: str, vm: str) -> bool:
        machine, thing = self.machines[node], self.vms[vm]
        copy = machine.copies.get(vm)
        guest = copy.guest if copy is not None else machine.last_guest.get(vm)
        if guest is None or thing.ails or self.now - thing.ailed_until_s <= AILED_S:
            return guest is not None
        lifeless_s = max(guest.lifeless_s(self.now), guest.was_lifeless_s(self.now, AILED_S))
        return guest.halt is not Halt.NOTHING or lifeless_s >= self.checks.guests.least_s(vm)

    def _hour_of(self, node: str, ago_s: float) -> int:
        machine = self.machines.get(node)
        return datetime.fromtimestamp(machine.clock.wall() - ago_s).hour if machine is not None else 0

    def _watchdog_counts(self, node: str) -> bool:
        """One that has just vanished is declared until the node notices."""
        return self.watchdogs[node].armed or self.watchdogs[node].gone

    def fenced(self, node: str) -> None:
        self.checks.fenced(node)
        self.stop_if_broken()

    def permit_extended(self, node: str, until_s: float) -> None:
        self.checks.permit_counted(node, self.now + self.machines[node].clock.true_delay_s(until_s - self._permit_s))
        self.stop_if_broken()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _machine(self, name: str) -> Machine:
        jitter = self.setup.jitter
        clock = SimClock(
            self.loop,
            offset_s=self.random.uniform(100.0, 90_000.0) if jitter else 1000.0,
            pace=self.random.uniform(0.9999, 1.0001) if jitter else 1.0,
        )
        return Machine(name, self.loop, clock, self.vms, self.setup.node_timeout_s, self)

    def _latency(self) -> float | Callable[[], float]:
        if not self.setup.jitter:
            return 0.002
        draw = Random(self.random.random()).random
        return lambda: 0.001 + 0.004 * draw() ** 4

    def _node_record(self, name: str) -> NodeRecord:
        return NodeRecord(name, address=self.address(name), fence=self.fence_devices(name))

    def write(self, *writes: Put) -> None:
        """Past all services."""
        if self.services:  # somebody may watch: the news need a running loop
            self.loop.call_soon(self.database.commit, [], writes, context=OUTSIDE)
        else:
            self.database.commit([], writes)

    def _committed(self, batch: Batch) -> None:
        self.story.committed(self.now, batch)
        self.checks.committed(batch)
        self.stop_if_broken()

    def failed(self, what: str, error: BaseException) -> None:
        """A task of ours ended with an exception: a bug, and the run fails by it."""
        self.loop.problems.append(f"{self.now:.3f} s: {what} failed: {_story_of(error)}")
        self.loop.stop()

    def stop_if_broken(self) -> None:
        if self.checks.violations:
            self.loop.stop()

    @contextmanager
    def _service_log(self) -> Iterator[None]:
        """The services' log goes to the story or nowhere; it is nobody's to print here."""
        before = structlog.get_config()
        if self._verbose:
            structlog.configure(processors=[self._tell_log])
        else:
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        try:
            yield
        finally:
            structlog.configure(**before)

    def _tell_log(self, _logger: object, level: str, line: structlog.typing.EventDict) -> str:
        words = str(line.pop("event", ""))
        self.story.tell(self.now, "log", words + "".join(f" {key}={value!r}" for key, value in line.items()))
        raise structlog.DropEvent


def _story_of(error: BaseException) -> str:
    """The innermost errors of a group, each with the place where it was raised."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_story_of(inner) for inner in error.exceptions)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename.rpartition('outlast/')[2]}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}: {error}{place}"
