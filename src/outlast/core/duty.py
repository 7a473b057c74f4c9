"""What must this node do with the resources of a group? From the group's record alone.

Whether the node may run anything at all (its session, its permit) is a question of its own: `core/membership.py`.
"""

import enum

from outlast.model.group import Group, Stop, Wanted


class Duty(enum.Enum):
    RUN = "run"
    SHUT_DOWN = "shut down"
    TURN_OFF = "turn off"
    LEAVE = "leave"
    """Not ours: whatever of it is here is terminated, and nothing is left behind."""


def duty(group: Group, me: str) -> Duty:
    if group.owner != me:
        return Duty.LEAVE
    if group.wanted is Wanted.ONLINE and group.move_to in ("", me):
        return Duty.RUN
    return Duty.TURN_OFF if group.stop is Stop.TURN_OFF else Duty.SHUT_DOWN
