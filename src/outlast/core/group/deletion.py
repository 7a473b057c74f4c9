"""What keeps a group or a resource from being deleted? What others need stays, and so does what runs, or may: nobody
would look after it any more, and it could be made anew and started a second time (rules 1 and 8).
"""

from collections.abc import Collection, Iterable

from outlast.core.group import dependencies, start_after
from outlast.model.group import Group, Resource
from outlast.model.status import State
from outlast.model.view import ClusterView

VM = "vm"
_OFF = (State.OFFLINE, State.FAILED)


def why_not_group(group: Group, view: ClusterView, *, with_resources: bool) -> str:
    """For people; "" when it can be deleted. `with_resources`: together with what is in it."""
    if group.resources and not with_resources:
        return (
            f"it has {', '.join(group.resources)}; delete them first, or say --with-resources to delete them together "
            "with it"
        )
    needed = why_needed(group, view)
    if needed:
        return needed
    vms = [name for name in group.resources if _is_vm(name, view)]
    if vms:
        return _not_a_vm(vms[0])
    return may_run(group, group.resources, view)


def why_needed(group: Group, view: ClusterView) -> str:
    """By whom, for people; "" when nothing names it."""
    after = start_after.those_after(group.name, view.groups)
    if after:
        change = f"`outlast group set {after[0]} start_after=...`"
        return f"{_and(after)} {'starts' if len(after) == 1 else 'start'} after it; change that first: {change}"
    rules = sorted(rule.name for rule in view.rules.values() if group.name in rule.groups)
    if rules:
        which = f"the {'rule' if len(rules) == 1 else 'rules'} {_and(rules)} {'is' if len(rules) == 1 else 'are'}"
        return f"{which} about it; `outlast rule delete {rules[0]}` comes first"
    return ""


def why_not_resource(resource: Resource, view: ClusterView) -> str:
    if resource.type == VM:
        return _not_a_vm(resource.name)
    needed_by = those_that_need(resource.name, view.resources.values())
    if needed_by:
        change = f"`outlast resource set {needed_by[0]} depends_on=...`"
        return f"{_and(needed_by)} {'needs' if len(needed_by) == 1 else 'need'} it; change that first: {change}"
    group = view.groups.get(resource.group)
    return may_run(group, (resource.name,), view) if group is not None else ""


def those_that_need(name: str, resources: Iterable[Resource]) -> tuple[str, ...]:
    """Resources that name this one in what they depend on."""
    return tuple(sorted(one.name for one in resources if name in dependencies.names(one.depends_on)))


def may_run(group: Group, resources: Collection[str], view: ClusterView) -> str:
    """Why these resources of the group may run somewhere; "" when it is certain that they do not."""
    owner = group.owner
    if not owner or not resources:
        return ""
    silence = view.silences.get(owner)
    if silence is not None and silence.proof is not None:
        return ""
    if silence is not None or owner in view.observed.silent_s:
        return (
            f"{owner}, which owns it, is silent and may still run it. Wait until its death is proven, or make sure "
            f"that it is off, then `outlast node confirm-down {owner}`"
        )
    session = view.sessions.get(owner)
    if session is None:
        return ""
    status = view.statuses.get(group.name)
    mine = (group.epoch, owner, session.incarnation)
    if status is None or (status.epoch, status.node, status.incarnation) != mine:
        return f"{owner} has not said yet whether it runs; try again"
    for name in resources:
        state = status.resources[name].state if name in status.resources else State.UNKNOWN
        if state not in _OFF:
            noun = "group" if len(resources) == len(group.resources) else "resource"
            what = group.name if noun == "group" else name
            return f"{name} is {state.value} on {owner}; first: `outlast {noun} offline {what}`"
    return ""


def _is_vm(name: str, view: ClusterView) -> bool:
    return name in view.resources and view.resources[name].type == VM


def _not_a_vm(name: str) -> str:
    return f"{name} is a VM, which stays as it is when it is let go: `outlast vm unprotect {name}`"


def _and(names: Collection[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
