"""Groups, the units that move, and the resources in them."""

import enum
from collections.abc import Mapping

import msgspec

from outlast.model.guest import GuestCare
from outlast.model.health import Json
from outlast.model.policy import Balance, Failback, OfflineAction, OnStop, Priority, RestartAction, StartAfter
from outlast.model.saved import SavedState


class Wanted(enum.Enum):
    """An administrator's intent. Kept apart from state, and never lost."""

    ONLINE = "online"
    OFFLINE = "offline"


AWAY = "*"
"""As `Group.move_to`: off its node, to whichever can take it, and offline while there is none."""


class Stop(enum.Enum):
    """How to go offline when asked to."""

    SHUTDOWN = "shutdown"
    """In order, with a time limit, then by force."""
    TURN_OFF = "turn_off"
    """At once."""
    SAVE = "save"
    """Put away as it runs, to go on from there with the next start, on whichever node."""
    LIVE = "live"
    """Of a move only: handed over to the other node as it runs (live migration)."""


class Came(enum.Enum):
    """How something of a group came to run on a node that does not own it."""

    BROUGHT = "brought"
    """Somebody migrated it there past the cluster: `virsh migrate`."""
    STARTED = "started"
    """Somebody started it there past the cluster."""


class Appearance(msgspec.Struct, frozen=True):
    """A node that does not own the group tells that it has it, past the cluster. It stands still there until the
    coordinator gives the group to that node; or it is stopped there (adr/0015)."""

    node: str
    incarnation: str
    epoch: int
    """The group's, when that was told: at another one it says nothing."""
    came: Came
    owner_was_dead: bool = False
    """When it came there, the death of the group's owner was proven already."""
    owner_life: str = ""
    """In which life the group's owner was when it came there; "": not known."""


class Failure(msgspec.Struct, frozen=True):
    """One failure that counts against the group's failover threshold."""

    id: str
    node: str
    why: str
    at_s: float
    """Wall clock, for people only; the coordinator ages failures by its own monotonic clock."""


class Group(msgspec.Struct, frozen=True):
    """The unit that moves, owned by one node at a time. Key `groups/NAME`.

    `owner` and `epoch` are changed by the coordinator alone; `wanted` and the rest by administrators, or by the
    owner when somebody switched the thing off at the host's console or inside the guest.
    """

    name: str
    resources: tuple[str, ...]
    wanted: Wanted = Wanted.ONLINE
    wanted_by: str = ""
    """Who wanted it so, for people: "administrator on n1", "the host's console on n2", ..."""
    intents: int = 0
    """Up by one with each word about what is wanted: what somebody did at a console before the latest word is over."""
    stop: Stop = Stop.SHUTDOWN
    owner: str = ""
    """Empty: nobody has it, the coordinator places it."""
    epoch: int = 0
    """Up by one with each change of owner, and with each new attempt on the same owner."""
    move_to: str = ""
    """The wish to move it there, or `AWAY`; cleared when it has moved, or cannot."""
    queued: bool = False
    """That wish waits for its turn: nothing is done for it yet (`core/coordinator/moves.py`)."""
    moves: int = 0
    """Up by one with each wish to move it: what its owner says of an earlier one is over."""
    received_from: str = ""
    """Not empty: at this epoch it goes on from what that node has handed over (adr/0013); its owner itself: from what
    somebody had started there past the cluster."""
    appeared: Appearance | None = None
    """Written by the node where it appeared, and cleared with each change of owner."""
    preferred_owners: tuple[str, ...] = ()
    possible_owners: tuple[str, ...] = ()
    """Empty: every node."""
    failures: tuple[Failure, ...] = ()
    failover_threshold: int | None = None
    """None: the cluster's."""
    failover_period_s: float | None = None
    retry_after_s: float = 3600.0
    """So long after its failovers are spent it is tried once more; 0: never (RetryPeriodOnFailure, 1 h)."""
    priority: Priority = Priority.MEDIUM
    start_after: tuple[StartAfter, ...] = ()
    start_limit_s: float = 600.0
    """Then it is started all the same (GroupDependencyTimeout, 600 s)."""
    failback: Failback = Failback.NEVER
    failback_hours: tuple[int, int] = (0, 0)
    """For Failback.WINDOW: from the beginning of one hour (0 to 23) to the beginning of another, local time of the
    coordinator; over midnight when the second is not later."""
    return_to: str = ""
    """The node that it left without being asked to, while it is to return there; cleared by an administrator's move."""
    balance: Balance = Balance.LIVE
    protected_networks: tuple[str, ...] | None = None
    """The networks whose loss on its node moves it, by name or as in `Resource.networks`; None: all that it has (as in
    the original, where every adapter is on a protected network unless somebody says otherwise)."""
    offline_action: OfflineAction = OfflineAction.SHUTDOWN
    locked: str = ""
    """Not empty: it is not moved on purpose, and this says why. Its node's death and failures still move it."""
    maintenance: str = ""
    """Not empty: it is not polled, healed or moved, and this says why."""


