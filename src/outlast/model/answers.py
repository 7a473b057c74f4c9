"""What the cluster service answers on its control socket: rows for tables and scripts.

The fields are a contract: `--json` prints them as they are.
"""

from collections.abc import Mapping

import msgspec

from outlast.model.event import Event
from outlast.model.guest import GuestCare, GuestStatus
from outlast.model.health import Json
from outlast.model.policy import StartAfter
from outlast.model.settings import Settings
from outlast.model.transfer import Transfer

MEMBERS = ("up", "paused", "draining", "drained", "quarantined")
"""States of a node that has its session."""


class NodeRow(msgspec.Struct, frozen=True):
    name: str
    state: str
    """up | paused | draining | drained | quarantined | silent | dead | out (no session: it has not joined, left in
    order, or says so itself)."""
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
    rack: str = ""
    site: str = ""
    drained_by: str = ""
    """Who had it drained."""
    quarantined: str = ""
    """Why it takes no group for a while; empty when it is not quarantined."""
    losses: int = 0
    """How often it was lost of late."""
    memory_mib: int = 0
    """What resources may use there; 0: not known, and not limited."""
    memory_used_mib: int = 0
    """Given away, to what moves there, too."""
    cpus: int = 0
    cpus_used: int = 0
    networks: Mapping[str, str] = {}
    """Those that guests need, as "bridge/br0", to why they are lost there; "" while they are up."""


class FailureRow(msgspec.Struct, frozen=True):
    node: str
    why: str
    at_s: float


class GroupRow(msgspec.Struct, frozen=True):
    name: str
    state: str
    """online | offline | partially online | failed | online pending | offline pending | unknown."""
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
    priority: str = "medium"
    """high | medium | low | no auto start."""
    start_after: tuple[StartAfter, ...] = ()
    start_limit_s: float = 600.0
    retry_after_s: float = 3600.0
    failback: str = "never"
    """never | now | window."""
    failback_hours: tuple[int, int] = (0, 0)
    return_to: str = ""
    """The node that it left without being asked to, and returns to."""
    balance: str = "live"
    """never | live | always."""
    networks: Mapping[str, str] = {}
    """Those that count for it, likewise as they are on its owner; "" also where that is not known."""
    transfer: Transfer | None = None
    """How far a live migration has come."""
    offline_action: str = "shutdown"
    """save | shutdown | turn off."""
    locked: str = ""
    """Why it is not moved on purpose; empty when it may be."""
    maintenance: str = ""
    """Why it is not polled, healed or moved; empty when it is."""
    members: tuple["ResourceRow", ...] = ()
    """Its resources one by one; only in answers about one group."""
    warning: str = ""
    """What is to be said of the word that was just given: it breaks the promise to survive lost nodes, say."""
    protection: str = "protected"
    """protected | at risk | not protected: `protected` is false for the last one only."""
    at_risk_because: tuple[str, ...] = ()
    """What is weaker than it should be."""
    protection_notes: tuple[str, ...] = ()
    """What makes it no weaker, and is to be known: nodes that are no place for it."""


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
    wanted: str = "online"
    """Within a group that is wanted online."""
    depends_on: str = ""
    restart_action: str = "failover"
    """nothing | restart | failover."""
    restart_threshold: int = 0
    restart_period_s: float = 900.0
    restart_delay_s: float = 0.5
    retry_after_s: float = -1.0
    """-1: as its group."""
    on_console_stop: str = "respect"
    """respect | restart."""
    on_guest_shutdown: str = "respect"
    looks_alive_interval_s: float = 0.0
    deadlock_timeout_s: float = 300.0
    separate_host: bool = False
    state_dir: str = ""
    saved: str = ""
    """Not empty: it goes on from that state with its next start."""
    memory_mib: int = 0
    vcpus: int = 0
    properties: Mapping[str, Json] = msgspec.field(default_factory=dict)
    maintenance: str = ""
    """Why it is not polled or healed; empty when it is."""
    guest: GuestCare | None = None
    """How a VM's guest is looked after; None: it is no VM."""
    guest_status: GuestStatus | None = None
    """How it is, by its owner's word; None: its guest has said nothing so far, or is not asked."""
    settled: bool = True
    """It is as wanted, or it stays failed until somebody does something about it."""
    warning: str = ""
    """What is to be said of the word that was just given."""
    protected: bool = True
    """Its group is: that is what moves."""
    not_protected_because: tuple[str, ...] = ()
    protection: str = "protected"
    """protected | at risk | not protected: `protected` is false for the last one only."""
    at_risk_because: tuple[str, ...] = ()
    """What is weaker than it should be."""
    protection_notes: tuple[str, ...] = ()
    """What makes it no weaker, and is to be known: nodes that are no place for it."""


class ClusterSettings(Settings, frozen=True):
    """The cluster's settings after `cluster set`, and what is to be said of what was set."""

    warnings: tuple[str, ...] = ()
    """What was promised does not hold, say."""
    notes: tuple[str, ...] = ()
    """What it means for what there is."""


class ResourceCreated(msgspec.Struct, frozen=True):
    """What `resource create` did (or, with `what_if`, would do)."""

    resource: ResourceRow
    done: bool
    nodes: Mapping[str, str]
    """Node to why it could not take the group with this resource in it; "" where it could."""
    warning: str = ""
    """It breaks the promise to survive lost nodes, say."""


