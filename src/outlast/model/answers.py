"""What the cluster service answers on its control socket: rows for tables and scripts.

The fields are a contract: `--json` prints them as they are.
"""

from collections.abc import Mapping

import msgspec

from outlast.model.event import Event


class TypeOffer(msgspec.Struct, frozen=True):
    """One resource type on one node."""

    type: str
    node: str
    version: str
    digest: str
    functions: tuple[str, ...]
    problem: str
    """Empty when the node can run it."""


class NodeRow(msgspec.Struct, frozen=True):
    name: str
    state: str
    """up | paused | silent | dead | out (no session: it has not joined, or left in order)."""
    why: str
    """Beside every state that is not fine."""
    address: str
    coordinator: bool
    incarnation: str
    groups: int
    """Groups it owns that are wanted online."""
    fence: tuple[str, ...]
    """Its fence agents, in the order in which they are tried."""
    watchdog_s: float
    """Everything that runs there runs under an armed watchdog of that countdown; 0: there is none."""
    watchdog: str
    """What it survives: hardware | kernel | process; "" for none."""
    watchdog_proves: bool
    """Its time counts as proof of the node's death (setting `watchdog_strength`)."""
    watchdog_problem: str
    """Why there is none although one is set."""
    types: Mapping[str, str]
    """Type to its problem on this node; "" when it can run it."""
    last_record_s: float
    """Seconds since the answering node saw its last session record; -1 when it has none."""


class FailureRow(msgspec.Struct, frozen=True):
    node: str
    why: str
    at_s: float


class GroupRow(msgspec.Struct, frozen=True):
    name: str
    state: str
    """online | offline | failed | online pending | offline pending | unknown."""
    why: str
    """What the group waits for, or why it is not fine; empty when all is well."""
    owner: str
    wanted: str
    """online | offline."""
    wanted_by: str
    epoch: int
    move_to: str
    protected: bool
    not_protected_because: tuple[str, ...]
    preferred_owners: tuple[str, ...]
    possible_owners: tuple[str, ...]
    failures: tuple[FailureRow, ...]
    failover_threshold: int
    failover_period_s: float
    resources: tuple[str, ...]
    settled: bool
    """It is as wanted, or it stays failed until somebody does something about it."""


class ResourceRow(msgspec.Struct, frozen=True):
    name: str
    type: str
    group: str
    state: str
    why: str
    owner: str
    identity: str
    is_alive_interval_s: float
    online_timeout_s: float
    offline_timeout_s: float


class VmRow(msgspec.Struct, frozen=True):
    """A VM: protected by the cluster, or (in `vm list --all`) one of a node's that is not."""

    name: str
    state: str
    why: str
    owner: str
    wanted: str
    protected: bool
    not_protected_because: tuple[str, ...]
    identity: str
    memory_mib: int
    vcpus: int
    group: str
    """Empty: the cluster does not manage it."""


class VmDetail(msgspec.Struct, frozen=True):
    vm: VmRow
    group: GroupRow
    resource: ResourceRow
    placement: Mapping[str, str]
    """Node to why it could not take the VM now; "" where it could."""


class ClusterStatus(msgspec.Struct, frozen=True):
    name: str
    answered_by: str
    coordinator: str
    term: int
    node_timeout_s: float
    revision: int
    session: str
    """Why the answering node has no session; empty when it has one."""
    nodes: tuple[NodeRow, ...]
    groups: tuple[GroupRow, ...]
    vms: tuple[VmRow, ...]
    alarms: tuple[str, ...] = ()
    """What is down and stays down until somebody does something, and what would help."""
    quorum: str = ""
    """Why no member of the cluster database can be lost now; empty when one can."""


class VoterRow(msgspec.Struct, frozen=True):
    """One member of the database."""

    name: str
    part: str
    """node | witness."""
    state: str
    """leads | votes | learns | starting | not well."""
    why: str
    version: str
    """Of its engine; "" when it does not answer."""
    behind: int
    """How many entries it lacks of what the furthest one has."""
    database_mib: float


