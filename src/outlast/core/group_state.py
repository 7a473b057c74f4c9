"""The state of a group, derived from its resources (never set).

As in the original: failed when a resource failed; unknown when one is unknown; pending while one is on its way;
online or offline when all are. (Partly online will come with dependencies.)
"""

from collections.abc import Iterable

from outlast.model.group import Group
from outlast.model.status import GroupStatus, ResourceStatus, State

_ORDER = (State.FAILED, State.UNKNOWN, State.ONLINE_PENDING, State.OFFLINE_PENDING)


def combined(statuses: Iterable[ResourceStatus]) -> ResourceStatus:
    """One status for several resources: the worst of them, with its words."""
    found = list(statuses)
    for state in _ORDER:
        for status in found:
            if status.state is state:
                return status
    if any(status.state is State.ONLINE for status in found):
        offline = [status for status in found if status.state is State.OFFLINE]
        return ResourceStatus(State.ONLINE_PENDING, "part of it is online") if offline else found[0]
    return found[0] if found else ResourceStatus(State.OFFLINE)


def reported(group: Group, status: GroupStatus | None, incarnation: str) -> ResourceStatus | None:
    """What the present owner, in this incarnation, reported at the present epoch; None when it has not yet."""
    if status is None or (status.epoch, status.node, status.incarnation) != (group.epoch, group.owner, incarnation):
        return None
    unknown = ResourceStatus(State.UNKNOWN, "not reported")
    return combined(status.resources.get(name, unknown) for name in group.resources)
