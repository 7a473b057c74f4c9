"""Notices: what is told to people and programs outside of the cluster, by which rule, and how far that has come."""

import enum
from collections.abc import Mapping

import msgspec

from outlast.model.event import Event

PER_MINUTE = 10


class Severity(enum.Enum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Way(enum.Enum):
    WEBHOOK = "webhook"
    MAIL = "mail"
    COMMAND = "command"


class NoticeRule(msgspec.Struct, frozen=True):
    """Which events are told to whom. Key `control/notices/NAME`."""

    name: str
    way: Way
    parameters: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Without the secret ones, wherever it is stored. Whoever hands a rule to a receiver has filled them in."""
    hidden: tuple[str, ...] = ()
    """Names of its secret parameters."""
    sealed: str = ""
    """Where they are: `secrets/notices/ID`. Another ID with each change. Empty: it has none."""
    place: str = ""
    """Where it goes, for people: nothing secret is in it."""
    severity: Severity = Severity.WARNING
    """At least."""
    kinds: tuple[str, ...] = ()
    """Empty: all of that severity."""
    groups: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    """What is about one of these groups or nodes; both empty: everything."""
    per_minute: int = PER_MINUTE
    """At most so many notices; the rest is summed up in one."""
    enabled: bool = True


class Noticed(msgspec.Struct, frozen=True):
    """Up to where a rule has told. Key `noticed/NAME`; written by the coordinator."""

    revision: int = 0
    """Of the last event that was told; 0: none yet, and it begins with what is newer than this record."""
    event: str = ""
    """Its id: of one revision several may be."""
    count: int = 0
    """So many notices were sent."""
    at_s: float = 0.0
    """When the last one was taken, by the wall clock."""
    problem: str = ""
    """Why the receiver takes none, since a while; empty when it does."""
    since_s: float = 0.0
    """Since when, by the wall clock."""


class Notice(msgspec.Struct, frozen=True):
    """What is sent: one event, or the sum of several that were held back."""

    id: str
    """The same when it is sent again."""
    rule: str
    cluster: str
    severity: Severity
    words: str
    events: tuple[Event, ...]
    """Of a sum: the most severe ones, at most twenty."""
    held_back: int = 0
    """So many events the sum is about; 0: it is none."""
    kinds: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Of a sum: how many of each kind."""
