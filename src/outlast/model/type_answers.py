"""What the command line gets about resource types; its fields are what `--json` prints, so they are a contract."""

import msgspec


class TypeOffer(msgspec.Struct, frozen=True):
    """One resource type on one node."""

    type: str
    node: str
    version: str
    digest: str
    functions: tuple[str, ...]
    problem: str
    """Empty when the node can run it."""


class CallTime(msgspec.Struct, frozen=True):
    """How long the last calls of one kind took, of one type on one node, since its service started."""

    node: str
    call: str
    """is_alive | looks_alive | discover | open | online | offline | terminate | ..."""
    calls: int
    median_s: float
    slowest_s: float
    deadline_s: float
    """Of the last one; where progress is told it counts from the last word."""
    missed: int
    """So many missed it."""


class TypeDetail(msgspec.Struct, frozen=True):
    type: str
    functions: tuple[str, ...]
    """What its plugins can do beyond what all can."""
    offers: tuple[TypeOffer, ...]
    resources: tuple[str, ...]
    """Of this type."""
    calls: tuple[CallTime, ...] = ()
