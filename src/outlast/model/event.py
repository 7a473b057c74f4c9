"""The event log: what happened and why, in words. Key `events/ID`, outside the watched state."""

import msgspec


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the story of the cluster."""

    id: str
    """Sorts by time of writing, roughly; the order that counts is the database's revision."""
    at_s: float
    """Wall clock of the writer; for people only."""
    node: str
    """Who wrote it."""
    kind: str
    """One of `KINDS`."""
    words: str
    group: str = ""
    about: str = ""
    """The node that the event is about, when it is about one."""
    reasons: tuple[str, ...] = ()
    inputs: str = ""
    """Id of the stored inputs of the decision, under `inputs/ID`; empty when it was no decision."""


KINDS = {
    "node-joined": "a node opened its session",
    "node-left": "a node closed its session in order",
    "node-silent": "the coordinator wrote a node's silence to the database",
    "node-dead": "a node's death is proven",
    "node-changed": "a node was added, paused, resumed or changed",
    "joining": "a machine began to join the cluster, joined it, or gave up; or a token for one was given out",
    "coordinator": "another node coordinates",
    "fence": "a fence agent was tried",
    "settings": "an administrator changed a setting of the whole cluster",
    "vote": "who votes in the database changed, and why",
    "failed": "a resource failed",
    "decided": "the coordinator gave a group an owner",
    "online-pending": "the owner began to bring a group online",
    "online": "a group is online",
    "offline": "a group is offline",
    "unknown": "it cannot be told whether a group runs",
    "intent": "what is wanted of a group changed, and who changed it",
    "group-changed": "a group was created, changed or deleted",
    "host-died": "a resource host ended and was replaced",
    "type": "what a node can offer of a resource type changed",
    "stopped": "a node stopped what it may not run",
    "outage": "a node ran on while the database did not answer",
    "upkeep": "the database was full, and room was made",
    "backup": "the database was restored from a backup, or its ownership was confirmed",
    "permit": "a node's session ran out, and it stopped what it ran",
}


class Inputs(msgspec.Struct, frozen=True):
    """What a decision was made from: a `ClusterView` as JSON, compressed with zlib, in base64."""

    id: str
    view: str
