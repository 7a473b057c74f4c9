"""What does the `vm` plugin of a simulated node say and do, when it is well and when it is not?

It works on the node's simulated libvirt (`Machine`). Every call first meets the node's troubles: it may hang, fail,
or not be able to tell. It lives in one host and remembers what that host loaded.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence

from outlast.model.health import Found, Health, Json, Spec
from outlast.model.node import Offer
from outlast.ports.hosts import CallFailed
from outlast.sim.machine import Listener, Machine
from outlast.sim.vms import ALIVE, CANNOT_TELL, NEVER_RAN, Ended, SimVm

VM_TYPE = "vm"
VERBS = ("list", "inspect", "parse", "check", "probe_write", "probe_read", "probe_clear")

_START_S = 0.08
_KILL_S = 0.03
_LIBVIRT_S = 0.005
_HUNG_LOOKS_S = 0.25


class Crashed(Exception):
    """The plugin takes its host along."""


class SimPlugin:
    def __init__(self, machine: Machine, types: Sequence[str]) -> None:
        self._machine = machine
        self._types = tuple(types) or (VM_TYPE,)
        self._offered: dict[str, Offer] = {}
        self._loaded: set[str] = set()

    # --- what is offered ------------------------------------------------------------------------------------------

    def offers(self) -> Sequence[Offer]:
        """At the host's start: a damaged plugin does not load."""
        damaged = self._machine.troubles.damaged_types
        for type in self._types:
            problem = damaged.get(type, "" if type == VM_TYPE else f"no plugin for {type} is installed")
            self._offered[type] = _offer(type, problem, loaded=not problem)
            if not problem:
                self._loaded.add(type)
        return list(self._offered.values())

    def changed_offers(self) -> Sequence[Offer]:
        """While the host runs, what was loaded goes on serving, but it is said that its files changed. Of what could
        not be loaded it is said that another host may have more luck."""
        changed = [self._offered[type] for type in self._offered if type not in self._loaded and self._was_mended(type)]
        for type in sorted(self._loaded):
            problem = self._machine.troubles.damaged_types.get(type, "")
            offer = _offer(type, f"its files changed since it was loaded: {problem}" if problem else "")
            if offer != self._offered[type]:
                self._offered[type] = offer
                changed.append(offer)
        return changed

    def _was_mended(self, type: str) -> bool:
        present = _offer(type, self._machine.troubles.damaged_types.get(type, ""), loaded=False)
        mended = type == VM_TYPE and present.digest != self._offered[type].digest
        if mended:
            self._offered[type] = present
        return mended

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
        if troubles.libvirt_silent:
            return CANNOT_TELL
        if name in self._machine.copies:
            return ALIVE
        return self._machine.known.get(name, NEVER_RAN)

    async def discover(self, type: str) -> Sequence[Found]:
        self.check_type(type)
        await self.meet("discover")
        self._need_libvirt("list the VMs of this node")
        names = sorted(self._machine.defined | set(self._machine.copies))
        return [Found(self._machine.vms[name].identity, name, name in self._machine.copies) for name in names]

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
        self._need_libvirt(f'start "{name}"')
        if name not in machine.copies:
            self._start(vm)
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
        self._machine.start_vm(vm.name, "the cluster")

    async def offline(self, name: str, timeout_s: float, progress: Callable[[str], None], by: Listener) -> None:
        machine = self._machine
        await self.meet("offline", name)
        self._need_libvirt(f'shut "{name}" down')
        copy = machine.copies.get(name)
        if copy is None:
            return
        progress("the guest was asked to shut down")
        orderly = copy.serves and not copy.vm.ignores_shutdown and copy.vm.shutdown_s <= timeout_s
        await asyncio.sleep(copy.vm.shutdown_s if orderly else timeout_s)
        # Whatever runs then, also what somebody started meanwhile: "offline" returns when nothing runs.
        machine.end_vm(name, Ended.CALLED, by)

    async def terminate(self, name: str, ended: Ended, by: Listener) -> None:
        await asyncio.sleep(_KILL_S)
        await self.meet("terminate", name)
        self._need_libvirt(f'terminate "{name}"')
        self._machine.end_vm(name, ended, by)

    async def forget(self, name: str) -> None:
        await asyncio.sleep(_LIBVIRT_S)
        self._need_libvirt(f'undefine "{name}"')
        if name not in self._machine.copies:
            self._machine.defined.discard(name)
            self._machine.known.pop(name, None)
            self._machine.troubles.said_alive.discard(name)

    # --- what only this type can do -------------------------------------------------------------------------------

    async def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        await asyncio.sleep(_LIBVIRT_S)
        await self.meet("control")
        machine = self._machine
        match verb:
            case "list":
                return [self._describe(machine.vms[name]) for name in sorted(machine.defined)]
            case "inspect":
                return self._describe(self._known(str(arguments.get("name"))))
            case "parse":
                return self._describe(self._known(_name_in(str(arguments.get("definition")))))
            case "check" | "probe_write" | "probe_clear":
                return []
            case "probe_read":
                return True
            case _:
                raise CallFailed(f"vm does not know the verb {verb}", refusal=True)

    def _describe(self, vm: SimVm) -> Json:
        return {
            "definition": vm.definition,
            "identity": vm.identity,
            "uuid": vm.identity,
            "name": vm.name,
            "running": vm.name in self._machine.copies,
            "disks": [],
            "memory_mib": 512,
            "vcpus": 1,
        }

    # --- troubles -------------------------------------------------------------------------------------------------

    def _known(self, name: str) -> SimVm:
        vm = self._machine.vms.get(name)
        if vm is None:
            raise CallFailed(f'there is no VM "{name}"', refusal=True)
        return vm

    def _need_libvirt(self, purpose: str) -> None:
        if self._machine.troubles.libvirt_silent:
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


def _offer(type: str, problem: str, *, loaded: bool = True) -> Offer:
    digest = hashlib.sha256(f"{type} {problem}".encode()).hexdigest()
    if not loaded:
        return Offer(type, digest=digest, problem=problem or "it did not load; its files have changed since")
    return Offer(type, version="1", digest=digest, functions=VERBS, problem=problem)


def _name_in(definition: str) -> str:
    words = definition.split()
    if len(words) < 2 or words[0] != "vm":
        raise CallFailed(
            f"cannot read the definition {definition[:40]!r}: it must say: vm NAME uuid=UUID", refusal=True
        )
    return words[1]
