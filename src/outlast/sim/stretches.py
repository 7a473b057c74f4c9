"""What is done in a random world when all faults are over and all is well again? One thing at a time, and nothing else.

In the midst of faults nearly anything can be excused. Here little can: pictures are new, so the order in which a node
gets empty is judged closely; and what is called protected is put to the test, by the loss of its node.
"""

from random import Random

_SETTLED_S = 65.0
"""Then pictures count as new."""


def draw(dice: Random, nodes: list[str]) -> list[str]:
    lines: list[str] = []
    if dice.random() < 0.45:
        lines += _drained(dice, nodes)
    if len(nodes) > 1 and dice.random() < 0.75:
        lines += _lost(dice, nodes)
    return lines


def _drained(dice: Random, nodes: list[str]) -> list[str]:
    node, by = dice.choice(nodes), dice.choice(nodes)
    force = " force=true" if dice.random() < 0.2 else ""
    back = " failback=true" if dice.random() < 0.5 else ""
    return [
        f"run {_SETTLED_S:g}",
        f"admin {by} node.drain name={node}{force}",
        f"run {dice.uniform(5.0, 60.0):.3f}",
        f"admin {by} node.resume name={node}{back}",
        "settle",
    ]


def _lost(dice: Random, nodes: list[str]) -> list[str]:
    node = dice.choice(nodes)
    return [f"lose {node}", f"run {dice.uniform(0.5, 30.0):.3f}", f"power on {node}", "settle"]
