"""What has a simulated machine to do? The port of the record of load.

As much as runs on it: its VMs, each with its memory and a share of one of the machine's processors, and a little more.
"""

from collections.abc import Sequence

from outlast.core.load import slot
from outlast.model.load import Load, Reading
from outlast.sim.machine import Machine

CPUS = 8
MEMORY_MIB = 16384
HOST_CPUS, HOST_MIB = 0.2, 1024
VM_CPUS = 0.4


class SimLoad:
    def __init__(self, machine: Machine, file: dict[int, Load]) -> None:
        """`file`: what outlives it."""
        self._machine = machine
        self._file = file
        self._busy_s = 0.0
        self._now_s = machine.clock.now()
        self._since_s = self._now_s

    def read(self) -> Reading:
        """What has run since the last reading is taken for what runs now."""
        machine, now_s = self._machine, self._machine.clock.now()
        running = [copy.vm for copy in machine.copies.values()]
        self._busy_s += min(CPUS, HOST_CPUS + VM_CPUS * len(running)) * (now_s - self._now_s)
        self._now_s = now_s
        used_mib = min(MEMORY_MIB, HOST_MIB + sum(vm.memory_mib for vm in running))
        return Reading(self._busy_s, CPUS * (now_s - self._since_s), used_mib, MEMORY_MIB, CPUS)

    async def kept(self) -> Sequence[Load]:
        return tuple(self._file.values())

    async def keep(self, minute: Load) -> None:
        self._file[slot(minute.at_s)] = minute
