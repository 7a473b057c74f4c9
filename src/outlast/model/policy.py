"""What an administrator may set about when things start, where they go, and what becomes of them when they fail."""

import enum

import msgspec


class Priority(enum.Enum):
    """Which group is placed, started and drained first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NO_AUTO_START = "no auto start"
    """Started by an administrator's word only: after its node's death it is wanted offline."""

    @property
    def rank(self) -> int:
        """0 is first."""
        return _RANKS[self]


_RANKS = {rank: place for place, rank in enumerate(Priority)}


class RestartAction(enum.Enum):
    """What becomes of a resource that failed (the original's RestartAction 0, 1 and 2)."""

    NOTHING = "nothing"
    """It stays failed, and so do those that need it; its group stays where it is."""
    RESTART = "restart"
    """It is restarted where it is, as often as its threshold allows; its group stays where it is."""
    FAILOVER = "failover"
    """Likewise, and then its group goes to another node."""


class OnStop(enum.Enum):
    """What becomes of a resource that somebody stopped past the cluster."""

    RESPECT = "respect"
    """It is wanted offline from then on."""
    RESTART = "restart"
    """It is brought online again where it is. That is no failure."""


class OfflineAction(enum.Enum):
    """How a group goes offline when nobody says how, and how it moves when it cannot go live (the original's
    OfflineAction of a VM, whose default is to save)."""

    SAVE = "save"
    """What runs is put away on the storage that its nodes share, and goes on from there with the next start."""
    SHUTDOWN = "shutdown"
    """In order, with a time limit, then by force."""
    TURN_OFF = "turn off"
    """At once."""


class Failback(enum.Enum):
    """When a group returns to the node that it left without being asked to."""

    NEVER = "never"
    NOW = "now"
    """As soon as that node can take it."""
    WINDOW = "window"
    """Within certain hours only."""


class Balance(enum.Enum):
    """May load balancing move the group?"""

    NEVER = "never"
    LIVE = "live"
    """Only when nobody notices: every resource of it can be migrated live."""
    ALWAYS = "always"
    """Also by taking it offline and online again."""


class Until(enum.Enum):
    """When a group that others start after counts as started."""

    ONLINE = "online"
    ANSWERS = "answers"
    """Its resources say that what runs in them answers (a VM's guest agent)."""


class StartAfter(msgspec.Struct, frozen=True):
    """A group is not started before another one has been."""

    group: str
    until: Until = Until.ONLINE
    delay_s: float = 0.0
    """And so many seconds more."""


class BalanceMode(enum.Enum):
    """The original's AutoBalancerMode 0, 1 and 2."""

    OFF = "off"
    ON_JOIN = "on join"
    """When a node has joined or was resumed."""
    CONTINUOUS = "continuous"


class Reserve(enum.Enum):
    """What happens when the promise to survive the loss of nodes would be broken."""

    WARN = "warn"
    REFUSE = "refuse"
