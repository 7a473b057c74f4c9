"""What one node's cluster service has measured and counted since it started, and how the cluster is as it sees it.

The answer to the verb `metrics`. Names and units for Prometheus are given in `web/metrics.py`; here seconds and counts
stand as they are. Nothing in it is a decision's input.
"""

from collections.abc import Mapping

import msgspec


class Distribution(msgspec.Struct, frozen=True):
    """How many of the measured times were how long."""

    bounds_s: tuple[float, ...]
    """Upper ends of the buckets, ascending; a time that equals one belongs below it."""
    counts: tuple[int, ...]
    """One for each bucket, and one more for what was longer than all. Not added up."""
    sum_s: float


class NodeMetrics(msgspec.Struct, frozen=True):
    name: str
    state: str
    """As in `outlast status`."""
    coordinates: bool
    groups: int
    """Groups it owns that are wanted online."""
    last_record_s: float | None
    """Since its last session record was seen here; None when it has none."""
    gaps: Distribution | None
    """Times between two of its session records, as they were seen here; None before there were two."""
    watchdog_s: float
    """Countdown of the armed watchdog it declares; 0: there is none."""
    memory_mib: int
    """0: not known, and not limited."""
    memory_used_mib: int


class GroupMetrics(msgspec.Struct, frozen=True):
    name: str
    owner: str
    state: str
    wanted: str
    protection: str
    """protected | at risk | not protected."""


class ResourceMetrics(msgspec.Struct, frozen=True):
    name: str
    type: str
    group: str
    owner: str
    state: str


class PhaseMetrics(msgspec.Struct, frozen=True):
    cause: str
    phase: str
    """A phase of a failover, or "whole" (`core/coordinator/phases.py`)."""
    times: Distribution


class DatabaseMetrics(msgspec.Struct, frozen=True):
    operation: str
    """read | commit."""
    times: Distribution
    """Of those that were answered."""
    failures: Mapping[str, int]
    """Of those that were not: unavailable (nothing was written) | uncertain (it may have been) | unwritable."""


class CallMetrics(msgspec.Struct, frozen=True):
    """Calls into the plugins of one resource type."""

    type: str
    call: str
    times: Distribution
    missed: int
    """So many missed their deadline."""
    deadline_s: float
    """Of the last one."""


class FenceMetrics(msgspec.Struct, frozen=True):
    """How often this node asked a fence device of another one."""

    node: str
    device: str
    action: str
    """off | on."""
    result: str
    """confirmed | failed (also: no answer in time) | ended (nobody waited for it any more)."""
    count: int


class HostEndMetrics(msgspec.Struct, frozen=True):
    host: str
    """"shared", or what it was for: a type, or a type and a resource."""
    why: str
    """died (by itself) | killed (a call missed its deadline, or a plugin's files changed) | replaced (an administrator
    wanted that)."""
    count: int


class QuorumMetrics(msgspec.Struct, frozen=True):
    """How the members of the cluster database stand, as this node was told last."""

    quorum: bool
    margin: int
    """So many voters can be lost at once and the rest goes on; below 0: it does not go on now."""
    voters: int
    well: int
    """Voters that are well."""


class Metrics(msgspec.Struct, frozen=True):
    cluster: str
    node: str
    """Who answers; all that was counted and measured is its own."""
    version: str
    armed: bool
    held: bool
    """Nothing is started or stopped before somebody confirms what runs where."""
    alarms: int
    term: int
    """Of the coordinator; 0: there was none yet."""
    coordinates: bool
    """The answering node does."""
    node_timeout_s: float
    permit_s: float
    """So long a renewal of the session lets a node run what it owns."""
    permit_left_s: float
    """Of the answering node's; 0 when it has no session."""
    database_age_s: float
    """So old is what it knows of the cluster; 0 while it reaches the database."""
    quorum: QuorumMetrics | None
    """None: nobody votes (SQLite)."""
    nodes: tuple[NodeMetrics, ...]
    groups: tuple[GroupMetrics, ...]
    resources: tuple[ResourceMetrics, ...]
    decisions: Mapping[str, int]
    """What this node decided as the coordinator and wrote down, by kind."""
    failovers: tuple[PhaseMetrics, ...]
    """Of those that ended, or a phase of which did, while this node was the coordinator."""
    database: tuple[DatabaseMetrics, ...]
    calls: tuple[CallMetrics, ...]
    hosts: tuple[HostEndMetrics, ...]
    fencing: tuple[FenceMetrics, ...]
