"""The networks of guests in the simulated world: bridges with one uplink each, on every node, which may lose carrier.

`network lost NODE NAME` takes the carrier of that bridge's uplink there, `network back NODE NAME` gives it back. What a
VM is joined to stands behind its name: `vm web1 networks=lan,dmz`.
"""

from random import Random

from outlast.sim.guest_links import MIGRATION
from outlast.sim.words import BadCommand, Commands, Words
from outlast.sim.world import World

NETWORKED = 0.25
"""So many random worlds have VMs with networks."""
_NAMES = ("lan", "dmz")


def names_of(world: World) -> list[str]:
    """The bridges that there are."""
    return sorted({one for thing in world.vms.values() for one in thing.networks} | {MIGRATION})


def _network(world: World, words: Words) -> None:
    how = words.next("of lost, back", {"lost": None, "back": None})
    node = words.next("node", world.machines)
    known = names_of(world)
    name = words.next("network")
    if name not in known:
        raise BadCommand(f"network: there is no network {name}; there are: {', '.join(known) or 'none'}")
    machine = world.machines[node]
    (machine.troubles.lost_networks.add if how == "lost" else machine.troubles.lost_networks.discard)(name)
    machine.links_change()
    world.tell(f"the uplink of {name} on {node} " + ("has no carrier" if how == "lost" else "has carrier again"))


GUEST_NETWORKS: Commands = {"network": (_network, "network lost|back NODE NAME")}


# --- random worlds ----------------------------------------------------------------------------------------------------


def of_vms(dice: Random, vms: list[str]) -> list[str]:
    """More words for each VM; none in most worlds."""
    if dice.random() >= NETWORKED:
        return [""] * len(vms)
    found = []
    for _ in vms:
        networks = dice.choice(("lan", "lan", "dmz", "lan,dmz", ""))
        protects = f" protects={dice.choice(('lan', 'none'))}" if networks and dice.random() < 0.2 else ""
        found.append(f" networks={networks}{protects}" if networks else "")
    return found


def deeds(dice: Random, words: list[str], nodes: list[str], until_s: float) -> list[tuple[float, str]]:
    """What becomes of the networks: losses, flaps, and one that is lost everywhere."""
    known = _known(words)
    if not known:
        return []
    lines: list[tuple[float, str]] = []
    at_s = dice.uniform(5.0, 20.0)
    while at_s < until_s:
        name = dice.choice(known)
        hit = dice.sample(nodes, dice.choice((1, 1, 1, len(nodes) - 1, len(nodes))))
        lasts_s = dice.choice((dice.uniform(0.1, 4.0), dice.uniform(5.0, 20.0), dice.uniform(20.0, 90.0)))
        for node in hit:
            lines += [(at_s, f"network lost {node} {name}"), (at_s + lasts_s, f"network back {node} {name}")]
        at_s += dice.expovariate(1 / dice.choice((5.0, 25.0, 60.0)))
    return lines


def stays_lost(dice: Random, words: list[str], nodes: list[str]) -> list[str]:
    """After all else has ended, one network is lost on one node for good: what is marked must end elsewhere."""
    known = _known(words)
    return [f"network lost {dice.choice(nodes)} {dice.choice(known)}"] if known and dice.random() < 0.6 else []


def _known(words: list[str]) -> list[str]:
    """What some VM is joined to; what one only names as protected is no network of this world."""
    joined = {name for line in words for name in line.partition("networks=")[2].partition(" ")[0].split(",")}
    return [name for name in _NAMES if name in joined]
