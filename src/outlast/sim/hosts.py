"""How does a simulated node start its resource hosts, and where does the run permit lie that they read? The port."""

import asyncio
from collections.abc import Sequence

from outlast.core.permit import PermitRecord
from outlast.ports.hosts import HostDied, Permit
from outlast.sim.host import START_S, SimHost
from outlast.sim.machine import Machine


class SimPermit:
    """The port. It lies on the node, where every host reads it without the service's help."""

    def __init__(self, machine: Machine, service: str) -> None:
        self._machine = machine
        self._service = service
        self._generation = 0

    def until_s(self) -> float:
        return self._machine.permit.until_s if self._machine.permit is not None else 0.0

    def extend(self, until_s: float) -> None:
        self._generation += 1
        self._machine.write_permit(PermitRecord(self._service, self._generation, until_s))


class SimHosts:
    """The port, as one life of a node's cluster service holds it. `service` names that life."""

    def __init__(self, machine: Machine, service: str) -> None:
        self.permit: Permit = SimPermit(machine, service)
        self.live: list[SimHost] = []
        self._machine = machine
        self._service = service

    async def start(self, types: Sequence[str], *, timeout_s: float) -> "SimHost":
        how = self._machine.troubles.host_start
        if how == "dies":
            await asyncio.sleep(START_S)
            raise HostDied("the resource host ended with signal 11 before it said what it offers")
        host = SimHost(self._machine, self._service, types, self.live)
        if how == "hangs":
            host.process.freeze()
        try:
            async with asyncio.timeout(timeout_s):
                await host.shake_hands()
        except BaseException as error:
            await host.kill()
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"the resource host did not say what it offers within {timeout_s:g} s") from None
            raise
        return host

    def service_gone(self) -> None:
        """The service died: its hosts are orphans from now on."""
        for host in list(self.live):
            host.orphaned()
