"""What the cluster service answers about rules, and about what would happen: rows for tables and scripts.

The fields are a contract: `--json` prints them as they are.
"""

import msgspec


class RuleRow(msgspec.Struct, frozen=True):
    name: str
    kind: str
    """same | different | on | not on."""
    domain: str
    """node | rack | site; of same and different."""
    groups: tuple[str, ...]
    nodes: tuple[str, ...]
    """Of on and not on."""
    hard: bool
    enabled: bool
    broken: tuple[str, ...]
    """By whom and how it is broken now; empty while it is kept or disabled."""


class RuleChanged(msgspec.Struct, frozen=True):
    """What a change of a rule did (or, with `what_if`, would do)."""

    rule: RuleRow
    """As it is afterwards."""
    done: bool
    warnings: tuple[str, ...]


class Restart(msgspec.Struct, frozen=True):
    """One group that ran on a lost node, or waited already."""

    group: str
    resources: tuple[str, ...]
    priority: str
    memory_mib: int
    owner: str
    to: str
    """Where it would go; "" where it would not run again."""
    why: str
    """Why there, or why not at all."""


class NodeAfter(msgspec.Struct, frozen=True):
    """One node that would be left."""

    name: str
    groups_before: int
    groups_after: int
    memory_mib: int
    """What it may give to resources; 0: not known."""
    memory_left_mib: int
    """Afterwards; below 0: more was given away than there is."""


class Forecast(msgspec.Struct, frozen=True):
    """What would happen if nodes were lost now."""

    lost: tuple[str, ...]
    restarts: tuple[Restart, ...]
    """In the order in which they would be placed."""
    nodes: tuple[NodeAfter, ...]
    notes: tuple[str, ...]
    """What else would be so, or would stand in the way."""
