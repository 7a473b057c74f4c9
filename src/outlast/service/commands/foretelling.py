"""What would a word about a group or a resource do? The answers of `--what-if`, refused where the word would be."""

import enum

import msgspec

from outlast.core.foresight.foretelling import of_failure
from outlast.core.placement import placement
from outlast.core.placement.placed import Placed
from outlast.model.answers import Foretold
from outlast.model.group import Group, Resource, Stop, Wanted
from outlast.model.status import State
from outlast.service.commands import groups, resources
from outlast.service.commands.admitting import admitted
from outlast.service.commands.context import Command, CommandError, Context
from outlast.service.commands.resource_settings import need
from outlast.service.commands.rows import Rows

NOTHING_CHANGES = "nothing would change"


class GroupVerb(enum.Enum):
    ONLINE = "online"
    OFFLINE = "offline"
    MOVE = "move"


class ResourceVerb(enum.Enum):
    ONLINE = "online"
    OFFLINE = "offline"
    FAIL = "fail"


class WouldGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    verb: GroupVerb
    to: str = ""
    stop: Stop | None = None
    ignore_lock: bool = False


class WouldResource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    verb: ResourceVerb
    stop: Stop = Stop.SHUTDOWN


async def of_group(context: Context, want: WouldGroup) -> Foretold:
    group = context.group(want.name)
    match want.verb:
        case GroupVerb.ONLINE:
            return _online(context, group)
        case GroupVerb.OFFLINE:
            return _offline(context, group, groups.going_off_by(context, group, want.stop))
        case GroupVerb.MOVE:
            move = groups.Move(group.name, want.to, want.stop, want.ignore_lock)
            to = groups.target(context, group, move)
            how = f", {_MOVED[groups.leaving(context, group, move, to)]}" if group.owner else ""
            return Foretold(group.name, f"{group.name} would move from {group.owner or 'no node'} to {to}{how}", to)


async def of_resource(context: Context, want: WouldResource) -> Foretold:
    resource = need(context, want.name)
    group = context.group(resource.group)
    match want.verb:
        case ResourceVerb.ONLINE:
            return _resource_online(context, resource, group)
        case ResourceVerb.OFFLINE:
            return _resource_offline(context, resource, group, want.stop)
        case ResourceVerb.FAIL:
            resources.refuse_to_fail(context, resource, group)
            fate = of_failure(resource, group, context.view())
            return Foretold(resource.name, fate.words, fate.to)


def _online(context: Context, group: Group) -> Foretold:
    name, view = group.name, context.view()
    if Rows(view).group_status(group).state is State.ONLINE and group.wanted is Wanted.ONLINE:
        return Foretold(name, f"{name} is online on {group.owner} already: {NOTHING_CHANGES}")
    wanted = msgspec.structs.replace(group, wanted=Wanted.ONLINE)
    warning = admitted(context, group)
    waits = "".join(f", after {one.group}" for one in group.start_after) + (f"; {warning}" if warning else "")
    placed = Placed(view)
    if group.owner and not placement.why_not(wanted, group.owner, placed, here=group.owner):
        return Foretold(name, f"{name} would be brought online on {group.owner}, its owner{waits}", group.owner)
    found = placement.candidates(wanted, placed)
    if not found.nodes:
        reasons = "; ".join(f"{node}: {why}" for node, why in sorted(found.refused.items()))
        raise CommandError("impossible", f"no node could bring {name} online now: {reasons}")
    return Foretold(name, f"{name} would be brought online on {found.nodes[0]}{waits}", found.nodes[0])


def _offline(context: Context, group: Group, stop: Stop) -> Foretold:
    groups.refuse_on_hold(context, f"{group.name} cannot be taken offline")
    if group.wanted is Wanted.OFFLINE and Rows(context.view()).group_status(group).state is State.OFFLINE:
        return Foretold(group.name, f"{group.name} is offline already: {NOTHING_CHANGES}")
    return Foretold(group.name, f"{group.name} would be {_how(stop)} on {group.owner or 'no node'}")


_MOVED = {
    Stop.LIVE: "as it runs (live migration)",
    Stop.SHUTDOWN: "shut down here and started there",
    Stop.TURN_OFF: "turned off here and started there",
    Stop.SAVE: "saved here and taken up there",
}


def _how(stop: Stop) -> str:
    return "turned off at once" if stop is Stop.TURN_OFF else groups.HOW[stop]


def _resource_online(context: Context, resource: Resource, group: Group) -> Foretold:
    resources.refuse_to_bring_online(context, resource, group)
    if group.wanted is Wanted.OFFLINE:  # it is all of its group
        return msgspec.structs.replace(_online(context, group), about=resource.name)
    now = Rows(context.view()).resource(resource)
    if now.state == State.ONLINE.value:
        return Foretold(resource.name, f"{resource.name} is online on {group.owner} already: {NOTHING_CHANGES}")
    switched_on = msgspec.structs.replace(resource, wanted=Wanted.ONLINE)
    warning = admitted(context, group, [switched_on], about=resource.name)
    resources.refuse_without_room(context, resource, group)
    words = f"{resource.name} would be brought online on {group.owner or 'no node'}"
    return Foretold(resource.name, words + (f"; {warning}" if warning else ""))


def _resource_offline(context: Context, resource: Resource, group: Group, stop: Stop) -> Foretold:
    if len(group.resources) == 1:
        stop = groups.going_off_by(context, group, stop)
        return msgspec.structs.replace(_offline(context, group, stop), about=resource.name)
    groups.refuse_on_hold(context, f"{resource.name} cannot be taken offline")
    resources.refuse_live(resource, stop)
    if resource.wanted is Wanted.OFFLINE:
        return Foretold(resource.name, f"{resource.name} is wanted offline already: {NOTHING_CHANGES}")
    others = resources.with_it(context, resource, group)
    return Foretold(resource.name, f"{resource.name} would be {_how(stop)} on {group.owner or 'no node'}{others}")


COMMANDS: dict[str, Command] = {
    "group.would": (WouldGroup, of_group),
    "resource.would": (WouldResource, of_resource),
}
