"""Resources: looking at them, what is wanted of them, and having one fail."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from outlast.core.group import dependencies, intent
from outlast.core.group.dependencies import missing
from outlast.model import keys
from outlast.model.answers import GroupRow, ResourceRow
from outlast.model.group import Group, Resource, Stop, Wanted
from outlast.model.status import State
from outlast.ports.database import Compare, Write
from outlast.service.commands import groups
from outlast.service.commands.admitting import admitted, outgrown
from outlast.service.commands.context import Command, CommandError, Context, Named, Nothing, Stream
from outlast.service.commands.resource_settings import need, row
from outlast.service.commands.rows import Rows
from outlast.service.hosting.surveys import FAIL, Failing
from outlast.service.store import put

REPORTED_S = 5.0
"""Who had a resource fail waits so long until its owner has told the cluster; normally that is at once."""
Change = Callable[[Group, Resource], tuple[Group, Resource]]
FAILS_FROM = (State.ONLINE, State.ONLINE_PENDING, State.UNKNOWN)


class Offline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    stop: Stop = Stop.SHUTDOWN


async def list_resources(context: Context, _: Nothing) -> list[ResourceRow]:
    rows = Rows(context.view())
    return [rows.resource(resource) for _, resource in sorted(context.store.resources.items())]


async def show(context: Context, want: Named) -> ResourceRow:
    return row(context, want.name)


async def online(context: Context, want: Named) -> GroupRow:
    """An administrator wants it online, in a group that is; that it failed is forgotten."""
    resource = need(context, want.name)
    group = context.group(resource.group)
    refuse_to_bring_online(context, resource, group)
    if len(group.resources) == 1:  # then it is all of its group, and starts where there is room for that
        return await groups.online(context, groups.Online(group.name, resource.name))
    warning = admitted(context, group, [_switched_on(resource)], about=resource.name)

    def change(group: Group, resource: Resource) -> tuple[Group, Resource]:
        refuse_without_room(context, resource, group)
        failed = Rows(context.view()).resource(resource).state == State.FAILED.value
        record = msgspec.structs.replace(
            group,
            intents=group.intents + 1,
            failures=(),
            # A new epoch on the same owner is a new attempt there.
            epoch=group.epoch + 1 if failed else group.epoch,
            received_from="" if failed else group.received_from,
        )
        return record, _switched_on(resource)

    words = f"{resource.name} is wanted online: {context.by}" + (f"; {warning}" if warning else "")
    row = await _change(context, resource.name, change, words)
    return msgspec.structs.replace(row, warning=warning)


def refuse_without_room(context: Context, resource: Resource, group: Group) -> None:
    why = outgrown(context, group, _switched_on(resource))
    if why:
        raise CommandError("impossible", f"{resource.name} cannot be brought online: {why}")


def _switched_on(resource: Resource) -> Resource:
    return msgspec.structs.replace(resource, wanted=Wanted.ONLINE)


def refuse_to_bring_online(context: Context, resource: Resource, group: Group) -> None:
    what = f"{resource.name} cannot be brought online"
    if group.wanted is Wanted.OFFLINE and len(group.resources) > 1:
        words = f"its group {group.name} is wanted offline; first: `outlast group online {group.name}`"
        raise CommandError("impossible", f"{what}: {words}")
    lacks = missing(resource.depends_on, _wanted_online(context, group))
    if lacks:
        words = f"it needs {lacks}, and that is wanted offline; first: `outlast resource online {_first(lacks)}`"
        raise CommandError("impossible", f"{what}: {words}")


async def offline(context: Context, want: Offline) -> GroupRow:
    """What needs it goes offline with it; the rest of its group stays as it is."""
    resource = need(context, want.name)
    group = context.group(resource.group)
    if len(group.resources) == 1:  # then it is all of its group, and the group need not be half wanted
        return await groups.offline(context, groups.Offline(group.name, want.stop))
    groups.refuse_on_hold(context, f"{resource.name} cannot be taken offline")
    refuse_live(resource, want.stop)

    def change(group: Group, resource: Resource) -> tuple[Group, Resource]:
        record = msgspec.structs.replace(group, intents=group.intents + 1, stop=want.stop)
        return record, msgspec.structs.replace(resource, wanted=Wanted.OFFLINE)

    how = "turned off" if want.stop is Stop.TURN_OFF else "shut down"
    words = f"{resource.name} is wanted offline ({how}){with_it(context, resource, group)}: {context.by}"
    return await _change(context, resource.name, change, words)


def refuse_live(resource: Resource, stop: Stop) -> None:
    if stop is Stop.LIVE:
        raise CommandError("usage", f"{resource.name} cannot go offline live: that is a way to move a group")


async def _change(context: Context, name: str, change: Change, words: str) -> GroupRow:
    def make() -> tuple[list[Compare], list[Write]]:
        resource = need(context, name)
        group, resource = change(context.group(resource.group), resource)
        record_keys = keys.GROUPS + group.name, keys.RESOURCES + name
        event = context.journal.event("intent", words, group=group.name)
        # Its owner's report too: that it failed is a ground for trying it again, while nobody calls its owner silent.
        compares = context.store.unchanged(*record_keys, keys.STATUS + group.name, keys.SILENCES + group.owner)
        return compares, [put(record_keys[0], group), put(record_keys[1], resource), event]

    await context.write(make)
    return groups.row_of(context, need(context, name).group)


def _wanted_online(context: Context, group: Group) -> frozenset[str]:
    wanted = msgspec.structs.replace(group, wanted=Wanted.ONLINE)
    return intent.to_be_online(wanted, context.store.resources)


def _first(expression: str) -> str:
    return dependencies.names(expression)[0]


def with_it(context: Context, resource: Resource, group: Group) -> str:
    others = intent.would_go_with(resource.name, group, context.store.resources)
    return f", and with it what needs it: {', '.join(others)}" if others else ""


async def fail(context: Context, want: Named) -> GroupRow:
    """Have it fail where it runs, as if its plugin had said so: it is terminated, and all else goes its way."""
    resource = need(context, want.name)
    group = context.group(resource.group)
    refuse_to_fail(context, resource, group)
    before = context.store.statuses.get(group.name)
    why = f"{context.by} had it fail"
    arguments = msgspec.to_builtins(Failing(resource.name, group.epoch, why))
    answer = (await context.surveys.ask([group.owner], resource.type, FAIL, arguments))[group.owner]
    if answer.problem:
        raise CommandError("impossible", f"{resource.name} was not made to fail: {group.owner}: {answer.problem}")
    await _told(context, group, before)
    return groups.row_of(context, group.name)


def refuse_to_fail(context: Context, resource: Resource, group: Group) -> None:
    def refuse(words: str) -> None:
        raise CommandError("impossible", f"{resource.name} cannot be made to fail: {words}")

    if context.store.settings.hold:
        refuse("nothing is started or stopped anywhere before `outlast cluster confirm-ownership`")
    if not context.store.settings.armed:
        refuse("the cluster is not armed, and would leave it failed; first: `outlast cluster set armed=yes`")
    if resource.maintenance or group.maintenance:
        words = f"outlast {'resource' if resource.maintenance else 'group'} maintenance"
        name = resource.name if resource.maintenance else group.name
        refuse(f"it is in maintenance ({resource.maintenance or group.maintenance}); first: `{words} {name} off`")
    now = Rows(context.view()).resource(resource)
    if State(now.state) not in FAILS_FROM:
        refuse(f"it is {now.state}{f' ({now.why})' if now.why else ''}, and only what runs can fail")


async def _told(context: Context, group: Group, before: object) -> None:
    """Until the owner's next report is there: whoever waits for what becomes of it must not see it as it was before."""
    store = context.store
    changes = store.subscribe(keys.STATUS, keys.GROUPS)
    try:
        async with asyncio.timeout(REPORTED_S):
            while store.statuses.get(group.name) == before and store.groups.get(group.name) == group:
                await changes.wait()
    except TimeoutError:
        return
    finally:
        store.unsubscribe(changes)


async def wait(context: Context, want: groups.Wait) -> AsyncIterator[GroupRow]:
    """The resource's group on each change, until the resource has settled or the time is up."""

    def settled(row: GroupRow) -> bool:
        return next((member.settled for member in row.members if member.name == want.name), True)

    group = need(context, want.name).group
    async for changed in groups.until(context, group, settled, want.timeout_s):
        yield changed


COMMANDS: dict[str, Command] = {
    "resource.list": (Nothing, list_resources),
    "resource.show": (Named, show),
    "resource.online": (Named, online),
    "resource.offline": (Offline, offline),
    "resource.fail": (Named, fail),
}
STREAMS: dict[str, Stream] = {"resource.wait": (groups.Wait, wait)}
