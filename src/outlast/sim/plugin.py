"""What do the plugins of a simulated node say and do, when they are well and when they are not?

There is one for VMs, and one for all else that the world has (`SIM_TYPE`), which libvirt is nothing to. They work on
what the node has (`Machine`). Every call first meets the node's troubles: it may hang, fail, or not be able to tell.
They live in one host and remember what that host loaded.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence

from outlast.core.coordinator.adopting import STAND_STILL
from outlast.model.health import Condition, Found, Halt, Health, Json, Spec
from outlast.model.inside import Finding, Inquiry
from outlast.model.node import Offer
from outlast.model.saved import SavedState
from outlast.model.transfer import Transfer
from outlast.plugin import INQUIRE, MIGRATE, OWN_WITNESS, SAVE
from outlast.ports.hosts import CallFailed
from outlast.sim import inside, saving
from outlast.sim.guests import halted
from outlast.sim.machine import Listener, Machine
from outlast.sim.migrations import Migrations
from outlast.sim.vms import ALIVE, CANNOT_TELL, LIES, NEVER_RAN, VM_TYPE, Ended, Job, SimVm

__all__ = ["VM_TYPE", "Crashed", "SimPlugin"]

VERBS = (
    "list",
    "inspect",
    "parse",
    "check",
    "disks",
    "read_disks",
    "probe_write",
    "probe_read",
    "probe_clear",
    STAND_STILL,
    SAVE,
)

OTHER_VERBS = ("check",)
"""What a resource of another type is asked for: a property `refused_on_NODE` is what is wrong with it there."""

_START_S = 0.08
_KILL_S = 0.03
_LIBVIRT_S = 0.005
_END_SEEN_S = 0.1
_HUNG_LOOKS_S = 0.25
_LOST = "it does not answer"
_FREE_MIB = 100_000
_CHANGE_S = 5.0
CHANGES = ("begin", "job", "recover")
"""What may be asked of a shared volume's resource."""


class Crashed(Exception):
    """The plugin takes its host along."""


def installed(machine: Machine) -> tuple[str, ...]:
    """The types for which the node has a plugin."""
    return tuple(sorted({VM_TYPE} | {thing.type for thing in machine.vms.values()}))