class Blind(msgspec.Struct, frozen=True):
    """Why a node that was asked could not have run it, disks and all."""

    why: str
    """For people."""
    disk: str = ""
    """The disk that it does not see; empty: it lacks something else."""
    doubt: bool = False
    """Nobody can tell whether what it sees is the same disk. That is no reason not to try it there."""


class Resource(msgspec.Struct, frozen=True):
    """One thing of one type, in one group. Its definition lies under `definitions/NAME`. Key `resources/NAME`."""

    name: str
    type: str
    group: str
    identity: str = ""
    properties: Mapping[str, Json] = msgspec.field(default_factory=dict)
    is_alive_interval_s: float = 5.0
    online_timeout_s: float = 180.0
    """Between two reports of progress, not in all (the original's PendingTimeout)."""
    offline_timeout_s: float = 120.0
    """For an orderly stop; then by force."""
    memory_mib: int = 0
    vcpus: int = 0
    networks: tuple[str, ...] = ()
    """What its network adapters are joined to (`model/network.py`)."""
    disks: tuple[str, ...] = ()
    """Paths of what its definition names as disks: of a VM."""
    cpu: str = ""
    """The CPU model that its definition asks for, or the mode ("host-passthrough") in place of one: of a VM."""
    host_devices: tuple[str, ...] = ()
    """Devices of its node that it has for itself and that cannot go along, for people: of a VM."""
    wanted: Wanted = Wanted.ONLINE
    """Within a group that is wanted online."""
    depends_on: str = ""
    """What must be online before it is: names of resources of its group with `and`, `or` and parentheses
    (`core/group/dependencies.py`)."""
    restart_action: RestartAction = RestartAction.FAILOVER
    restart_threshold: int = 0
    """How often it is restarted where it is within `restart_period_s`, before its group moves (the original has 3; a
    VM's other node is as quick here)."""
    restart_period_s: float = 900.0
    restart_delay_s: float = 0.5
    retry_after_s: float = -1.0
    """When it stays failed and its group does not move for it: its owner tries it once more so long after; 0: never;
    -1: as its group has it (RetryPeriodOnFailure)."""
    on_console_stop: OnStop = OnStop.RESPECT
    """When it is switched off at its host's console."""
    on_guest_shutdown: OnStop = OnStop.RESPECT
    """When its guest shuts down by itself."""
    looks_alive_interval_s: float = 0.0
    """The cheap question between two thorough ones; 0: not asked."""
    deadlock_timeout_s: float = 300.0
    """A call of its plugin that takes longer without a word of progress hangs: its host is replaced."""
    separate_host: bool = False
    """Its plugin runs in a host process of its own."""
    maintenance: str = ""
    """Not empty: it is not polled or healed, and this says why."""
    guest: GuestCare = GuestCare()
    """How what runs in it is looked after; of VMs only."""
    state_dir: str = ""
    """The directory for its saved state, the same on every node; empty: where its type keeps it (beside a VM's first
    disk)."""
    saved: SavedState | None = None
    """With the next start it goes on from there. Who brings it online takes this out of the record first."""
    taken: str = ""
    """Who took the last one out, and which: only he may go on from it."""
    seen_by: tuple[str, ...] = ()
    """Nodes that could have run it, disks and all, when they were asked last."""
    blind_on: Mapping[str, Blind] = msgspec.field(default_factory=dict)
    """Nodes that were asked and could not, or of which nobody can tell. Whoever is in neither was not asked yet: so is
    everybody, where both are empty."""


class Definition(msgspec.Struct, frozen=True):
    """What the plugin needs to bring a resource online: a VM's domain XML. Large, so read by who needs it."""

    resource: str
    text: str
