"""What is to be seen of a node from outside: is it on, since why, and what runs on it?"""

from collections.abc import Iterable
from dataclasses import dataclass

from outlast.lab import bmc, cgroup, layout, network, node
from outlast.lab.layout import NodePaths


@dataclass(frozen=True, slots=True)
class NodeReport:
    name: str
    address: str
    power: str  # on, off, frozen
    why: str
    services: tuple[str, ...]
    guests: tuple[str, ...]
    cut_from: tuple[str, ...]
    bmc: str  # ok, or how it misbehaves


def report(target: NodePaths, cuts: Iterable[network.Cut]) -> NodeReport:
    power = node.last_power(target)
    on = node.is_on(target)
    running = node.processes(target) if on else ()
    services = [s for s in node.SERVICES if any(node.is_service(p, s) for p in running)]
    guests = [guest for guest in map(node.guest_of, running) if guest]
    mine = [cut for cut in cuts if target.name in (cut.source, cut.target)]
    return NodeReport(
        name=target.name,
        address=layout.address_of(target.name),
        power="frozen" if on and cgroup.is_frozen(target.cgroup) else "on" if on else "off",
        why="its first process died" if power.on and not on else power.why,
        services=tuple(services),
        guests=tuple(sorted(guests)),
        cut_from=tuple(sorted({(c.target if c.source == target.name else c.source) or "all" for c in mine})),
        bmc=bmc.fault_of(target.lab, target.name).value,
    )
