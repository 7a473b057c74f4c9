"""The links of a simulated node: for each network that VMs are joined to a bridge with one uplink. The port."""

import asyncio
import ipaddress
from itertools import islice

from outlast.core.network.links import BRIDGE
from outlast.model.network import Link
from outlast.sim.machine import Machine

MIGRATION = "migration"


class SimLinks:
    """The port `Links`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._change: asyncio.Event | None = None

    def read(self) -> list[Link]:
        machine = self._machine
        self._change = machine.link_change
        links = []
        for name in sorted({one for thing in machine.vms.values() for one in thing.networks}):
            links.append(Link(name, BRIDGE))
            links.append(Link(f"{name}-up", has_carrier=name not in machine.troubles.lost_networks, bridge=name))
        return links

    def address_in(self, network: str) -> str:
        """In every network, but while its link to the migration network is lost."""
        hosts = ipaddress.ip_network(network).hosts()
        number = int("".join(filter(str.isdigit, self._machine.name)) or 0)
        return "" if MIGRATION in self._machine.troubles.lost_networks else str(next(islice(hosts, number, None)))

    async def changed(self) -> None:
        assert self._change is not None
        await self._change.wait()
