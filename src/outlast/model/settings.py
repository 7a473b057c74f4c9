"""What an administrator sets for the whole cluster. Key `cluster`."""

import msgspec

from outlast.model.fence import FenceAction
from outlast.model.policy import BalanceMode, Reserve
from outlast.model.watchdog import Strength


class Settings(msgspec.Struct, frozen=True):
    name: str = "outlast"
    id: str = ""
    """Drawn when the cluster is created, so that two of one name are told apart."""
    node_timeout_s: float = 5.0
    """The one time-out from which the others derive (`core/membership/timing.py`)."""
    failover_threshold: int = -1
    """Failovers of one group within `failover_period_s` before it stays failed; -1: number of nodes less one.

    The original's default (FailoverThreshold 0xFFFFFFFF, FailoverPeriod 6 h).
    """
    failover_period_s: float = 6 * 3600.0
    events_kept: int = 5000
    vote_removal_s: float = 60.0
    """How long a member's node must be proven dead before it is taken out of the vote."""
    most_voters: int = 7
    generation: int = 0
    """Up by one whenever members of the database are left behind: the last one goes on alone, a quorum is forced."""
    watchdog_strength: tuple[Strength, ...] = (Strength.HARDWARE, Strength.KERNEL)
    """Which watchdogs' time counts as proof of death."""
    fence_action: FenceAction = FenceAction.REBOOT
    """What becomes of a node after its death was proven by its fence devices."""
    backup_interval_s: float = 24 * 3600.0
    """How often each node takes a backup of the database by itself; 0: never."""
    backups_kept: int = 14
    """Of those that it took by itself."""
    armed: bool = True
    """False: nothing is fenced, moved or restarted by the cluster (maintenance of the whole cluster)."""
    survive_nodes: int = 0
    """So many nodes may be lost at once, and all that should run finds room on the others."""
    reserve: Reserve = Reserve.WARN
    balance: BalanceMode = BalanceMode.OFF
    parallel_moves: int = 2
    """How many groups one node takes in or gives away at once in planned moves."""
    parallel_moves_in_all: int = 0
    """How many groups the whole cluster moves at once in planned moves, however many nodes it has; 0: no limit."""
    migration_mib_s: int = 0
    """At most so much for each live migration; 0: as much as there is."""
    migration_network: str = ""
    """The network that live migrations go over (`10.1.0.0/24`); empty: that of the nodes' own addresses."""
    parallel_starts: int = 0
    """How many groups one node starts at once; 0: as many as its processors can do (`core/owner/turns.py`)."""
    quarantine_threshold: int = 3
    """So many losses of a node within `quarantine_period_s` quarantine it for `quarantine_s` (the original: 3 within an
    hour, 2 h); 0: never."""
    quarantine_period_s: float = 3600.0
    quarantine_s: float = 7200.0
    most_fenced: int = -1
    """How many nodes may be fenced within `fence_period_s` before an administrator is asked; -1: half of them, and six
    at least (`core/coordinator/storm.py`)."""
    fence_period_s: float = 600.0
    shutdown_drain_s: float = 1200.0
    """How long a machine that is shut down waits for what runs there to be moved away; 0: not at all (the original's
    ShutdownTimeoutInMinutes: 20)."""
    network_delay_s: float = 5.0
    """A network that guests need must have been lost, or back, for so long before its node tells it."""
    hold: str = ""
    """Not empty: nothing is started anywhere, and this says why (a restored database whose ownership nobody has
    confirmed yet)."""
