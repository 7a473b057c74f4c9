"""What a decision asks for: actions, and what it waits for."""

import msgspec

from outlast.model.group import Failure, Stop
from outlast.model.node import Mark, Proof


class DeclareSilent(msgspec.Struct, frozen=True, tag=True):
    """Write the node's silence to the database, unless it has renewed its session meanwhile."""

    node: str
    incarnation: str
    watchdog_s: float
    why: str


class Fence(msgspec.Struct, frozen=True, tag=True):
    """Ask the node's fence devices to switch it off and to confirm it."""

    node: str
    incarnation: str


class RecordProof(msgspec.Struct, frozen=True, tag=True):
    """Write to the node's silence that its death is proven."""

    node: str
    incarnation: str
    proof: Proof


class SwitchOn(msgspec.Struct, frozen=True, tag=True):
    """Its death is proven and recorded: the devices that switched it off may switch it on again."""

    node: str
    incarnation: str
    devices: tuple[str, ...]


class RecordOnAgain(msgspec.Struct, frozen=True, tag=True):
    """Write to the node's silence what came of switching it on, so that nobody does it twice."""

    node: str
    words: str


class Assign(msgspec.Struct, frozen=True, tag=True):
    """Give the group to `owner` at `epoch`. Compared against the group as the decision saw it."""

    group: str
    owner: str
    epoch: int
    why: str
    reasons: tuple[str, ...] = ()
    failure: Failure | None = None
    """The failure that made it move, to be counted; its time is filled in when it is written."""
    return_to: str | None = None
    """Where it is to return to later; None: as before."""
    received_from: str = ""
    """It goes on there from what this node has handed over."""
    wanted_by: str = ""
    """Not empty: somebody started it there, so from now on it is wanted online, and this says by whom."""


class ForgetFailures(msgspec.Struct, frozen=True, tag=True):
    """These failures are older than the failover period and count no more."""

    group: str
    failures: tuple[str, ...]
    why: str = ""
    """The event's words; empty: nothing worth one."""


class ClearMove(msgspec.Struct, frozen=True, tag=True):
    """The wished move cannot or need not be done."""

    group: str
    why: str


class WishMove(msgspec.Struct, frozen=True, tag=True):
    """Have its living owner take the group offline, so that it can go to another node."""

    group: str
    to: str
    why: str
    return_to: str | None = None
    """Where it is to return to later; "": nowhere any more; None: as before."""
    failure: Failure | None = None
    """As with `Assign`."""
    stop: Stop = Stop.SHUTDOWN
    """How it leaves its node."""


class BeginMove(msgspec.Struct, frozen=True, tag=True):
    """It is the turn of a move that an administrator has asked for."""

    group: str


class ForgetReturn(msgspec.Struct, frozen=True, tag=True):
    """It is to return nowhere any more."""

    group: str


class LeaveOff(msgspec.Struct, frozen=True, tag=True):
    """It does not start by itself: from now on it is wanted offline."""

    group: str
    why: str
    released: bool = False
    """Its owner is proven dead, or left in order: nobody owns it any more."""


class ChangeNode(msgspec.Struct, frozen=True, tag=True):
    """Write to the node's record what None does not leave as it was."""

    node: str
    why: str
    """The event's words; empty: nothing worth one."""
    losses: tuple[Mark, ...] | None = None
    fenced: tuple[Mark, ...] | None = None
    quarantined: str | None = None
    spared: str | None = None
    calls_back: bool | None = None


Action = (
    DeclareSilent
    | Fence
    | RecordProof
    | SwitchOn
    | RecordOnAgain
    | Assign
    | ForgetFailures
    | ForgetReturn
    | ClearMove
    | BeginMove
    | WishMove
    | LeaveOff
    | ChangeNode
)


class Waiting(msgspec.Struct, frozen=True):
    """A group that should run and does not, and what it waits for, for people."""

    group: str
    why: str


class Plan(msgspec.Struct, frozen=True):
    """The next steps only; everything is looked at again after each. The empty plan is a good answer."""

    actions: tuple[Action, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    wake_in_s: float | None = None
    """When to decide again although nothing has changed; None: no time matters."""
