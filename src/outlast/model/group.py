"""Groups, the units that move, and the resources in them."""

import enum
from collections.abc import Mapping

import msgspec

from outlast.model.health import Json


class Wanted(enum.Enum):
    """An administrator's intent. Kept apart from state, and never lost."""

    ONLINE = "online"
    OFFLINE = "offline"


class Stop(enum.Enum):
    """How to go offline when asked to."""

    SHUTDOWN = "shutdown"
    """In order, with a time limit, then by force."""
    TURN_OFF = "turn_off"
    """At once."""


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
    """An administrator's wish to move it there; cleared when it has moved, or cannot."""
    preferred_owners: tuple[str, ...] = ()
    possible_owners: tuple[str, ...] = ()
    """Empty: every node."""
    failures: tuple[Failure, ...] = ()
    failover_threshold: int | None = None
    """None: the cluster's."""
    failover_period_s: float | None = None


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


class Definition(msgspec.Struct, frozen=True):
    """What the plugin needs to bring a resource online: a VM's domain XML. Large, so read by who needs it."""

    resource: str
    text: str
