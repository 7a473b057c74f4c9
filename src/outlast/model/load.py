"""What had the machines to do: their processors, their memory, their VMs?

`Load` and `NodeLoad` are what `outlast node load --json` and the API tell, so their fields are a contract.
"""

import msgspec


class Reading(msgspec.Struct, frozen=True):
    """What the kernel of a machine tells at one moment."""

    busy: float
    """What all processors together have worked since the machine started, in any unit."""
    whole: float
    """What they could have worked in that time, in the same unit."""
    memory_used_mib: int
    """What programs could not have if they asked for it now."""
    memory_mib: int
    cpus: int


class Load(msgspec.Struct, frozen=True):
    """What a machine had to do in a stretch of time: a minute, or several rolled up into one."""

    at_s: int
    """When it began, by the wall clock of the machine: for people only."""
    cpu: float
    """Which share of all its processors worked, at the mean: 0 to 1."""
    cpu_peak: float
    """The same in the busiest 5 s."""
    memory_mib: int
    """Used, at the mean."""
    memory_peak_mib: int
    vms: int
    """VMs of the cluster that were online there, the most at one time."""


class NodeLoad(msgspec.Struct, frozen=True):
    """The last day of one node. A stretch of which nothing is known is missing in `steps`."""

    node: str
    why: str = ""
    """Why nothing can be told of it now; empty when it was told."""
    at_s: float = 0.0
    """When it was told, by the wall clock of the node, as all times here."""
    step_min: int = 1
    cpus: int = 0
    memory_mib: int = 0
    """What the machine has; 0: not known yet."""
    now: Load | None = None
    """The present minute so far, or the last one; None: nothing of that is known."""
    day: Load | None = None
    """All of it rolled up into one; None: nothing is known."""
    steps: tuple[Load, ...] = ()
    """Oldest first, each of `step_min` minutes (the first and the last one may be cut off)."""
