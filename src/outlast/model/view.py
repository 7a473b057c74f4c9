"""All that a decision may depend on, in one value."""

from collections.abc import Mapping

import msgspec

from outlast.model.group import Group, Resource
from outlast.model.node import Coordinator, Node, Session, Silence
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus


class FenceReport(msgspec.Struct, frozen=True):
    """How this coordinator's attempts to fence a node's incarnation stand."""

    incarnation: str
    attempts: int = 0
    confirmed: str = ""
    """The agent's word that the node is off; empty until then."""
    by: tuple[str, ...] = ()
    """The devices that confirmed it."""
    errors: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Device to its last refusal."""
    on_again: str = ""
    """What came of switching the node on again, after its death was recorded; empty: nothing yet."""


class Observed(msgspec.Struct, frozen=True):
    """What only the deciding node knows, by its own monotonic clock. Ages in seconds."""

    silent_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Nodes judged silent, and for how long no new session record of theirs was seen."""
    silence_age_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """For how long each silence record has certainly kept its node from any permit: since this node saw it, and not
    counting the first time-out after this node started or had an outage of its own."""
    settling_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Nodes that are silent since before this node had the database back, and for how long they may still come back by
    themselves: after a boot of all or an outage nobody is switched off for its past while it is about to return."""
    failure_age_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """By failure id: since when this node has known it."""
    fence_reports: Mapping[str, FenceReport] = msgspec.field(default_factory=dict)
    promised_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Nodes that this one has promised to decide nothing against, and for how much longer (`core/certainty.py`)."""
    voters: tuple[str, ...] = ()
    """Who votes in the database, as far as the coordinator has looked."""
    runs_on: str = ""
    """While the database does not answer: why this node runs on without it; else empty."""


class ClusterView(msgspec.Struct, frozen=True):
    """A snapshot of the cluster at one revision of the database, and what the deciding node observed."""

    me: str
    revision: int
    settings: Settings
    coordinator: Coordinator | None
    nodes: Mapping[str, Node]
    sessions: Mapping[str, Session]
    silences: Mapping[str, Silence]
    groups: Mapping[str, Group]
    resources: Mapping[str, Resource]
    statuses: Mapping[str, GroupStatus]
    observed: Observed
