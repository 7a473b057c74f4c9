"""What does it mean that the cluster is not armed?

`cluster set armed=no` is for maintenance of the whole: nothing is fenced, moved or restarted by the cluster, whatever
happens. What is said to it is written down all the same, and what a node does for its own safety it does all the same:
one that cannot renew its session stops what it runs (rule 3), for it cannot know whether the cluster was armed again
meanwhile, and whether what counts as proof of its death has come about since.
"""

from collections.abc import Iterator

from outlast.core.group.group_state import reported
from outlast.core.placement import placement
from outlast.model.group import AWAY, Group, Wanted
from outlast.model.plan import Waiting
from outlast.model.settings import Settings
from outlast.model.status import State
from outlast.model.view import ClusterView

MEANS = "nothing is fenced, moved or restarted by it"
ENDS = "`outlast cluster set armed=yes` ends that"
ARMED = "the cluster to be armed again (`outlast cluster set armed=yes`)"


def notice(settings: Settings) -> str:
    """What everybody who asks for anything is told; "" while it is armed."""
    return "" if settings.armed else f"The cluster is not armed: {MEANS}; {ENDS}"


def alarms(view: ClusterView) -> list[str]:
    """The notice, and whom it concerns already."""
    if view.settings.armed:
        return []
    wanted = [group for group in view.groups.values() if group.wanted is Wanted.ONLINE]
    left = []
    for node in sorted({*view.silences, *view.observed.silent_s}):
        names = sorted(group.name for group in wanted if group.owner == node)
        if names:
            left.append(
                f"{node} is silent, and {', '.join(names)} {'is' if len(names) == 1 else 'are'} started nowhere else"
            )
    return [f"{notice(view.settings)}. {'; '.join(left)}" if left else notice(view.settings)]


def waiting(view: ClusterView) -> Iterator[Waiting]:
    """What would be done about something if the cluster were armed: all that is decided while it is not."""
    for group in placement.in_order(view):
        why = _held_up(group, view) if group.wanted is Wanted.ONLINE else ""
        if why:
            yield Waiting(group.name, f"{ARMED}: {why}")


def _held_up(group: Group, view: ClusterView) -> str:
    owner = group.owner
    if not owner:
        return "it has no owner"
    if owner in view.silences or owner in view.observed.silent_s:
        return f"{owner} is silent"
    session = view.sessions.get(owner)
    if session is None:
        return f"{owner} left the cluster"
    if group.move_to and group.move_to != owner:
        return f"it is to move to {group.move_to}" if group.move_to != AWAY else f"it is to leave {owner}"
    status = reported(group, view.statuses.get(group.name), session.incarnation)
    return f"it failed on {owner}: {status.why}" if status is not None and status.state is State.FAILED else ""
