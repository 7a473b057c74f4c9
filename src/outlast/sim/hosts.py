"""How does a simulated node start its resource hosts, and where does the run permit lie that they read? The port."""

import asyncio
from collections.abc import Sequence

from outlast.core.membership.permit import PermitRecord
from outlast.ports.hosts import HostDied, HostSilent, Permit
from outlast.sim.host import START_S, SimHost
from outlast.sim.machine import Machine
from outlast.sim.migrations import Migrations
from outlast.sim.plugin import installed


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

    def __init__(self, machine: Machine, service: str, migrations: Migrations | None = None) -> None:
        self.permit: Permit = SimPermit(machine, service)
        self._migrations = migrations
        self.live: list[SimHost] = []
        self._machine = machine
        self._service = service

    async def start(self, types: Sequence[str], *, timeout_s: float, type_timeout_s: float | None = None) -> "SimHost":
        how = self._machine.troubles.host_start
        if how == "dies":
            await asyncio.sleep(START_S)
            raise HostDied("the resource host ended with signal 11 before it said what it offers")
        await self._load(types, timeout_s, type_timeout_s)
        host = SimHost(self._machine, self._service, types, self.live, self._migrations)
        if how == "hangs":
            host.process.freeze()
        try:
            async with asyncio.timeout(timeout_s):
                await host.shake_hands()
        except BaseException as error:
            await host.kill()
            if isinstance(error, TimeoutError):
                raise HostSilent(f"the resource host did not say what it offers within {timeout_s:g} s") from None
            raise
        return host

    async def _load(self, types: Sequence[str], timeout_s: float, type_timeout_s: float | None) -> None:
        """Where a plugin ends or holds up who loads it, no host comes of it."""
        all_types = tuple(types) or installed(self._machine)
        for name in all_types:
            how = self._machine.troubles.load.get(name, "")
            whose = f"as it loaded the plugin for {name}"
            if how == "dies":
                await asyncio.sleep(START_S)
                words = f"the resource host was ended by signal 11 (Segmentation fault) {whose}"
                raise HostDied(words, types=all_types, loading=name)
            if how == "hangs":
                await asyncio.sleep(timeout_s if type_timeout_s is None or len(all_types) == 1 else type_timeout_s)
                raise HostSilent(f"the resource host hung {whose}", types=all_types, loading=name)

    def service_gone(self) -> None:
        """The service died: its hosts are orphans from now on."""
        for host in list(self.live):
            host.orphaned()