class Foretold(msgspec.Struct, frozen=True):
    """What a command would do."""

    about: str
    words: str
    to: str = ""
    """The node that it would be on then, when that is another one."""
    what_if: bool = True


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
    protection: str = "protected"
    """protected | at risk | not protected: `protected` is false for the last one only."""
    at_risk_because: tuple[str, ...] = ()
    """What is weaker than it should be."""
    protection_notes: tuple[str, ...] = ()
    """What makes it no weaker, and is to be known: nodes that are no place for it."""


class VmDetail(msgspec.Struct, frozen=True):
    vm: VmRow
    group: GroupRow
    resource: ResourceRow
    placement: Mapping[str, str]
    """Node to why it could not take the VM now; "" where it could."""
    live: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Of a VM that is online: every other node to why it could not be handed over to it as it runs; "" where it
    could."""


class Screen(msgspec.Struct, frozen=True):
    """Where the screen of a VM is."""

    vm: str
    node: str
    """Its owner."""
    host: str = ""
    """Of its VNC server, as that node reaches it; only in its own answer."""
    port: int = 0
    """0: ask the owner."""


class VmChecked(msgspec.Struct, frozen=True):
    """Who could run a VM, disks and all."""

    name: str
    nodes: Mapping[str, tuple[str, ...]]
    """Per member: what keeps it from running this VM; empty where it could."""
    doubts: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Per member of which nobody can tell whether it sees the same disks: why."""


class ClusterStatus(msgspec.Struct, frozen=True):
    name: str
    answered_by: str
    coordinator: str
    term: int
    node_timeout_s: float
    revision: int
    session: str
    """Why the answering node has no session; empty when it has one."""
    age_s: float
    """So old is what the answering node knows of the others; 0 while it reaches the database. Of its own groups it says
    what is so now."""
    nodes: tuple[NodeRow, ...]
    groups: tuple[GroupRow, ...]
    vms: tuple[VmRow, ...]
    alarms: tuple[str, ...] = ()
    """What is down and stays down until somebody does something, and what would help; and what the cluster holds
    back."""
    armed: bool = True
    """False: nothing is fenced, moved or restarted by the cluster."""
    quorum: str = ""
    """Why no member of the cluster database can be lost now; empty when one can."""


class VoterRow(msgspec.Struct, frozen=True):
    """One member of the database."""

    name: str
    part: str
    """node | witness."""
    state: str
    """leads | votes | learns | starting | no leader (it is well itself) | not well."""
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
    warning: str = ""
    """What it means for the promise to survive lost nodes; empty when that holds."""
    goes_to: str = ""
    """The owner of the group that it joins, where it is started."""


class MachineRow(msgspec.Struct, frozen=True):
    name: str
    part: str
    """"node" or "witness"."""
    address: str
    vote: str
    """Of its member of the database: "votes", "learns", "does not vote"; empty when it carries none."""


class TokenRow(msgspec.Struct, frozen=True):
    id: str
    """What `cluster token --revoke` takes; says nothing of the token itself."""
    part: str
    name: str
    """Who is just joining with it; empty when nobody has used it yet."""
    until_s: float
    """Wall clock."""


class Revoked(msgspec.Struct, frozen=True):
    revoked: list[TokenRow]
    """Nobody can join with them any more."""
    kept: list[TokenRow]
    """Not taken back, because a machine is just joining with them and they were not named one by one."""


class ClusterRow(msgspec.Struct, frozen=True):
    name: str
    id: str
    node_timeout_s: float
    machines: list[MachineRow]
    tokens: list[TokenRow]
    answered_by: str
    certificate_left_s: float | None
    """Of the node that answers; None where there are no certificates."""
    web_fingerprint: str = ""
    """SHA-256 of the authority that signs for `outlast-web`; empty when there is none, or it cannot be told."""


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


class LeftRow(msgspec.Struct, frozen=True):
    """A group that has not gone (or come back) yet."""

    group: str
    state: str
    why: str
    """What it waits for; empty while nothing is in its way."""
    to: str
    """Where it is moving to; empty while it is not."""


class NodeProgress(msgspec.Struct, frozen=True):
    """How far a node is with what it was told: to get empty, or to get back what had left it."""

    node: str
    state: str
    why: str
    left: tuple[LeftRow, ...]
    down: tuple[str, ...]
    """Groups that it still owns and that are down although they are wanted online: no other node can take them."""
    done: bool
    coming: tuple[str, ...] = ()
    """Down likewise, and another node is about to get them."""
    kept: tuple[LeftRow, ...] = ()
    """Down likewise, for a reason of their own."""


class Outlook(msgspec.Struct, frozen=True):
    """What would become of a group if its node were drained now."""

    group: str
    to: str
    """Empty: it can go nowhere."""
    why: str = ""
    """Why it can go nowhere."""


class Leaving(msgspec.Struct, frozen=True):
    """A machine is being shut down."""

    node: str
    limit_s: float
    """So long the shutdown waits for the node to get empty; 0: not at all."""
    why_not: str
    """Why it does not wait."""
