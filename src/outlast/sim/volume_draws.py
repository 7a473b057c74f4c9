"""Which random worlds have shared volumes, and what becomes of these? Drawn from dice of their own, so that the other
faults of a seed are the same with and without them."""

from dataclasses import dataclass
from random import Random

WITH_VOLUMES = 0.3
_ON_A_VOLUME = 0.6
_MEAN_PAUSE_S = 40.0


@dataclass(frozen=True, slots=True)
class Drawn:
    before: tuple[str, ...] = ()
    """Lines before the VMs."""
    of_vms: tuple[str, ...] = ()
    """More words for each VM."""
    deeds: tuple[tuple[float, str], ...] = ()
    """Lines with their times, in no order."""


def draw(dice: Random, nodes: list[str], vms: list[str], until_s: float) -> Drawn:
    if dice.random() >= WITH_VOLUMES:
        return Drawn(of_vms=("",) * len(vms))
    names = [f"vol{number}" for number in range(1, dice.choice((1, 1, 2, 3)) + 1)]
    before = [f"volume add {name} limit={dice.choice((5, 20, 60))}" for name in names]
    of_vms = [f" on={dice.choice(names)}" if dice.random() < _ON_A_VOLUME else "" for _ in vms]
    return Drawn(tuple(before), tuple(of_vms), tuple(_deeds(dice, nodes, names, vms, until_s)))


def _deeds(dice: Random, nodes: list[str], names: list[str], vms: list[str], until_s: float) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    at_s = dice.uniform(5.0, 20.0)
    while at_s < until_s:
        name, node, by = dice.choice(names), dice.choice(nodes), dice.choice(nodes)
        match dice.choice(("lost", "lost", "lost", "everywhere", "change", "change", "move")):
            case "lost":
                found += _lost(dice, name, [node], at_s)
            case "everywhere":
                found += _lost(dice, name, nodes, at_s)
            case "change":
                image = dice.choice(("other", dice.choice(vms)))
                found.append((at_s, f"admin {by} volume.snapshot volume={name} image={image}.img tag=t"))
            case _:
                found.append((at_s, f"admin {by} group.move name={name}"))
        at_s += dice.expovariate(1 / _MEAN_PAUSE_S)
    return found


def _lost(dice: Random, name: str, nodes: list[str], at_s: float) -> list[tuple[float, str]]:
    for_s = dice.choice((dice.uniform(1.0, 10.0), dice.uniform(10.0, 150.0)))
    lost = [(at_s, f"volume lost {node} {name}") for node in nodes]
    return [*lost, *((at_s + for_s + dice.uniform(0.0, 3.0), f"volume back {node} {name}") for node in nodes)]
