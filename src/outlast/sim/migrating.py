"""What happens in random worlds while VMs go from node to node as they run? Drawn from dice of its own, so that the
faults of a seed are the same with and without it.

Each move comes with something that hits one of those who take part in it, often in the moment in which it matters.
"""

from random import Random

MIGRATING = 0.6
"""So many worlds hand VMs over as they run."""
_MEAN_PAUSE_S = 15.0
_TAKES_S = (0.3, 1.5, 1.5, 6.0)

Lines = list[tuple[float, str]]


def deeds(dice: Random, nodes: list[str], vms: list[str], until_s: float) -> Lines:
    """Lines with their times."""
    found: Lines = []
    at_s = dice.uniform(5.0, 20.0)
    while at_s < until_s:
        found += [(at_s + after_s, line) for after_s, line in _move(dice, nodes, dice.choice(vms))]
        at_s += dice.expovariate(1 / _MEAN_PAUSE_S)
    return sorted(found)


def _move(dice: Random, nodes: list[str], vm: str) -> Lines:
    to, by, struck = dice.choice(nodes), dice.choice(nodes), dice.choice(nodes)
    takes_s = dice.choice(_TAKES_S)
    # Around the moment in which it changes hands: there everything is delicate.
    when_s = takes_s + dice.choice((dice.uniform(-takes_s, 1.0), dice.uniform(-0.05, 0.15), dice.uniform(0.0, 0.05)))
    lines = [(0.0, f"transfer {vm} takes={takes_s:g}"), (0.01, f"admin {by} group.move name={vm} to={to} stop=live")]
    if dice.random() < 0.7:
        lines += [(max(0.02, when_s + after_s), line) for after_s, line in hit(dice, nodes, vm, struck, by, to)]
    return lines


def hit(dice: Random, nodes: list[str], vm: str, node: str, by: str, to: str) -> Lines:
    """Something that happens to one who takes part in a move."""
    for_s = dice.choice((dice.uniform(0.05, 2.0), dice.uniform(2.0, 15.0)))
    other = dice.choice([name for name in nodes if name != node])
    plane = dice.choice(("", " service", " database"))
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
        [(0.0, f"cut {node} {other}{plane}"), (for_s, f"heal {node} {other}")],
        [(0.0, "database cut all"), (for_s, "database mend all")],
        [(0.0, f"database cut {node}"), (for_s, f"database mend {node}")],
        [(0.0, f"database slow {node} way=0.3"), (for_s, f"database mend {node}")],
        [(0.0, f"admin {by} group.call_back name={vm}")],
        [(0.0, f"admin {by} group.call_back name={vm}"), (0.0, f"kill service {node} restart={for_s:.2f}")],
        [(0.0, f"admin {by} group.offline name={vm}"), (for_s, f"admin {by} group.online name={vm}")],
        [(0.0, f"admin {by} node.pause name={to}"), (for_s, f"admin {by} node.resume name={to}")],
        [(0.0, f"plugin hang {node} restore"), (for_s * 6, f"plugin unhang {node}")],
        [(0.0, f"plugin hang {node} hand_over"), (for_s * 6, f"plugin unhang {node}")],
        [(0.0, f"plugin hang {node} take_up"), (for_s * 6, f"plugin unhang {node}")],
        [(0.0, f"guest shutdown {vm}"), (for_s, f"console start {vm}")],
    ]
    minds = (
        f"admin {by} group.call_back name={vm}",
        f"admin {by} group.move name={vm} to={other} stop=live",
        f"admin {by} group.move name={vm} to={other} stop=shutdown",
        f"admin {by} group.offline name={vm}",
        f"kill service {node} restart={for_s:.2f}",
        f"kill host {node}",
    )
    # While every report takes its time, that moment is long enough for somebody to change his mind in it.
    slow: list[Lines] = [
        [(-0.2, "database slow all way=0.1"), (dice.uniform(0.0, 0.2), mind), (for_s + 0.3, "database mend all")]
        for mind in minds
    ]
    slow[3].append((for_s + 5.0, f"admin {by} group.online name={vm}"))
    return dice.choice([*happens, *slow])
