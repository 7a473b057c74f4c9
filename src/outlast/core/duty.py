"""What must this node do next with a resource of a group? From the group's record and what is here.

Whether the node may run anything at all (its session, its permit) is a question of its own: `core/membership.py`.

A report that nothing runs is a promise: the coordinator may give the group away because of it. So an owner that has
reported *offline* or *failed* at an epoch starts nothing at that epoch before it has taken the report back in the
database (ANNOUNCE), where that and the coordinator's decision exclude one another (rule 1).
"""

import enum

import msgspec

from outlast.core.resource import S, runs_nothing
from outlast.model.group import Group, Stop, Wanted


class Duty(enum.Enum):
    RUN = "run"
    SHUT_DOWN = "shut down"
    TURN_OFF = "turn off"
    LEAVE = "leave"
    """Not ours: whatever of it is here is terminated, and nothing is left behind."""


class Step(enum.Enum):
    NOTHING = "nothing"
    ANNOUNCE = "announce"
    """Report that it is about to be brought online; start it when that stands in the database."""
    ONLINE = "online"
    OFFLINE = "offline"
    TERMINATE = "terminate"
    FORGET = "forget"


class Here(msgspec.Struct, frozen=True):
    """A resource as it stands on this node."""

    state: S
    failed_epoch: int = -1
    """At which epoch it failed here last."""
    promised: bool = False
    """A report of this node that nothing of it runs stands in the database, at the present epoch."""
    switched_off: bool = False
    """Somebody switched it off on purpose, and the group's record does not know it yet."""
    switched_on: bool = False


def duty(group: Group, me: str) -> Duty:
    if group.owner != me:
        return Duty.LEAVE
    if group.wanted is Wanted.ONLINE and group.move_to in ("", me):
        return Duty.RUN
    return Duty.TURN_OFF if group.stop is Stop.TURN_OFF else Duty.SHUT_DOWN


def next_step(group: Group, me: str, here: Here, *, hold: bool = False) -> Step:
    """`hold`: nobody has confirmed yet who owns what (`core/backup.py`), so nothing is started or stopped."""
    if hold:
        return Step.NOTHING
    match duty(group, me):
        case Duty.RUN:
            return _towards_online(group, here)
        case Duty.LEAVE:
            return Step.FORGET if runs_nothing(here.state) else Step.TERMINATE
        case how:
            if here.switched_on and group.wanted is Wanted.OFFLINE:
                return Step.NOTHING  # its new intent is about to be written down
            return Step.OFFLINE if how is Duty.SHUT_DOWN else Step.TERMINATE


def _towards_online(group: Group, here: Here) -> Step:
    if here.switched_off:
        return Step.NOTHING  # likewise
    failed_before = here.state is S.FAILED and group.epoch > here.failed_epoch
    if here.state is not S.OFFLINE and not failed_before:
        return Step.NOTHING
    return Step.ANNOUNCE if here.promised else Step.ONLINE
