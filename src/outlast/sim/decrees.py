"""What do administrators of random worlds set beforehand, and do while it plays? Groups of several resources, policies,
rules, capacities; drains, maintenance, an alarm that is switched off.

Drawn from dice of their own, so that a seed's faults are the same with and without them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from outlast.sim import making
from outlast.sim.hands import Hand, Lines

NONE_OF_IT = 0.15
"""So many worlds have no policies at all: what most clusters are."""
_MEMORY_MIB = 4096
_WINDOWS = ("22-23", "22-0", "23-1", "3-5")
"""It is past ten in the evening when a world begins, unless a clock jumps."""


@dataclass(frozen=True, slots=True)
class Decrees:
    """Of one world."""

    world: str = ""
    """More words of its first line."""
    before: tuple[str, ...] = ()
    """Lines before the start: nodes, the cluster, more groups, rules."""
    of_vms: tuple[str, ...] = ()
    """More words for each VM."""
    groups: tuple[str, ...] = ()
    """All groups, those of the VMs too."""
    resources: tuple[str, ...] = ()
    """All but the VMs that are groups of their own."""
    apps: tuple[str, ...] = ()
    """The groups of several resources."""
    memory: bool = False
    """Whether memory is counted."""
    settles_until_s: float = 0.0
    """For so long it is to stay as it is: balancing begins late."""


NOTHING = Decrees()


def draw(dice: Random, nodes: list[str], vms: list[str], total_s: float) -> Decrees:
    if dice.random() < NONE_OF_IT:
        return NOTHING
    with_memory = dice.random() < 0.5
    balances = dice.random() < 0.15
    lines = _places(dice, nodes)
    lines += _cluster(dice, balances=balances, with_memory=with_memory)
    of_vms = [_of_group(dice, vms[:number]) + _of_resource(dice, memory=with_memory) for number in range(len(vms))]
    apps = [f"app{number}" for number in range(1, dice.choice((0, 1, 1, 2)) + 1)]
    resources: list[str] = []
    for number, app in enumerate(apps):
        lines.append(f"group {app}{_of_group(dice, [*vms, *apps[:number]])}")
        parts = _app(dice, app, memory=with_memory)
        resources += [part.split()[1] for part in parts]
        lines += parts
    return Decrees(
        world=f" memory={_MEMORY_MIB} cpus=8" if with_memory else "",
        before=tuple(lines),
        of_vms=tuple(of_vms),
        groups=(*vms, *apps),
        resources=tuple(resources),
        apps=tuple(apps),
        memory=with_memory,
        settles_until_s=total_s / 2 + 240.0 if balances else 0.0,
    )


def rules(dice: Random, decrees: Decrees, nodes: list[str]) -> list[str]:
    """They do not contradict one another: each group is in one of them."""
    if not decrees.groups or dice.random() < 0.4:
        return []
    left = dice.sample(decrees.groups, len(decrees.groups))
    lines = []
    for number in range(1, dice.randint(1, 3) + 1):
        kind = dice.choice(("same", "different", "different", "on", "not-on"))
        names, left = left[:2], left[2:]
        if len(names) < 2:
            break
        line = f"rule rule{number} {kind} {','.join(names)}"
        if kind in ("on", "not-on"):
            line += f" nodes={','.join(dice.sample(nodes, 1 if kind == 'not-on' else max(1, len(nodes) - 1)))}"
        elif dice.random() < 0.3:
            line += f" domain={dice.choice(('rack', 'site'))}"
        lines.append(line + (" hard" if dice.random() < 0.4 else ""))
    return lines


def _places(dice: Random, nodes: list[str]) -> list[str]:
    """Racks, sites, or racks in sites; some nodes stand nowhere."""
    by_rack, by_site = dice.choices(((False, False), (True, False), (False, True), (True, True)), (60, 15, 10, 15))[0]
    lines = []
    for number, name in enumerate(nodes):
        words = f" rack=r{number % 2 + 1}" if by_rack else ""
        words += f" site=s{number // 2 % 2 + 1}" if by_site and dice.random() < 0.9 else ""
        lines += [f"node {name}{words}"] if words else []
    return lines


def _cluster(dice: Random, *, balances: bool, with_memory: bool) -> list[str]:
    words = []
    if with_memory and dice.random() < 0.6:
        words.append(f"survive_nodes={dice.choice((1, 1, 1, 2))} reserve={dice.choice(('refuse', 'refuse', 'warn'))}")
    if dice.random() < 0.4:
        words.append(f"parallel_moves={dice.randint(1, 3)}")
    if balances:
        words.append(f"balance={dice.choice(('continuous', 'continuous', 'on-join'))}")
    if dice.random() < 0.2:
        words.append(f"quarantine_threshold={dice.randint(1, 2)} quarantine_s={dice.choice((30, 300))}")
    if dice.random() < 0.15:
        words.append(f"most_fenced={dice.randint(0, 2)} fence_period_s={dice.choice((60, 600))}")
    if dice.random() < 0.4:
        words.append(f"parallel_starts={dice.randint(1, 3)}")
    return [f"cluster {' '.join(words)}"] if words else []


def _of_group(dice: Random, earlier: list[str]) -> str:
    words = ""
    if dice.random() < 0.5:
        words += f" priority={dice.choice(('high', 'high', 'medium', 'low', 'low', 'no-auto-start'))}"
    if dice.random() < 0.35:
        words += dice.choice((" failback=now", " failback=now", f" failback=window hours={dice.choice(_WINDOWS)}"))
    if dice.random() < 0.4:
        words += " balance=always"
    if dice.random() < 0.05:
        words += " locked"
    if dice.random() < 0.3:
        words += f" retry={dice.choice((0, 30, 90))}"
    if earlier and dice.random() < 0.15:
        words += f" after={dice.choice(earlier)}{dice.choice(('', '+3', ':answers'))} limit={dice.choice((10, 30))}"
    return words


def _of_resource(dice: Random, *, memory: bool) -> str:
    words = f" memory={dice.choice((256, 512, 512, 1024))}" if memory else ""
    words += f" vcpus={dice.choice((1, 1, 2, 4))}" if memory and dice.random() < 0.6 else ""
    if dice.random() < 0.3:
        words += f" restarts={dice.randint(1, 3)} delay={dice.choice((0.1, 0.5, 3.0))} period={dice.choice((20, 900))}"
    if dice.random() < 0.1:
        words += f" action={dice.choice(('nothing', 'restart'))}"
    if dice.random() < 0.02:
        words += " looks=1"
    return words + (" agent" if dice.random() < 0.3 else "")


def _app(dice: Random, app: str, *, memory: bool) -> list[str]:
    """Two to five resources, each of which may need some of those before it."""
    lines: list[str] = []
    names = [f"{app}-{part}" for part in ("disk", "ip", "net", "vm", "web")[: dice.randint(2, 5)]]
    for number, name in enumerate(names):
        line = f"resource {name} in={app} boot={dice.uniform(0.1, 2.0):.1f} shutdown={dice.uniform(0.1, 3.0):.1f}"
        if name.endswith("vm"):
            line += " type=vm"
        if number and dice.random() < 0.8:
            needed = dice.sample(names[:number], dice.randint(1, min(3, number)))
            line += f" needs={_expression(dice, needed)}"
        lines.append(line + _of_resource(dice, memory=memory) + (" separate" if dice.random() < 0.05 else ""))
    return lines


def _expression(dice: Random, names: list[str]) -> str:
    if len(names) == 3:
        return dice.choice((f"{names[0]}&({names[1]}|{names[2]})", f"{names[0]}|{names[1]}&{names[2]}"))
    return dice.choice("&|").join(names)


# --- while it plays --------------------------------------------------------------------------------------------------


def _drains(hand: Hand) -> Lines:
    force = " force=true" if hand.dice.random() < 0.25 else ""
    back = " failback=true" if hand.dice.random() < 0.5 else ""
    return [
        (0.0, f"admin {hand.by} node.drain name={hand.node}{force}"),
        (hand.some_s() * 1.5, f"admin {hand.by} node.resume name={hand.node}{back}"),
    ]


def _shuts_down(hand: Hand) -> Lines:
    """In order: the machine drains its node first."""
    off_s = hand.some_s()
    return [
        (0.0, f"admin {hand.node} node.leaving"),
        (off_s, f"power off {hand.node}"),
        (off_s + hand.some_s(), f"power on {hand.node}"),
    ]


def _disarms(hand: Hand) -> Lines:
    return [
        (0.0, f"admin {hand.by} cluster.set values.armed=no"),
        (hand.some_s(), f"admin {hand.by} cluster.set values.armed=yes"),
    ]


def _maintains(hand: Hand) -> Lines:
    noun, name = hand.dice.choice((("group", hand.group), ("resource", hand.resource)))
    return [
        (0.0, f"admin {hand.by} {noun}.maintenance name={name} on=true"),
        (hand.some_s(), f"admin {hand.by} {noun}.maintenance name={name} on=false"),
    ]


def _locks(hand: Hand) -> Lines:
    lock = (0.0, f"admin {hand.by} group.lock name={hand.group}")
    return [lock, (hand.some_s(), f"admin {hand.by} group.unlock name={hand.group}")]


def _fails(hand: Hand) -> Lines:
    return [(0.0, f"admin {hand.by} resource.fail name={hand.resource}")]


def _dies(hand: Hand) -> Lines:
    return [(0.0, f"kill vm {hand.resource}")]


def _switches(hand: Hand) -> Lines:
    lines = [(0.0, f"admin {hand.by} resource.offline name={hand.resource}")]
    if hand.dice.random() < 0.8:
        lines.append((hand.some_s(), f"admin {hand.by} resource.online name={hand.resource}"))
    return lines


def _does_not_start(hand: Hand) -> Lines:
    what = hand.dice.choice((f"failing_starts={hand.dice.randint(1, 6)}", f"starts_only_on={hand.node}"))
    after_s = hand.some_s()
    return [
        (0.0, f"trouble {hand.resource} {what}"),
        (0.0, f"kill vm {hand.resource}"),
        (after_s, f"trouble {hand.resource}"),
    ]


def _orders(hand: Hand) -> Lines:
    verb = hand.dice.choice(("group.offline", "group.move", "group.move"))
    lines = [(0.0, f"admin {hand.by} {verb} name={hand.group}")]
    return [*lines, (hand.some_s(), f"admin {hand.by} group.online name={hand.group}")]


def _sets(hand: Hand) -> Lines:
    what = hand.dice.choice(("priority=high", "failback=now", "failback=never", "failover_threshold=50"))
    return [(0.0, f"admin {hand.by} group.set name={hand.group} values.{what}")]


def _releases(hand: Hand) -> Lines:
    return [(0.0, f"admin {hand.by} {hand.dice.choice(('cluster.release', f'node.release name={hand.node}'))}")]


DEEDS: list[tuple[Callable[[Hand], Lines], float]] = [
    (_drains, 3.0),
    (_shuts_down, 1.0),
    (_disarms, 1.0),
    (_maintains, 2.0),
    (_locks, 0.5),
    (_fails, 2.0),
    (_dies, 3.0),
    (_switches, 2.0),
    (_does_not_start, 2.0),
    (_orders, 2.0),
    (_sets, 0.5),
    (_releases, 0.5),
    (making.makes_a_rule, 2.0),
    (making.moves_a_node_to_another_rack, 0.5),
    (making.sets_the_cluster, 0.7),
    (making.makes_a_group, 2.0),
    (making.makes_a_resource, 1.5),
]


def deeds(dice: Random, decrees: Decrees, nodes: list[str], vms: list[str], until_s: float) -> list[tuple[float, str]]:
    """What administrators do, with times, in no order."""
    if not decrees.groups:
        return []
    weights = [weight * (dice.random() < 0.6) for _, weight in DEEDS]
    if not any(weights):
        return []
    pause_s = dice.choice((8.0, 20.0, 20.0, 60.0))
    things = [*decrees.resources, *decrees.resources, *vms]
    found: list[tuple[float, str]] = []
    at_s = dice.uniform(5.0, 20.0)
    while at_s < until_s:
        ((what, _),) = dice.choices(DEEDS, weights)
        hand = Hand(
            dice,
            dice.choice(nodes),
            dice.choice(nodes),
            dice.choice(decrees.groups),
            dice.choice(things),
            decrees.groups,
            decrees.apps,
            len(found),
            decrees.memory,
        )
        found += [(at_s + after_s, line) for after_s, line in what(hand)]
        at_s += dice.expovariate(1 / pause_s)
    return found
