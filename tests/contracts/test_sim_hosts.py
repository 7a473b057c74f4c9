"""The simulated resource hosts keep the contract of the Hosts port, as the real ones do."""

from collections.abc import Sequence

from hosts_contract import HostsContract, Stage, Story

from nobody import Nobody
from outlast.model.health import Spec
from outlast.model.transfer import Destination
from outlast.ports.hosts import Host, Hosts
from outlast.sim.clock import SimClock
from outlast.sim.host import SimHost
from outlast.sim.hosts import SimHosts
from outlast.sim.links import Links
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.migrations import Migrations
from outlast.sim.plugin import VM_TYPE
from outlast.sim.vms import SimVm


class SimStage:
    type = VM_TYPE

    def __init__(self, loop: SimLoop, among: dict[str, Machine] | None = None) -> None:
        """`among`: the machines that are there already."""
        clock = SimClock(loop, offset_s=500.0)
        self._loop = loop
        self.machines = among if among is not None else {}
        name = f"n{len(self.machines) + 1}"
        vms = {} if among is None else next(iter(among.values())).vms
        self.machine = self.machines[name] = Machine(name, loop, clock, vms, 5.0, Nobody())
        self.machine.power_on("")
        migrations = Migrations(loop, Links(loop), self.machines, lambda _: None)
        self.hosts: Hosts = SimHosts(self.machine, f"service-{name}", migrations)

    def other(self) -> Stage:
        return SimStage(self._loop, self.machines)

    def destination(self) -> Destination:
        return Destination(self.machine.name, "192.0.2.2")

    def spec(
        self,
        name: str,
        *,
        start_fails: str = "",
        start_takes_s: float = 0.0,
        hang_in: Sequence[str] = (),
        fail_in: Sequence[str] = (),
        crash_in: Sequence[str] = (),
        transfer_takes_s: float = 0.1,
    ) -> Spec:
        vm = SimVm(
            name,
            f"uuid-of-{name}",
            boot_s=start_takes_s,
            transfer_s=transfer_takes_s,
            start_problem=start_fails,
            hung_calls=set(hang_in),
            failing_calls=set(fail_in),
            crashing_calls=set(crash_in),
        )
        self.machine.vms[name] = vm
        return Spec(name, VM_TYPE, definition=vm.definition, identity=vm.identity)

    def runs(self, name: str) -> bool:
        return name in self.machine.copies

    def now_s(self) -> float:
        return self.machine.clock.now()

    async def freeze(self, host: Host) -> None:
        assert isinstance(host, SimHost)
        host.process.freeze()


class TestSimHosts(HostsContract):
    def play(self, story: Story) -> None:
        loop = SimLoop()

        async def main() -> None:
            await story(SimStage(loop))

        try:
            loop.run_until_complete(main())
            assert loop.problems == []
        finally:
            loop.close()
