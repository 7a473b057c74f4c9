"""What do people do past the cluster in random worlds, on nodes that do not own what they touch? Drawn from dice of its
own, so that the faults of a seed are the same with and without it.

They migrate VMs by hand, and start on one node what is another one's; and something hits one of those who take part.
Who has migrated something by hand says at the end that it is to run (`words`): if nobody knows where it is, that is
what an administrator has to say.
"""

from random import Random

HANDS = 0.5
"""So many worlds have people like that in them."""
_MEAN_PAUSE_S = 25.0
_TAKES_S = (0.3, 1.5, 6.0, 15.0)

Lines = list[tuple[float, str]]


def deeds(dice: Random, nodes: list[str], vms: list[str], until_s: float, *, live: bool) -> Lines:
    """Lines with their times."""
    found: Lines = []
    at_s = dice.uniform(5.0, 25.0)
    while at_s < until_s:
        vm, to, by = dice.choice(vms), dice.choice(nodes), dice.choice(nodes)
        lines = _migrates(dice, nodes, vm, to, by) if live and dice.random() < 0.6 else _starts(dice, nodes, vm, to, by)
        found += [(at_s + after_s, line) for after_s, line in lines]
        at_s += dice.expovariate(1 / _MEAN_PAUSE_S)
    return sorted(found)


def _migrates(dice: Random, nodes: list[str], vm: str, to: str, by: str) -> Lines:
    takes_s = dice.choice(_TAKES_S)
    lines = [(0.0, f"transfer {vm} takes={takes_s:g}"), (0.01, f"console migrate {vm} {to}")]
    if dice.random() < 0.7:
        when_s = takes_s + dice.choice((dice.uniform(-takes_s, 1.0), dice.uniform(-0.05, 0.15)))
        lines += [(max(0.02, when_s + after_s), line) for after_s, line in _hit(dice, nodes, vm, to, by)]
    return lines


def words(deeds: Lines) -> list[str]:
    """After all faults: it runs where it came to, or nowhere."""
    moved = dict.fromkeys(line.split()[2] for _, line in deeds if line.startswith("console migrate"))
    return ["run 60", *(f"admin any group.online name={vm}" for vm in moved)] if moved else []


def _starts(dice: Random, nodes: list[str], vm: str, to: str, by: str) -> Lines:
    lines = [(0.0, f"admin {by} group.offline name={vm}"), (6.0, f"console start {vm} {to}")]
    if dice.random() < 0.7:
        when_s = 6.0 + dice.choice((dice.uniform(-2.0, 2.0), dice.uniform(0.0, 0.1)))
        lines += [(max(0.02, when_s + after_s), line) for after_s, line in _hit(dice, nodes, vm, to, by)]
    return [*lines, (dice.uniform(10.0, 30.0), f"admin {by} group.online name={vm}")]


def _hit(dice: Random, nodes: list[str], vm: str, to: str, by: str) -> Lines:
    for_s = dice.choice((dice.uniform(0.05, 2.0), dice.uniform(2.0, 15.0)))
    node = dice.choice(nodes)
    other = dice.choice([name for name in nodes if name != node])
    happens: list[Lines] = [
        [(0.0, f"power off {node}"), (20.0 + for_s, f"power on {node}")],
        [(0.0, f"kill service {node} restart={for_s:.2f}")],
        [(0.0, f"kill host {node}")],
        [(0.0, f"kill service {node} restart={for_s:.2f}"), (0.0, f"kill host {node}")],
        [(0.0, f"kill vm {vm}")],
        [(0.0, f"freeze {node}"), (for_s, f"thaw {node}")],
        [(0.0, f"freeze service {node}"), (for_s, f"thaw service {node}")],
        [(0.0, f"libvirt silent {node}"), (for_s, f"libvirt answers {node}")],
        [(0.0, f"reports lost {node}"), (for_s, f"reports heard {node}")],
        [(0.0, f"cut {node} {other}"), (for_s, f"heal {node} {other}")],
        [(0.0, "database cut all"), (for_s, "database mend all")],
        [(0.0, f"database cut {node}"), (for_s, f"database mend {node}")],
        [(0.0, f"database slow {node} way=0.3"), (for_s, f"database mend {node}")],
        [(0.0, f"admin {by} group.online name={vm}")],
        [(0.0, f"admin {by} group.offline name={vm}"), (for_s, f"admin {by} group.online name={vm}")],
        [(0.0, f"admin {by} group.move name={vm} to={node} stop=shutdown")],
        [(0.0, f"admin {by} node.pause name={to}"), (for_s, f"admin {by} node.resume name={to}")],
        [(0.0, f"plugin hang {node} control"), (for_s * 3, f"plugin unhang {node}")],
        [(0.0, f"plugin hang {node} take_up"), (for_s * 6, f"plugin unhang {node}")],
        [(0.0, f"guest shutdown {vm}"), (for_s, f"console start {vm} {to}")],
    ]
    return dice.choice(happens)
