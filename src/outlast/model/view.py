"""All that a decision may depend on, in one value."""

from collections.abc import Mapping

import msgspec

from outlast.model.group import Group, Resource
from outlast.model.node import Coordinator, Node, Session, Silence
from outlast.model.rule import Rule
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, ResourceStatus


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
    failed_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Groups whose owner reports them failed, of those that failed over already or never do: since when this node has
    known that."""
    unmoved_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Groups that could not be handed over to another node as they run: since when this node has known that."""
    moving_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Groups that are to be handed over as they run: since when this node has known the present wish."""
    volume_lost_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """By "NODE VOLUME": since when this node has known that volume to be lost on that node, in its present life."""
    volume_seen_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Likewise, to be seen there."""
    mark_age_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """By the id of a node's mark: since when this node has known it."""
    session_age_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Since when this node has seen each node's present incarnation."""
    open_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Since when this node has known each node to take groups, in its present life."""
    calm_s: float = 0.0
    """For how long no group has changed hands or was to, and no node has come, gone or been changed."""
    network_back_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """By "node network": since when this node has known a network to be back there, of those that it has seen lost
    again and again."""
    quarantine_age_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Since when this node has known each node's quarantine."""
    hour: int = 0
    """Of the day, local time: for windows of failback only."""
    fence_reports: Mapping[str, FenceReport] = msgspec.field(default_factory=dict)
    promised_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Nodes that this one has promised to decide nothing against, and for how much longer
    (`core/membership/certainty.py`)."""
    voters: tuple[str, ...] = ()
    """Who votes in the database, as far as the coordinator has looked."""
    vital: tuple[str, ...] = ()
    """Whose member of the cluster database cannot be lost now without a stop of it; as this node saw it last."""
    runs_on: str = ""
    """While the database does not answer: why this node runs on without it; else empty."""
    unread_s: float = 0.0
    """For how long nothing has come from the database: so old is all of this view. 0 while it is reached."""
    own: Mapping[str, ResourceStatus] = msgspec.field(default_factory=dict)
    """What the deciding node knows itself of groups that it owns, where that is newer than its reports. For people."""


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
    rules: Mapping[str, Rule] = msgspec.field(default_factory=dict)
