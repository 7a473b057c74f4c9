"""What the commands about load balancing answer. Their fields are what `--json` prints, so they are a contract."""

from collections.abc import Mapping

import msgspec


class LoadRow(msgspec.Struct, frozen=True):
    """What one node has to do."""

    name: str
    load: float
    """Where all nodes say what they have: the mean of the shares of its memory and of its processors that are given
    away, 1 for all of it. Else its number of groups."""
    groups: int
    memory_mib: int
    has_mib: int
    """0: not known."""
    cpus: int
    has_cpus: int
    refuses: str
    """Why it is given nothing; empty when it is."""


class MoveRow(msgspec.Struct, frozen=True):
    group: str
    source: str
    target: str
    why: str


class BalanceRow(msgspec.Struct, frozen=True):
    """What each node has to do, and what would have to be moved."""

    mode: str
    """off | on join | continuous."""
    weighed: bool
    nodes: tuple[LoadRow, ...]
    moves: tuple[MoveRow, ...]
    stay: Mapping[str, tuple[str, ...]]
    """Why what is on the busier nodes is not moved, and of which groups that is true."""
    waits: str
    """What is under way and has to end before anything is moved; empty when nothing is."""
