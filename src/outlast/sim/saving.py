"""How is the state of a simulated VM saved, and how does it go on from there? As libvirt does it, on a shared disk.

A save that was begun goes on without the resource host that asked for it, and leaves nothing when its node dies on the
way. What lies on the disk stays there, also when it was gone on from: that this happens once only is for the cluster to
see to, and for the checks to judge. As the real plugin does, it refuses a state after somebody has started the VM past
the cluster (it sees that on the VM's disks); of what the cluster itself has started since, it says nothing.
"""

import asyncio

from outlast.model.saved import SavedState
from outlast.ports.hosts import CallFailed
from outlast.sim.machine import Machine
from outlast.sim.process import OUTSIDE
from outlast.sim.vms import Copy, Ended, Stored

_LOOKS_S = 0.05


def path_of(vm: str, stop: str) -> str:
    return f"/srv/{vm}.{stop}.state"


async def save(machine: Machine, vm: str, stop: str) -> SavedState:
    """Raises `CallFailed` when it runs on, or when nothing runs and nothing was saved for that stop."""
    path, thing = path_of(vm, stop), machine.vms[vm]
    copy = machine.copies.get(vm)
    if copy is not None:
        if thing.save_problem:
            raise CallFailed(thing.save_problem, refusal=True)
        if not copy.is_saved:
            copy.is_saved, copy.stands = True, True
            machine.loop.call_later(thing.save_s, _end, machine, copy, path, context=OUTSIDE)
        while machine.copies.get(vm) is copy and copy.is_saved:  # noqa: ASYNC110
            await asyncio.sleep(_LOOKS_S)
    if path not in thing.states or machine.copies.get(vm) is not None:
        raise CallFailed(f"nothing was saved of {vm} for the stop {stop}", refusal=True)
    return SavedState(stop, path, thing.memory_mib)


def _end(machine: Machine, copy: Copy, path: str) -> None:
    vm = copy.vm
    if machine.copies.get(vm.name) is not copy:
        return  # it ended on the way, and so did what was written of it
    if machine.frozen:
        machine.loop.call_later(_LOOKS_S, _end, machine, copy, path, context=OUTSIDE)
        return
    vm.states[path] = Stored(machine.loop.time(), copy.serves)
    machine.end_vm(vm.name, Ended.SAVED)


async def restore(machine: Machine, vm: str, state: SavedState) -> None:
    """Raises `CallFailed` with `refusal` when nothing ran."""
    thing, stored = machine.vms[vm], machine.vms[vm].states.get(state.path)
    if stored is None:
        raise CallFailed(f"{state.path} is not there", refusal=True)
    if thing.restores_only_on and machine.name not in thing.restores_only_on:
        raise CallFailed("its processor is of another kind here", refusal=True)
    if thing.started_by_hand_s > stored.as_of_s:
        raise CallFailed(f"the disk of {vm} was written since", refusal=True)
    machine.restore_vm(vm, stored)
