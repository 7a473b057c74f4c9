"""The simulated resource hosts keep the contract of the Hosts port, as the real ones do."""

from collections.abc import Sequence

from hosts_contract import HostsContract, Story

from outlast.model.health import Spec
from outlast.ports.hosts import Host, Hosts
from outlast.sim.clock import SimClock
from outlast.sim.host import SimHost
from outlast.sim.hosts import SimHosts
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.plugin import VM_TYPE
from outlast.sim.vms import Ended, SimVm


class NobodyLooks:
    """A witness that keeps nothing."""

    def power_changed(self, node: str, *, on: bool, why: str) -> None: ...

    def vm_started(self, node: str, vm: str, by: str) -> None: ...

    def vm_ended(self, node: str, vm: str, ended: Ended) -> None: ...

    def permit_extended(self, node: str, until_s: float) -> None: ...


class SimStage:
    type = VM_TYPE

    def __init__(self, loop: SimLoop) -> None:
        clock = SimClock(loop, offset_s=500.0)
        self.machine = Machine("n1", loop, clock, {}, 5.0, NobodyLooks())
        self.machine.power_on("")
        self.hosts: Hosts = SimHosts(self.machine, "service-1")

    def spec(
        self,
        name: str,
        *,
        start_fails: str = "",
        start_takes_s: float = 0.0,
        hang_in: Sequence[str] = (),
        fail_in: Sequence[str] = (),
        crash_in: Sequence[str] = (),
    ) -> Spec:
        vm = SimVm(
            name,
            f"uuid-of-{name}",
            boot_s=start_takes_s,
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
