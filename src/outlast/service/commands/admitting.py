"""Is there room for what is to run? Asked before a word is written down that would start something."""

from collections.abc import Iterable, Sequence

import msgspec

from outlast.core.group import intent
from outlast.core.placement import placement
from outlast.core.placement.admission import admit, judge_change
from outlast.core.placement.growth import why_no_room
from outlast.core.placement.placed import Placed, is_off
from outlast.model.group import AWAY, Group, Resource, Wanted
from outlast.model.view import ClusterView
from outlast.service.commands.context import CommandError, Context


def admitted(context: Context, group: Group, resources: Iterable[Resource] = (), *, about: str = "") -> str:
    """What is to be said of the promise to survive lost nodes when this group runs; "" when it holds. Raises
    `CommandError` when what breaks it is to be refused. `resources`: those of the group as they are to be. `about`:
    what is to be brought online, if not the group."""
    found = admit(context.view(), group, resources)
    if found.refused:
        raise CommandError("impossible", f"{about or group.name} cannot be brought online: {found.refused}")
    return found.warning


def allowed(now: ClusterView, then: ClusterView, what: str) -> str:
    """The same, of a change that starts nothing by itself. `what`: "vm1 cannot be changed"."""
    found = judge_change(now, then)
    if found.refused:
        raise CommandError("impossible", f"{what}: {found.refused}")
    return found.warning


def promised(context: Context, group: Group, resources: Iterable[Resource] = ()) -> str:
    """The same, of what runs already: refusing to look after it would free no memory."""
    found = admit(context.view(), group, resources)
    return found.refused or found.warning


def without_room(context: Context, group: Group, resources: Iterable[Resource]) -> str:
    """Why the owner of this new group has no room for it; "" when it has."""
    placed = Placed(_with(context.view(), resources))
    return placed.lacks(group, group.owner) or placed.judge(group).forbids(group.owner)


def outgrown(context: Context, group: Group, resource: Resource) -> str:
    """Why there is no room where the group is for this resource of it as it is to be, and what to do; "" when there is,
    or when nothing of the group is to run."""
    view = context.view()
    return why_no_room(group, Placed(view), Placed(_with(view, [resource])))


def node_with_room(context: Context, group: Group, resources: Sequence[Resource] = ()) -> str:
    """Where to start a group that is off, when its own node cannot take it: its owner starts what is wanted online
    without asking anybody. "": where it is, or the coordinator sees to it. Raises `CommandError` if none has room, or
    if where it runs there is none for what is to run of it besides: `resources`, as they are to be."""
    view = context.view()
    placed = Placed(_with(view, resources))
    if group.owner not in placed.members:
        return group.move_to  # it has no living owner
    if placed.nodes(group.name) and not _is_idle(group, view):
        for resource in resources:
            why = outgrown(context, group, resource)
            if why:
                raise CommandError("impossible", f"{resource.name} cannot be brought online: {why}")
        return group.move_to
    wanted = msgspec.structs.replace(group, wanted=Wanted.ONLINE)
    if group.move_to not in ("", AWAY, group.owner) and not placement.why_not(wanted, group.move_to, placed):
        return group.move_to  # whoever moves it and starts it wants both
    problem = placed.lacks(wanted, group.owner) or placed.judge(wanted).forbids(group.owner)
    if not problem:
        return ""
    found = placement.candidates(wanted, placed)
    others = [name for name in found.nodes if name != group.owner]
    if others and not group.locked:
        return others[0]
    reasons = [f"{name}: {why}" for name, why in sorted(found.refused.items()) if name != group.owner]
    if group.locked:
        reasons = [f"and it is locked: {group.locked}"]
    words = "; ".join([f"{group.owner}: {problem}", *reasons])
    raise CommandError("impossible", f"{group.name} cannot be brought online now: {words}")


def _with(view: ClusterView, resources: Iterable[Resource]) -> ClusterView:
    known = {**view.resources, **{resource.name: resource for resource in resources}}
    return msgspec.structs.replace(view, resources=known)


def _is_idle(group: Group, view: ClusterView) -> bool:
    """It is wanted online, and nothing of it is to run or runs."""
    return not intent.to_be_online(group, view.resources) and is_off(group, view)
