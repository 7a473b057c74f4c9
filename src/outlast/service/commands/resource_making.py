"""Resources: making one in a group, and deleting it. VMs are taken in and let go by `vm protect` and `vm unprotect`."""

from collections.abc import Mapping

import msgspec

from outlast.core.group import naming
from outlast.core.group.deletion import VM, why_not_resource
from outlast.core.placement import placement
from outlast.core.placement.placed import Placed
from outlast.model import keys
from outlast.model.answers import Foretold, ResourceCreated
from outlast.model.group import Definition, Group, Resource, Wanted
from outlast.model.health import Json
from outlast.model.view import ClusterView
from outlast.ports.database import Compare, Delete, Write
from outlast.service.commands.admitting import admitted
from outlast.service.commands.context import Command, CommandError, Context
from outlast.service.commands.properties import checked
from outlast.service.commands.resource_settings import changed, need, refuse_dependencies
from outlast.service.commands.rows import Rows
from outlast.service.store import put


class Create(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    type: str
    group: str
    values: Mapping[str, Json] = msgspec.field(default_factory=dict)
    properties: Mapping[str, Json] = msgspec.field(default_factory=dict)
    """In its type's own words."""
    definition: str = ""
    start: bool = True
    """Wanted online, within a group that is."""
    what_if: bool = False


class DeleteResource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    what_if: bool = False


async def create(context: Context, want: Create) -> ResourceCreated:
    record = Resource(
        name=want.name,
        type=want.type,
        group=_need_group(context, want.group).name,
        identity=want.name,
        properties=want.properties,
        wanted=Wanted.ONLINE if want.start else Wanted.OFFLINE,
        **changed(want.values, want.type),
    )
    nodes = _refuse(context, record)
    nodes = {**nodes, **await checked(context, record, want.definition)}
    view, group = _with(context, record)
    if nodes.get(group.owner):
        words = f"{group.owner}, which owns {group.name}, could not run it: {nodes[group.owner]}"
        raise CommandError("impossible", f'cannot create a resource "{record.name}": {words}')
    runs = group.wanted is Wanted.ONLINE and want.start
    warning = admitted(context, group, [record]) if runs else ""
    if want.what_if:
        return ResourceCreated(Rows(view).resource(record), False, nodes, warning)

    def make() -> tuple[list[Compare], list[Write]]:
        _refuse(context, record)
        group = context.store.groups[record.group]
        words = f"{record.name} ({record.type}) was created in {group.name} by {context.by}"
        writes: list[Write] = [
            put(keys.DEFINITIONS + record.name, Definition(record.name, want.definition)),
            put(keys.RESOURCES + record.name, record),
            put(keys.GROUPS + group.name, _joined(group, record)),
            context.journal.event("group-changed", words, group=group.name),
        ]
        return [Compare(keys.RESOURCES + record.name, 0), *context.store.unchanged(keys.GROUPS + group.name)], writes

    await context.write(make)
    return ResourceCreated(Rows(context.view()).resource(need(context, want.name)), True, nodes, warning)


def _refuse(context: Context, record: Resource) -> Mapping[str, str]:
    """Whatever could be wrong with it. Returns, by node, why it could not take the group with it; "" where it could."""
    problem = _not_named_so(context, record)
    if problem:
        raise CommandError("usage", f'cannot create a resource "{record.name}": {problem}')
    refuse_dependencies(context, record)
    view, group = _with(context, record)
    known = sorted({offer.type for session in view.sessions.values() for offer in session.offers})
    if record.type not in known:
        words = f'no node has a plugin for "{record.type}"; there are: {", ".join(known) or "none"}'
        raise CommandError("usage", f'cannot create a resource "{record.name}": {words}')
    placed = Placed(view)
    nodes = {name: placement.why_not(group, name, placed, here=group.owner) for name in sorted(view.nodes)}
    if nodes.get(group.owner):
        words = f"{group.owner}, which owns {group.name}, could not run it: {nodes[group.owner]}"
        raise CommandError("impossible", f'cannot create a resource "{record.name}": {words}')
    if nodes and all(nodes.values()):
        words = "; ".join(f"{name}: {why}" for name, why in nodes.items())
        raise CommandError("impossible", f'cannot create a resource "{record.name}": no node could run it: {words}')
    return nodes


def _not_named_so(context: Context, record: Resource) -> str:
    if record.type == VM:
        return "a VM is taken in with its disks checked on every node: `outlast vm protect`"
    if record.name in context.store.resources:
        return f"there is one already, in the group {context.store.resources[record.name].group}"
    if record.name in context.store.groups and record.name != record.group:
        return f"{record.name} is another group, and commands take either name for a group"
    return naming.why_not(record.name)


def _need_group(context: Context, name: str) -> Group:
    """By its own name: here a resource's name would be taken for a new group's."""
    if name not in context.store.groups and name not in context.store.resources:
        raise CommandError("usage", f'there is no group "{name}"; first: `outlast group create {name}`')
    return context.group(name)


def _with(context: Context, record: Resource) -> tuple[ClusterView, Group]:
    """As it would be with this resource in its group. Raises `CommandError` when that has been deleted meanwhile."""
    group, view = _joined(_need_group(context, record.group), record), context.view()
    resources = {**view.resources, record.name: record}
    return msgspec.structs.replace(view, groups={**view.groups, group.name: group}, resources=resources), group


def _joined(group: Group, record: Resource) -> Group:
    return msgspec.structs.replace(group, resources=(*group.resources, record.name))


async def delete(context: Context, want: DeleteResource) -> Foretold:
    resource = need(context, want.name)
    _refuse_to_delete(context, resource)
    if want.what_if:
        return Foretold(resource.name, f"{resource.name} would be deleted from {resource.group}")

    def make() -> tuple[list[Compare], list[Write]]:
        present = need(context, want.name)
        _refuse_to_delete(context, present)
        group = context.store.groups[present.group]
        left = tuple(name for name in group.resources if name != present.name)
        words = f"{present.name} was deleted from {group.name}: {context.by}"
        writes: list[Write] = [
            put(keys.GROUPS + group.name, msgspec.structs.replace(group, resources=left)),
            Delete(keys.RESOURCES + present.name),
            Delete(keys.DEFINITIONS + present.name),
            context.journal.event("group-changed", words, group=group.name),
        ]
        # The siblings too: one of them may just be made to depend on it.
        siblings = [keys.RESOURCES + name for name in group.resources]
        return [*all_that_it_rests_on(context, group), *context.store.unchanged(*siblings)], writes

    await context.write(make)
    return Foretold(resource.name, f"{resource.name} was deleted from {resource.group}", what_if=False)


def _refuse_to_delete(context: Context, resource: Resource) -> None:
    problem = why_not_resource(resource, context.view())
    if problem:
        raise CommandError("impossible", f"cannot delete {resource.name}: {problem}")


def all_that_it_rests_on(context: Context, group: Group) -> list[Compare]:
    """That nothing of it runs: the group as it is, its owner's report, and that its owner is dead or away, if it is."""
    store = context.store
    compares = store.unchanged(keys.GROUPS + group.name, keys.STATUS + group.name)
    if group.owner in store.silences:
        return [*compares, *store.unchanged(keys.SILENCES + group.owner)]
    if group.owner and group.owner not in store.sessions:
        return [*compares, Compare(keys.SESSIONS + group.owner, 0)]
    return compares


COMMANDS: dict[str, Command] = {
    "resource.create": (Create, create),
    "resource.delete": (DeleteResource, delete),
}
