"""What would become of a resource that failed now?

The words for `resource fail --what-if`: first what its node would do, then what the coordinator would decide, by having
it decide on a view in which it has failed.
"""

import msgspec

from outlast.core.coordinator.failover import decide
from outlast.core.group.intent import would_go_with
from outlast.model.group import Group, Resource
from outlast.model.plan import Assign, WishMove
from outlast.model.policy import RestartAction
from outlast.model.status import GroupStatus, ResourceStatus, State
from outlast.model.view import ClusterView


class Fate(msgspec.Struct, frozen=True):
    words: str
    to: str = ""
    """The node that its group would be on then; empty: it stays."""


def of_failure(resource: Resource, group: Group, view: ClusterView) -> Fate:
    here = f"{resource.name} would be terminated on {group.owner}"
    others = would_go_with(resource.name, group, view.resources)
    if others:
        here += f", and {', '.join(others)} would go offline, needing it"
    restarts = resource.restart_threshold if resource.restart_action is not RestartAction.NOTHING else 0
    if restarts:
        times = "once" if restarts == 1 else f"up to {restarts} times"
        here += f"; it would be restarted there, {times} within {resource.restart_period_s:g} s"
    if resource.restart_action is not RestartAction.FAILOVER:
        return Fate(f"{here}; {'after that ' if restarts else ''}it would stay failed there")
    fate = _decided(resource, group, view)
    return Fate(f"{here}; {'after that ' if restarts else ''}{fate.words}", "" if restarts else fate.to)


def _decided(resource: Resource, group: Group, view: ClusterView) -> Fate:
    plan = decide(_failed(resource, group, view))
    for action in plan.actions:
        if isinstance(action, Assign) and action.group == group.name:
            again = action.owner == group.owner
            words = f"{group.name} would be started {'there again' if again else f'on {action.owner}'}"
            return Fate(words, "" if again else action.owner)
        if isinstance(action, WishMove) and action.group == group.name:
            return Fate(f"all of {group.name} would move to {action.to}", action.to)
    waits = next((one.why for one in plan.waiting if one.group == group.name), "")
    return Fate("it would stay failed there" + (f", waiting for {waits}" if waits else ""))


def _failed(resource: Resource, group: Group, view: ClusterView) -> ClusterView:
    """As the cluster would see it when nothing of the resource runs any more."""
    session = view.sessions.get(group.owner)
    known = view.statuses.get(group.name)
    told = known.resources if known is not None else {}
    status = GroupStatus(
        group.name,
        group.owner,
        session.incarnation if session is not None else "",
        group.epoch,
        {**told, resource.name: ResourceStatus(State.FAILED, "it failed")},
    )
    return msgspec.structs.replace(view, statuses={**view.statuses, group.name: status})