class QuorumRow(msgspec.Struct, frozen=True):
    """Who votes on what is written, and what can still be lost."""

    answered_by: str
    quorum: bool
    leader: str
    voters: tuple[VoterRow, ...]
    others: tuple[VoterRow, ...]
    """Who learns, or was added and has not started."""
    margin: int
    """So many voters can be lost at once and the rest goes on; below 0: it does not go on now."""
    words: str
    """What can be lost, in words."""
    waits: tuple[str, ...]
    """What is waited for, or could be better, in words."""
    generation: int


class ForceRow(msgspec.Struct, frozen=True):
    """What forcing the quorum on this node means now."""

    refused: str
    """Why it cannot be done; "" when it can."""
    alone: bool
    """This node would go on with what is on its own disk; else with the voters that are here, and nothing is lost."""
    must_be_off: tuple[str, ...]
    """Whose being off must be confirmed, by fence devices or by the administrator."""
    fenced: tuple[str, ...]
    """Which of them have fence devices, which are asked first."""
    vms: Mapping[str, tuple[str, ...]]
    """The VMs that they own: they run twice if one of them still runs."""
    consequences: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True):
    """Why something is as it is."""

    about: str
    now: tuple[str, ...]
    """Sentences about the present state, what it waits for, and what would happen next."""
    story: tuple[Event, ...]
    """What led to it, oldest first."""


class ProtectReport(msgspec.Struct, frozen=True):
    """What `vm protect` found out and did (or, with `what_if`, would do)."""

    name: str
    identity: str
    owner: str
    """Where it runs already; empty when the cluster will place it."""
    wanted: str
    done: bool
    nodes: Mapping[str, tuple[str, ...]]
    """Per asked node: what keeps it from running this VM; empty where it could."""
    disks: tuple[str, ...]


class MachineRow(msgspec.Struct, frozen=True):
    name: str
    part: str
    """"node" or "witness"."""
    address: str
    vote: str
    """Of its member of the database: "votes", "learns", "does not vote"; empty when it carries none."""


class TokenRow(msgspec.Struct, frozen=True):
    part: str
    name: str
    """Who is just joining with it; empty when nobody has used it yet."""
    until_s: float
    """Wall clock."""


class ClusterRow(msgspec.Struct, frozen=True):
    name: str
    id: str
    node_timeout_s: float
    machines: list[MachineRow]
    tokens: list[TokenRow]
    answered_by: str
    certificate_left_s: float | None
    """Of the node that answers; None where there are no certificates."""


class FenceAgentRow(msgspec.Struct, frozen=True):
    """A fence agent that is installed on the answering node."""

    agent: str
    words: str
    problem: str
    """Why it cannot be used; empty when it can."""


class FenceDeviceRow(msgspec.Struct, frozen=True):
    node: str
    device: str
    agent: str
    level: int
    parameters: Mapping[str, str]
    """Secret ones as "***"."""
    timeout_s: float
    delay_s: float
    attempts: int
    from_file: bool
    """It stands in the node's outlast.toml."""


class FenceTest(msgspec.Struct, frozen=True):
    """What a fence device answered when it was asked for the node's power."""

    node: str
    device: str
    agent: str
    level: int
    power: str = ""
    """on | off | "": it did not say."""
    problem: str = ""
    dangerous: bool = False
    """It would "prove" the death of a node that lives."""
    asked_by: str = ""
    """The node that asked it."""


class FenceAdded(msgspec.Struct, frozen=True):
    device: FenceDeviceRow
    test: FenceTest


class Finding(msgspec.Struct, frozen=True):
    """Something that would not work when it is needed."""

    about: str
    grave: bool
    """False: the cluster is as safe and as available as it was set up to be, but could be better."""
    problem: str
    means: str
    advice: str


class NodeFenced(msgspec.Struct, frozen=True):
    node: str
    words: str
    at_risk: tuple[str, ...]
    """The groups it owned."""
