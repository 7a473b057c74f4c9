"""What an administrator sets for the whole cluster. Key `cluster`."""

import msgspec

from outlast.model.fence import FenceAction
from outlast.model.watchdog import Strength


class Settings(msgspec.Struct, frozen=True):
    name: str = "outlast"
    id: str = ""
    """Drawn when the cluster is created, so that two of one name are told apart."""
    node_timeout_s: float = 5.0
    """The one time-out from which the others derive (`core/timing.py`)."""
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
    hold: str = ""
    """Not empty: nothing is started anywhere, and this says why (a restored database whose ownership nobody has
    confirmed yet)."""
