"""What machines that carry a member of the database note on their disks and tell each other (topic `roll-call`).

On the wire it is JSON.
"""

import enum
from collections.abc import Mapping

import msgspec

from outlast.model.member import Member, Part

TOPIC = "roll-call"


class Stage(enum.Enum):
    """How far a machine's own member is."""

    ABSENT = "absent"
    """It carries none."""
    EMPTY = "empty"
    """It has no data, and asks to be added."""
    WAITS = "waits"
    """It has data and does not run: it is not certain yet that it may."""
    STARTED = "started"
    """It runs, and sees no leader."""
    RUNS = "runs"
    """It runs in a cluster that has a quorum."""


class Trace(msgspec.Struct, frozen=True):
    """How far a member had come when it was noted: a disk on which less is noted is an older copy."""

    boots: int = 0
    index: int = 0

    def furthest(self, other: "Trace") -> "Trace":
        return Trace(max(self.boots, other.boots), max(self.index, other.index))

    def beyond(self, other: "Trace") -> bool:
        return self.boots > other.boots or self.index > other.index


class Noted(msgspec.Struct, frozen=True):
    """What stands on the member's own disk, beside its data (the mark `NOTED`)."""

    member: str = ""
    """The id of the member whose data this is; "" when that is not known yet."""
    generation: int = 0
    """Up by one with each step that leaves members behind: the last one going on alone, a forced quorum."""
    trace: Trace = Trace()
    """Boots are counted before each first start after a boot; the index is noted now and then."""
    voters: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    """Which of them run nothing and can never go on alone."""
    left_behind: tuple[str, ...] = ()
    """Voters that a forced quorum left behind, and that have not been heard of since."""
    alone_from: tuple[str, ...] = ()
    """Who voted before a step that leaves the others behind was begun; empty once it is known to be done."""
    alone_tried: bool = False
    """The start of that step was tried: its log may be rewritten, though it does not count as such yet. So the step is
    finished, and never taken back."""
    whole_log: bool = False
    """In that step all of its log counts."""
    hold: str = ""
    """Why nothing is started or stopped here since a quorum was forced; empty once that stands in the database."""
    hold_without: tuple[str, ...] = ()
    """Who was certainly off then. If these are all other nodes, there is nothing to hold for."""
    may_be_out: bool = False
    """Its vote may be taken, or was, although this machine has not died since: it left the cluster in order, or has had
    no session for long enough since its member was started after a boot."""
    addresses: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Machine to the address of its service."""
    remembered: Mapping[str, Trace] = msgspec.field(default_factory=dict)
    """By id of the member: what others said of themselves last."""


NOTED = "noted"


class Roll(msgspec.Struct, frozen=True):
    """One machine about itself."""

    node: str
    stage: Stage = Stage.ABSENT
    part: Part = Part.NODE
    member: str = ""
    generation: int = 0
    trace: Trace = Trace()
    voters: tuple[str, ...] = ()
    client_url: str = ""
    peer_url: str = ""
    off: tuple[str, ...] = ()
    """Machines that are certainly off, as this one was assured by their fence devices or by an administrator."""


class RollAnswer(msgspec.Struct, frozen=True):
    mine: Roll
    members: tuple[Member, ...] = ()
    """All members, while the cluster runs."""
    yours: Trace | None = None
    """What the asker's member said of itself last, as far as this machine remembers."""
    addresses: Mapping[str, str] = msgspec.field(default_factory=dict)
    words: str = ""
    """For people: what the asker waits for, as far as this machine knows."""
