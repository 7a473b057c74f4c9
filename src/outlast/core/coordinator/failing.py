"""Which failures of a group move it to another node while its owner lives?

Only those of resources whose `restart_action` is failover: the others stay failed where they are, and so do those that
need them. Nothing that is in maintenance moves anything, nor is it moved. And when some of a group still runs, moving
it has a price: everything of it is taken offline first, so it moves only when another node can take it.
"""

from collections.abc import Mapping

from outlast.model.group import Group, Resource, Wanted
from outlast.model.policy import RestartAction
from outlast.model.status import GroupStatus, ResourceStatus, State
from outlast.model.view import ClusterView

_GONE = Resource("", "", "")
"""What stands for a resource without a record: it has the defaults."""


def in_maintenance(group: Group, resources: Mapping[str, Resource]) -> str:
    """Why the coordinator leaves it where it is while its node is not proven dead, for people; "" when it does not. A
    resource moves with its group, so the maintenance of one keeps all of them here."""
    if group.maintenance:
        return group.maintenance
    for name in group.resources:
        resource = resources.get(name)
        if resource is not None and resource.maintenance:
            return f"{name}: {resource.maintenance}" if len(group.resources) > 1 else resource.maintenance
    return ""


def failed(group: Group, status: GroupStatus) -> dict[str, ResourceStatus]:
    """Its resources that failed, in the group's order."""
    known = status.resources
    return {name: known[name] for name in group.resources if name in known and known[name].state is State.FAILED}


def mover(group: Group, status: GroupStatus, view: ClusterView) -> str:
    """The first resource whose failure is to move the group; "" when there is none."""
    for name in failed(group, status):
        resource = view.resources.get(name, _GONE)
        if resource.restart_action is RestartAction.FAILOVER and resource.wanted is Wanted.ONLINE:
            return name
    return ""


def why_it_stays(group: Group, status: GroupStatus, view: ClusterView) -> str:
    """What a group that failed waits for when no failover is due, for people; "" when one is."""
    kept = in_maintenance(group, view.resources)
    if kept:
        return f"the end of its maintenance: {kept}"
    if mover(group, status, view):
        return ""
    name, one = next(iter(failed(group, status).items()))
    action = view.resources.get(name, _GONE).restart_action.value
    which = name if len(group.resources) > 1 else "it"
    return (
        f"an administrator: {which} failed and stays here, since its restart_action is {action}; "
        f"`outlast resource online {name}` tries again (last failure: {one.why})"
    )


def words(group: Group, status: GroupStatus, view: ClusterView) -> str:
    """What failed and why, for people."""
    name = mover(group, status, view)
    why = status.resources[name].why
    return why if len(group.resources) == 1 else f"{name}: {why}"
