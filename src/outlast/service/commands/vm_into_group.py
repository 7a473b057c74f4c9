"""A VM joins a group that is there, beside its other resources: an address, a share, another VM.

It is then one resource of that group among others: it moves with it, and starts and stops in the order of what needs
what. What runs already must run where its group is, because nothing of it may be stopped to take it in.
"""

from collections.abc import Callable

import msgspec

from outlast.core.group import dependencies, naming
from outlast.model import keys
from outlast.model.group import Definition, Group, Resource, Wanted
from outlast.ports.database import Compare, Write
from outlast.service.commands.admitting import admitted, promised
from outlast.service.commands.context import CommandError, Context
from outlast.service.commands.resource_settings import refuse_dependencies
from outlast.service.commands.rows import Rows
from outlast.service.store import put


def refuse_contradictions(context: Context, group: str, depends_on: str, *, of_a_group: bool) -> None:
    """Before anything is asked of the nodes. `of_a_group`: something is asked for that is a group's to have."""
    if group and of_a_group:
        words = f"owners and failovers are those of the group it joins: `outlast group set {group} ...`"
        raise CommandError("usage", f"cannot protect it so: {words}")
    if depends_on and not group:
        words = "what is alone in a group of its own depends on nothing; say with --group which one it joins"
        raise CommandError("usage", f"cannot protect it so: {words}")
    if group and group not in context.store.groups:
        raise CommandError("usage", f'there is no group "{group}"; first: `outlast group create {group}`')


def admit(context: Context, record: Resource, *, runs_here: bool) -> tuple[Group, str]:
    """The group, and what is to be said of the promise to survive lost nodes with it. Raises `CommandError`."""
    group = _refuse(context, record, runs_here=runs_here)
    if Wanted.OFFLINE in (group.wanted, record.wanted):
        return group, ""
    joined = _joined(group, record)
    return group, promised(context, joined, [record]) if runs_here else admitted(context, joined, [record])


async def join(
    context: Context, record: Resource, definition: str, refuse: Callable[[], None], *, runs_here: bool
) -> None:
    """`refuse`: what else could be wrong by then."""

    def make() -> tuple[list[Compare], list[Write]]:
        refuse()
        group = _refuse(context, record, runs_here=runs_here)
        words = f"{record.name} is protected by {context.by}, as a resource of {group.name}"
        writes: list[Write] = [
            put(keys.DEFINITIONS + record.name, Definition(record.name, definition)),
            put(keys.RESOURCES + record.name, record),
            put(keys.GROUPS + group.name, _joined(group, record)),
            context.journal.event("group-changed", words, group=group.name),
        ]
        return [Compare(keys.RESOURCES + record.name, 0), *context.store.unchanged(keys.GROUPS + group.name)], writes

    await context.write(make)


def _refuse(context: Context, record: Resource, *, runs_here: bool) -> Group:
    group, me, what = context.group(record.group), context.store.me, f'"{record.name}" cannot join {record.group}'
    problem = naming.why_not(record.name) or dependencies.problem(record, context.store.resources)
    if problem:
        raise CommandError("usage", f"{what}: {problem}")
    refuse_dependencies(context, record)
    if not runs_here:
        return group
    if group.owner != me or group.move_to not in ("", me):
        where = f"on its way to {group.move_to}" if group.move_to else f"on {group.owner or 'no node'}"
        first = f"first: `outlast group move {group.name} --to {me}`, or shut it down"
        raise CommandError("impossible", f"{what}: it runs on {me}, and {group.name} is {where}; {first}")
    if group.wanted is Wanted.OFFLINE:
        state = Rows(context.view()).group_status(group).state.value
        words = f"it runs, and {group.name} is wanted offline (it is {state}): it would be shut down with it"
        raise CommandError("impossible", f"{what}: {words}; first: `outlast group online {group.name}`")
    return group


def _joined(group: Group, record: Resource) -> Group:
    return msgspec.structs.replace(group, resources=(*group.resources, record.name))
