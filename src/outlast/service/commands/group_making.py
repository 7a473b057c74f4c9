"""Groups: making and deleting them. A VM's group comes and goes with `vm protect` and `vm unprotect`."""

from collections.abc import Mapping

import msgspec

from outlast.core.group import naming
from outlast.core.group.deletion import why_not_group
from outlast.model import keys
from outlast.model.answers import Foretold, GroupRow
from outlast.model.group import Group, Wanted
from outlast.model.health import Json
from outlast.ports.database import Compare, Delete, Write
from outlast.service.commands.context import Command, CommandError, Context
from outlast.service.commands.group_settings import changed, refuse_order
from outlast.service.commands.groups import row_of
from outlast.service.commands.resource_making import all_that_it_rests_on
from outlast.service.commands.rows import Rows
from outlast.service.store import put


class Create(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: Mapping[str, Json] = msgspec.field(default_factory=dict)
    what_if: bool = False


class DeleteGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    with_resources: bool = False
    what_if: bool = False


async def create(context: Context, want: Create) -> GroupRow:
    """Empty, and wanted offline: it is brought online when all that belongs to it is there."""
    record = Group(
        name=want.name, resources=(), wanted=Wanted.OFFLINE, wanted_by=context.by, **changed(context, want.values)
    )
    _refuse_name(context, want.name)
    refuse_order(context, record)
    if want.what_if:
        view = context.view()
        return Rows(msgspec.structs.replace(view, groups={**view.groups, record.name: record})).group(record)

    def make() -> tuple[list[Compare], list[Write]]:
        _refuse_name(context, want.name)
        refuse_order(context, record)
        event = context.journal.event("group-changed", f"{want.name} was created by {context.by}", group=want.name)
        key = keys.GROUPS + want.name
        return [Compare(key, 0)], [put(key, record), event]

    await context.write(make)
    return row_of(context, want.name)


async def delete(context: Context, want: DeleteGroup) -> Foretold:
    group = context.group(want.name)
    _refuse(context, group, with_resources=want.with_resources)
    with_what = f", with {', '.join(group.resources)}" if group.resources else ""
    if want.what_if:
        return Foretold(group.name, f"{group.name} would be deleted{with_what}")

    def make() -> tuple[list[Compare], list[Write]]:
        present = context.group(group.name)
        _refuse(context, present, with_resources=want.with_resources)
        if present.resources != group.resources:
            raise CommandError("impossible", f"{group.name} was changed meanwhile; look at it, and try again")
        parts = [key + name for name in group.resources for key in (keys.RESOURCES, keys.DEFINITIONS)]
        words = f"{group.name} was deleted{with_what}: {context.by}"
        event = context.journal.event("group-changed", words, group=group.name)
        deletes = [Delete(key) for key in (keys.GROUPS + group.name, keys.STATUS + group.name, *parts)]
        return all_that_it_rests_on(context, present), [*deletes, event]

    await context.write(make)
    return Foretold(group.name, f"{group.name} was deleted{with_what}", what_if=False)


def _refuse(context: Context, group: Group, *, with_resources: bool) -> None:
    problem = why_not_group(group, context.view(), with_resources=with_resources)
    if problem:
        raise CommandError("impossible", f"cannot delete the group {group.name}: {problem}")


def _refuse_name(context: Context, name: str) -> None:
    problem = naming.why_not(name)
    if not problem and name in context.store.groups:
        problem = "there is one already"
    if not problem and name in context.store.resources:
        of = context.store.resources[name].group
        problem = f"{name} is a resource of the group {of}, and commands take either name for a group"
    if problem:
        raise CommandError("usage", f'cannot create a group "{name}": {problem}')


COMMANDS: dict[str, Command] = {
    "group.create": (Create, create),
    "group.delete": (DeleteGroup, delete),
}
