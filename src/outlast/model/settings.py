"""What an administrator sets for the whole cluster. Key `cluster`."""

import msgspec


class Settings(msgspec.Struct, frozen=True):
    name: str = "outlast"
    node_timeout_s: float = 5.0
    """The one time-out from which the others derive (`core/timing.py`)."""
    failover_threshold: int = -1
    """Failovers of one group within `failover_period_s` before it stays failed; -1: number of nodes less one.

    The original's default (FailoverThreshold 0xFFFFFFFF, FailoverPeriod 6 h).
    """
    failover_period_s: float = 6 * 3600.0
    events_kept: int = 5000
