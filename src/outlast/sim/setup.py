"""How is a simulated world at its start? Everything else happens by commands."""

from dataclasses import dataclass

from outlast.model.fence import FenceAction
from outlast.model.watchdog import Strength
from outlast.sim.bugs import Bug
from outlast.sim.fence import Style


@dataclass(frozen=True, slots=True)
class Setup:
    seed: int = 0
    nodes: tuple[str, ...] = ("n1", "n2", "n3")
    node_timeout_s: float = 5.0
    fencing: Style = Style.ONE
    """How every node can be fenced."""
    fence_action: FenceAction = FenceAction.OFF
    """What becomes of a node that was fenced."""
    watchdogs: Strength | None = None
    """What watches over every node."""
    members: int = 0
    """So many of the nodes carry the database; 0: it is simply there."""
    witness: bool = False
    """A machine more that carries only the database."""
    memory_mib: int = 0
    """What resources may use on each node; 0: as much as they want."""
    cpus: int = 0
    live: bool = False
    """VMs can be handed over to another node as they run."""
    jitter: bool = False
    """Latencies and clocks are drawn from the seed, instead of being even."""
    online_timeout_s: float = 20.0
    offline_timeout_s: float = 20.0
    bugs: frozenset[Bug] = frozenset()
