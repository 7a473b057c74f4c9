"""The state of a group, derived from its resources (never set).

As in the original: failed when a resource failed; unknown when one is unknown; pending while one is on its way; online
or offline when all are; partially online when some are, and the others are off on purpose.

A state is for people and for events. Whether a group may be given to another node is another question: a group with one
resource that failed is *failed*, and the rest of it may run. `nothing_runs` answers it.
"""

from collections.abc import Mapping

from outlast.model.group import Group
from outlast.model.status import GroupStatus, ResourceStatus, State

_ORDER = (State.FAILED, State.UNKNOWN, State.ONLINE_PENDING, State.OFFLINE_PENDING)


def combined(statuses: Mapping[str, ResourceStatus]) -> ResourceStatus:
    """One status for several resources, by name: the worst of them, with its words and, of several, its name."""
    for state in _ORDER:
        for name, status in statuses.items():
            if status.state is state:
                return ResourceStatus(state, _words(name, status, statuses))
    offline = [name for name, status in statuses.items() if status.state is State.OFFLINE]
    if len(offline) == 1 < len(statuses):
        (name,) = offline
        return ResourceStatus(State.PARTIAL, _words(name, statuses[name], statuses) or f"{name} is offline")
    if offline and len(offline) < len(statuses):
        return ResourceStatus(State.PARTIAL, f"{', '.join(offline[:-1])} and {offline[-1]} are offline")
    whys = {status.why: _words(name, status, statuses) for name, status in statuses.items() if status.why}
    why = next(iter(whys if len(whys) == 1 else whys.values()), "")
    return ResourceStatus(State.OFFLINE if offline or not statuses else State.ONLINE, why)


def _words(name: str, status: ResourceStatus, among: Mapping[str, ResourceStatus]) -> str:
    return f"{name}: {status.why}" if status.why and len(among) > 1 else status.why


def reported(group: Group, status: GroupStatus | None, incarnation: str) -> ResourceStatus | None:
    """What the present owner, in this incarnation, reported at the present epoch; None when it has not yet."""
    if not _counts(group, status, incarnation):
        return None
    return combined(_each(group, status))


def nothing_runs(group: Group, status: GroupStatus | None, incarnation: str) -> bool:
    """Has the present owner, in this incarnation, reported at the present epoch that none of its resources runs (rules
    1 and 8)? The only word of a living owner on which the group may be given to another node."""
    return _counts(group, status, incarnation) and all(
        one.state in (State.OFFLINE, State.FAILED) for one in _each(group, status).values()
    )


def _counts(group: Group, status: GroupStatus | None, incarnation: str) -> bool:
    mine = (group.epoch, group.owner, incarnation)
    return status is not None and (status.epoch, status.node, status.incarnation) == mine


def _each(group: Group, status: GroupStatus | None) -> dict[str, ResourceStatus]:
    """Every resource of the group: one that the report does not name is unknown, and never off."""
    unknown = ResourceStatus(State.UNKNOWN, "not reported")
    known = status.resources if status is not None else {}
    return {name: known.get(name, unknown) for name in group.resources}
