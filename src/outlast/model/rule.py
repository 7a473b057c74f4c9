"""Rules about which groups run together or apart, and on which nodes."""

import enum

import msgspec


class RuleKind(enum.Enum):
    SAME = "same"
    """All groups of the rule in one domain (the original's SameNode, SameFaultDomain)."""
    DIFFERENT = "different"
    """Each in another one (DifferentNode, DifferentFaultDomain)."""
    ON = "on"
    """On one of the rule's nodes."""
    NOT_ON = "not on"


class Domain(enum.Enum):
    """What fails together."""

    NODE = "node"
    RACK = "rack"
    SITE = "site"


class Rule(msgspec.Struct, frozen=True):
    """Key `rules/NAME`. A hard rule is never broken: a group that cannot keep it stays offline and says so. A soft one
    is kept as far as it can be."""

    name: str
    kind: RuleKind
    groups: tuple[str, ...]
    nodes: tuple[str, ...] = ()
    """Of ON and NOT_ON."""
    domain: Domain = Domain.NODE
    """Of SAME and DIFFERENT."""
    hard: bool = False
    enabled: bool = True
