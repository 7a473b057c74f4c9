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
    "joining": "a machine began to join the cluster, joined it, or gave up; or its token was given out or taken back",
    "coordinator": "another node coordinates",
    "fence": "a fence agent was tried",
    "rule": "a placement rule was added, enabled, disabled or deleted",
    "access": "a user, an API token or a way to sign in was made, changed or deleted, or somebody was signed out",
    "settings": "an administrator changed a setting of the whole cluster",
    "armed": "the cluster was told to fence, move and restart nothing, or to do so again",
    "vote": "who votes in the database changed, and why",
    "notice": "a rule for notices was added, changed or deleted; or its receiver takes none, or does again",
    "promise": "the promise to survive lost nodes is broken, or kept again",
    "protection": "groups are not protected, at risk, or protected again",
    "failed": "a resource failed",
    "decided": "the coordinator gave a group an owner",
    "online-pending": "the owner began to bring a group online",
    "online": "a group is online",
    "partially-online": "some of a group is online, the rest is off on purpose",
    "restarted": "a resource that failed, or was stopped and comes back, is restarted where it is",
    "offline": "a group is offline",
    "handed-over": "a group was handed over to another node as it ran",
    "not-moved": "a group that was to move is not moved, and why; or what had arrived of it was dropped",
    "saved": "a saved state was dropped",
    "unknown": "it cannot be told whether a group runs",
    "guest": "what a guest did or how it is: it rebooted, hangs, is not well, stands still; or answers again",
    "guest-reset": "a guest that hangs is reset",
    "intent": "what is wanted of a group changed, and who changed it",
    "console": "somebody at a node's own console did what changes neither intent nor definition",
    "definition": "what a resource is was changed at the host's console: followed, or why not",
    "volume": "a shared volume is lost on a node, back or full; or something on it was changed, or was not",
    "group-changed": "a group was created, changed or deleted",
    "doubted": "a plugin's word about a resource is not believed, or is again",
    "host-died": "a resource host ended and was replaced",
    "network": "a network that guests need is lost on a node, or back",
    "slow": "a call of a plugin came close to its deadline",
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