class SimPlugin:
    def __init__(self, machine: Machine, types: Sequence[str], migrations: Migrations | None) -> None:
        """`migrations`: None where VMs cannot be handed over as they run."""
        self._machine = machine
        self._migrations = migrations
        self._installed = installed(machine)
        self._types = tuple(types) or tuple(self._installed)
        self._offered: dict[str, Offer] = {}
        self._loaded: set[str] = set()

    # --- what is offered ------------------------------------------------------------------------------------------

    def offers(self) -> Sequence[Offer]:
        """At the host's start: a damaged plugin does not load."""
        damaged = self._machine.troubles.damaged_types
        for type in self._types:
            problem = damaged.get(type, "" if type in self._installed else f"no plugin for {type} is installed")
            self._offered[type] = self._offer(type, problem, loaded=not problem)
            if not problem:
                self._loaded.add(type)
        return list(self._offered.values())

    def changed_offers(self) -> Sequence[Offer]:
        """While the host runs, what was loaded goes on serving, but it is said that its files changed. Of what could
        not be loaded it is said that another host may have more luck."""
        changed = [self._offered[type] for type in self._offered if type not in self._loaded and self._was_mended(type)]
        for type in sorted(self._loaded):
            problem = self._machine.troubles.damaged_types.get(type, "")
            offer = self._offer(type, f"its files changed since it was loaded: {problem}" if problem else "")
            if offer != self._offered[type]:
                self._offered[type] = offer
                changed.append(offer)
        return changed

    def _was_mended(self, type: str) -> bool:
        present = self._offer(type, self._machine.troubles.damaged_types.get(type, ""), loaded=False)
        mended = type in self._installed and present.digest != self._offered[type].digest
        if mended:
            self._offered[type] = present
        return mended

    def _offer(self, type: str, problem: str, *, loaded: bool = True) -> Offer:
        digest = hashlib.sha256(f"{type} {problem}".encode()).hexdigest()
        if not loaded:
            return Offer(type, digest=digest, problem=problem or "it did not load; its files have changed since")
        of_vms = (*VERBS, OWN_WITNESS, INQUIRE, *([MIGRATE] if self._migrations is not None else []))
        functions = of_vms if type == VM_TYPE else OTHER_VERBS
        return Offer(type, version="1", digest=digest, functions=functions, problem=problem)

    def loads(self, type: str) -> bool:
        return type in self._loaded

    def check_type(self, type: str) -> None:
        if not self.loads(type):
            raise CallFailed(f'the resource type "{type}" is not usable here: {self._problem(type)}')

    def _problem(self, type: str) -> str:
        offer = self._offered.get(type)
        return offer.problem if offer else "this resource host was not asked to load it"

    # --- health ---------------------------------------------------------------------------------------------------

    def health(self, name: str) -> Health:
        troubles = self._machine.troubles
        if name in troubles.said_alive:
            return ALIVE
        if name in troubles.said_failed:
            return LIES
        if troubles.libvirt_silent and self._machine.vms[name].type == VM_TYPE:
            return CANNOT_TELL
        if name in self._machine.standing:
            return self._machine.standing[name].health
        copy = self._machine.copies.get(name)
        if copy is not None and copy.guest.halt is not Halt.NOTHING:
            return halted(copy.guest.halt)
        if copy is not None and name in troubles.lost_volumes and not copy.brought:
            return Health(Condition.FAILED, _LOST, running=True)
        if copy is not None:
            return copy.health
        return self._machine.known.get(name, NEVER_RAN)

    async def discover(self, type: str) -> Sequence[Found]:
        self.check_type(type)
        await self.meet("discover")
        self._need_libvirt("list the VMs of this node", type)
        machine = self._machine
        names = sorted(machine.defined | set(machine.copies))
        there = [machine.vms[name] for name in names if machine.vms[name].type == type]
        return [
            Found(vm.identity, vm.name, vm.name in machine.copies or stands, stands, machine.was_brought(vm.name))
            for vm in there
            for stands in [vm.name in machine.standing]
        ]

    # --- one VM ---------------------------------------------------------------------------------------------------

    async def open(self, spec: Spec) -> Health:
        self.check_type(spec.type)
        self._known(spec.name)
        await self.meet("open", spec.name)
        return self.health(spec.name)

    async def online(self, name: str, progress: Callable[[str], None]) -> None:
        machine, vm = self._machine, self._known(name)
        await asyncio.sleep(_START_S)
        await self.meet("online", name)
        self._need_libvirt(f'start "{name}"', vm.type)
        machine.drop_standing(name)
        if name not in machine.copies:
            try:
                self._start(vm)
            except CallFailed:
                machine.start_refused(name)
                raise
        copy = machine.copies.get(name)
        progress("QEMU runs")
        while copy is not None and not copy.serves:
            await asyncio.sleep(max(0.01, copy.since_s + copy.vm.boot_s - machine.loop.time()))
            if machine.copies.get(name) is not copy:
                raise CallFailed(f'"{name}" ended while it started', refusal=True)

    def _start(self, vm: SimVm) -> None:
        if vm.start_problem:
            raise CallFailed(f'cannot start "{vm.name}": {vm.start_problem}', refusal=True)
        if vm.failing_starts > 0:
            vm.failing_starts -= 1
            raise CallFailed(f'cannot start "{vm.name}": QEMU ended at once: its disk is damaged', refusal=True)
        if vm.starts_only_on and self._machine.name not in vm.starts_only_on:
            raise CallFailed(f'cannot start "{vm.name}": network br7 does not exist on this node', refusal=True)
        if vm.name in self._machine.troubles.hidden:
            raise CallFailed(f'cannot start "{vm.name}": {_no_disk(vm)}', refusal=True)
        if {vm.name, vm.volume} & self._machine.troubles.lost_volumes:
            raise CallFailed(f'cannot start "{vm.name}": its volume does not answer', refusal=True)
        self._machine.edited.pop(vm.name, None)  # It is defined as it is stored.
        self._machine.start_vm(vm.name, "the cluster")

    async def offline(self, name: str, timeout_s: float, progress: Callable[[str], None], by: Listener) -> None:
        machine = self._machine
        await self.meet("offline", name)
        self._need_libvirt(f'shut "{name}" down', self._known(name).type)
        copy = machine.copies.get(name)
        if copy is None:
            return
        machine.asked_off(name)
        progress("the guest was asked to shut down")
        orderly = copy.serves and not copy.vm.ignores_shutdown and copy.vm.shutdown_s <= timeout_s
        left_s = copy.vm.shutdown_s if orderly else timeout_s
        while left_s > 0 and machine.copies.get(name) is copy:
            await asyncio.sleep(min(left_s, _END_SEEN_S))
            left_s -= _END_SEEN_S
        if name in machine.troubles.said_stopped:
            return
        # Whatever runs then, also what somebody has just started: "offline" returns when nothing runs.
        machine.end_vm(name, Ended.CALLED, by)

    async def terminate(self, name: str, ended: Ended, by: Listener) -> None:
        await asyncio.sleep(_KILL_S)
        await self.meet("terminate", name)
        self._need_libvirt(f'terminate "{name}"', self._known(name).type)
        if name in self._machine.troubles.said_stopped:
            return
        self._machine.drop_standing(name)
        self._machine.end_vm(name, ended, by)

    # --- from one node to another as it runs ----------------------------------------------------------------------

    async def hand_over(self, name: str, to: str, tell: Callable[[Transfer], None]) -> None:
        await self.meet("hand_over", name)
        self._need_libvirt(f'migrate "{name}"', self._known(name).type)
        if self._migrations is None:
            raise CallFailed("it cannot be handed over to another node as it runs", refusal=True)
        await self._migrations.hand_over(self._machine, name, to, tell, self)

    async def call_back(self, name: str) -> None:
        await asyncio.sleep(_LIBVIRT_S)
        await self.meet("call_back", name)
        if self._migrations is not None:
            await self._migrations.call_back(self._machine, name, self)

    async def take_up(self, name: str) -> None:
        await asyncio.sleep(_LIBVIRT_S)
        await self.meet("take_up", name)
        self._need_libvirt(f'resume "{name}"', self._known(name).type)
        standing = self._machine.standing.get(name)
        if standing is None or not standing.complete:
            raise CallFailed(f'nothing complete of "{name}" stands here', refusal=True)
        self._machine.take_up(name)

    # --- what lives in it -------------------------------------------------------------------------------------------

    async def inquire(self, name: str, inquiry: Inquiry) -> Finding:
        await asyncio.sleep(_LIBVIRT_S)
        await self.meet("inquire", name)
        self._need_libvirt(f'ask the guest of "{name}"', self._known(name).type)
        return inside.found(self._machine.copies.get(name), inquiry, self._machine.loop.time())

    async def reset(self, name: str) -> None:
        await asyncio.sleep(_LIBVIRT_S)
        await self.meet("reset", name)
        self._need_libvirt(f'reset "{name}"', self._known(name).type)
        if name not in self._machine.copies:
            raise CallFailed(f'cannot reset "{name}": it does not run', refusal=True)
        self._machine.begin_anew(name)

    async def go_on(self, name: str) -> None:
        await asyncio.sleep(_LIBVIRT_S)
        await self.meet("go_on", name)
        self._need_libvirt(f'resume "{name}"', self._known(name).type)
        self._machine.go_on(name)

    # --- put away, and gone on from -------------------------------------------------------------------------------

    async def save(self, name: str, stop: str) -> SavedState:
        await self.meet("save", name)
        self._need_libvirt(f'save "{name}"', self._known(name).type)
        return await saving.save(self._machine, name, stop)

    async def restore(self, name: str, state: SavedState) -> None:
        await asyncio.sleep(_START_S)
        await self.meet("restore", name)
        self._need_libvirt(f'restore "{name}"', self._known(name).type)
        if name in self._machine.troubles.hidden:
            raise CallFailed(_no_disk(self._known(name)), refusal=True)
        await saving.restore(self._machine, name, state)

    async def forget(self, name: str) -> None:
        await asyncio.sleep(_LIBVIRT_S)
        self._need_libvirt(f'undefine "{name}"', self._known(name).type)
        if name not in self._machine.copies and name not in self._machine.standing:
            self._machine.defined.discard(name)
            self._machine.edited.pop(name, None)
            self._machine.known.pop(name, None)
            self._machine.troubles.said_alive.discard(name)

    # --- changes on a shared volume -----------------------------------------------------------------------------------

    async def change(self, name: str, verb: str, arguments: Mapping[str, Json]) -> Json:
        """One at a time, for a while; it ends with the role of who coordinates the volume."""
        await asyncio.sleep(_LIBVIRT_S)
        machine, id = self._machine, str(arguments.get("id_of_change"))
        copy = machine.copies.get(name)
        job = copy.job if copy is not None else None
        match verb:
            case "begin":
                if copy is None:
                    raise CallFailed(f'"{name}" is not coordinated here any more', refusal=True)
                copy.job = Job(id, machine.loop.time() + _CHANGE_S)
                return None
            case "job":
                if job is None or job.id != id:
                    return None
                ended = machine.loop.time() >= job.ends_at_s
                return {"ended": ended, "result": f"{arguments.get('image', 'it')} is changed" if ended else ""}
            case "recover":
                if copy is not None:
                    copy.job = None
                return "nothing is left of it"
        raise CallFailed(f"a volume does not know the verb {verb}", refusal=True)

    # --- what only this type can do -------------------------------------------------------------------------------

    async def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        await asyncio.sleep(_LIBVIRT_S)
        await self.meet("control")
        machine = self._machine
        match verb:
            case "watch":
                return {one["name"]: self._look(one["name"]) for one in arguments["volumes"]}
            case "list":
                there = [machine.vms[name] for name in sorted(machine.defined)]
                return [self._describe(vm) for vm in there if vm.type == VM_TYPE]
            case "inspect":
                return self._describe(self._known(str(arguments.get("name"))))
            case "parse":
                return self._describe(self._known(_name_in(str(arguments.get("definition")))))
            case "check" if "properties" in arguments:
                refused = arguments["properties"].get(f"refused_on_{machine.name}", "")
                return [refused] if refused else []
            case "check":
                vm = self._known(_name_in(str(arguments.get("definition"))))
                return [_no_disk(vm)] if vm.name in machine.troubles.hidden else []
            case "disks":
                vm = self._known(_name_in(str(arguments.get("definition"))))
                path = vm.disk
                return [{"source": path, "path": path, "there": vm.name not in machine.troubles.hidden}]
            case "read_disks":
                vm = self._known(_name_in(str(arguments.get("definition"))))
                fails = vm.name in machine.troubles.hidden or vm.name in machine.troubles.failing_disks
                return [_no_disk(vm)] if fails else []
            case "stand_still":
                self._stand_still(str(arguments.get("name")))
                return None
            case "probe_write" | "probe_clear":
                return []
            case "probe_read":
                return str(arguments.get("path")) not in machine.troubles.others_disks
            case _:
                raise CallFailed(f"vm does not know the verb {verb}", refusal=True)

    def _stand_still(self, name: str) -> None:
        self._need_libvirt(f'suspend "{name}"', self._known(name).type)
        if name in self._machine.copies:
            self._machine.hold(name)
        elif name not in self._machine.standing:
            raise CallFailed(f'"{name}" does not run here', refusal=True)

    def _look(self, volume: str) -> Json:
        lost = volume in self._machine.troubles.lost_volumes
        return {"why": _LOST if lost else "", "free_mib": _FREE_MIB}

    def _describe(self, vm: SimVm) -> Json:
        return {
            "definition": vm.definition,
            "identity": vm.identity,
            "uuid": vm.identity,
            "name": vm.name,
            "running": vm.name in self._machine.copies,
            "disks": [{"path": vm.disk}],
            "memory_mib": vm.memory_mib,
            "vcpus": 1,
            "networks": [f"bridge/{name}" for name in vm.networks],
        }

    # --- troubles -------------------------------------------------------------------------------------------------

    def _known(self, name: str) -> SimVm:
        vm = self._machine.vms.get(name)
        if vm is None:
            raise CallFailed(f'there is no VM "{name}"', refusal=True)
        return vm

    def _need_libvirt(self, purpose: str, type: str) -> None:
        if self._machine.troubles.libvirt_silent and type == VM_TYPE:
            raise CallFailed(f"cannot {purpose}: libvirt does not answer")

    async def meet(self, call: str, name: str = "") -> None:
        """Meet what is wrong with this call: it crashes, fails, or hangs until nothing holds it up any more."""
        vm = self._machine.vms[name] if name else None
        if vm is not None and call in vm.crashing_calls:
            raise Crashed
        if vm is not None and call in vm.failing_calls:
            raise CallFailed(f"ZeroDivisionError in {call} of {name}")
        troubles = self._machine.troubles
        while call in troubles.hung_calls or (vm is not None and call in vm.hung_calls):  # noqa: ASYNC110
            await asyncio.sleep(_HUNG_LOOKS_S)


def _no_disk(vm: SimVm) -> str:
    return f"the disk vda is not there: /srv/{vm.name}.img"


def _name_in(definition: str) -> str:
    words = definition.split()
    if len(words) < 2 or words[0] != "vm":
        raise CallFailed(
            f"cannot read the definition {definition[:40]!r}: it must say: vm NAME uuid=UUID", refusal=True
        )
    return words[1]
