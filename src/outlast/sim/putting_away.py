"""What happens in random worlds while the state of VMs is saved, and gone on from? Drawn from dice of its own, so that
the faults of a seed are the same with and without it.

Each save, and each start after it, comes with something that hits one of those who take part in it.
"""

from random import Random

from outlast.sim.migrating import hit

SAVING = 0.5
"""In so many worlds."""
_MEAN_PAUSE_S = 25.0
_TAKES_S = (0.2, 0.8, 0.8, 4.0)

Lines = list[tuple[float, str]]


def deeds(dice: Random, nodes: list[str], vms: list[str], until_s: float) -> Lines:
    """Lines with their times."""
    found: Lines = []
    at_s = dice.uniform(5.0, 25.0)
    while at_s < until_s:
        found += [(at_s + after_s, line) for after_s, line in _save(dice, nodes, dice.choice(vms))]
        at_s += dice.expovariate(1 / _MEAN_PAUSE_S)
    return sorted(found)


def _save(dice: Random, nodes: list[str], vm: str) -> Lines:
    by, to, struck = dice.choice(nodes), dice.choice(nodes), dice.choice(nodes)
    takes_s = dice.choice(_TAKES_S)
    words = dice.choice(("", "", "", " fails", f" restores_only_on={','.join(dice.sample(nodes, 1))}"))
    lines: Lines = [(0.0, f"saving {vm} takes={takes_s:g}{words}")]
    away_s = takes_s + dice.choice((0.1, dice.uniform(0.0, 2.0), dice.uniform(2.0, 10.0)))
    if dice.random() < 0.5:
        lines.append((0.01, f"admin {by} group.move name={vm} to={to} stop=save"))
    else:
        lines.append((0.01, f"admin {by} group.offline name={vm} stop=save"))
        dropped = " discard_saved=true" if dice.random() < 0.15 else ""
        lines.append((away_s, f"admin {by} group.online name={vm}{dropped}"))
    # Around the moment in which it is away, and the one in which it comes back.
    for moment_s in (takes_s, away_s):
        if dice.random() < 0.5:
            when_s = max(0.02, moment_s + dice.choice((dice.uniform(-takes_s, 1.0), dice.uniform(-0.05, 0.25))))
            lines += [(max(0.02, when_s + s), line) for s, line in hit(dice, nodes, vm, struck, by, to)]
    if dice.random() < 0.2:
        lines.append((dice.uniform(takes_s, away_s + 1.0), f"console start {vm} {dice.choice(nodes)}"))
    if words:
        lines.append((away_s + 20.0, f"saving {vm}"))
    return lines
