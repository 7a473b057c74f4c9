"""Groups: looking at them, what is wanted of them, where they go, and waiting until it is so."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from outlast.core.coordinator import failing, going_off, handing_over
from outlast.core.coordinator.moves import Moves
from outlast.core.group import dependencies, intent
from outlast.core.placement import placement
from outlast.core.placement.placed import Placed
from outlast.model import keys
from outlast.model.answers import GroupRow
from outlast.model.group import Group, Resource, Stop, Wanted
from outlast.model.status import State
from outlast.model.view import ClusterView
from outlast.ports.database import Compare, Write
from outlast.service.commands.admitting import admitted, node_with_room
from outlast.service.commands.context import Command, CommandError, Context, Named, Nothing, Stream
from outlast.service.commands.rows import Rows
from outlast.service.store import put

REFRESH_S = 1.0


class Online(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    resource: str = ""
    """And this resource of it, also when that was taken or switched off by itself: whoever starts a VM means the VM."""
    discard_saved: bool = False
    """It does not go on from its saved state: that is dropped, and it starts anew."""


class Offline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    stop: Stop | None = None
    """None: as its `offline_action` says."""


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    to: str = ""
    stop: Stop | None = None
    """How it leaves its node; None: as it runs if that is possible, else as its `offline_action` says."""
    ignore_lock: bool = False


class Wait(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    timeout_s: float = 300.0


async def list_groups(context: Context, _: Nothing) -> list[GroupRow]:
    rows = Rows(context.view())
    return [rows.group(group) for _, group in sorted(context.store.groups.items())]


async def show(context: Context, want: Named) -> GroupRow:
    return row_of(context, want.name)


async def online(context: Context, want: Online) -> GroupRow:
    """An administrator wants it online; what failed before is forgotten."""
    group = context.group(want.name)
    warning = admitted(context, group, switched_on(context, group, want.resource), about=want.resource)
    dropped = ", and its saved state is dropped" if want.discard_saved else ""
    words = f"{want.resource or group.name} is wanted online{dropped}: {context.by}"
    words += f"; {warning}" if warning else ""

    def make() -> tuple[list[Compare], list[Write]]:
        present = context.group(group.name)
        resources = switched_on(context, present, want.resource)
        if want.discard_saved:
            resources = _without_states(context, present, resources)
        writes: list[Write] = [put(keys.GROUPS + present.name, _wanted_online(context, present, resources))]
        writes += [put(keys.RESOURCES + one.name, one) for one in resources]
        record_keys = [keys.GROUPS + present.name, *(keys.RESOURCES + one.name for one in resources)]
        event = context.journal.event("intent", words, group=present.name)
        # Its owner's report too: that it failed is a ground for trying it again, while nobody calls its owner silent.
        rests_on = (*record_keys, keys.STATUS + present.name, keys.SILENCES + present.owner)
        return context.store.unchanged(*rests_on), [*writes, event]

    await context.write(make)
    return msgspec.structs.replace(row_of(context, group.name), warning=warning)


def _wanted_online(context: Context, group: Group, resources: Sequence[Resource]) -> Group:
    failed = Rows(context.view()).reported_status(group).state is State.FAILED
    return msgspec.structs.replace(
        group,
        wanted=Wanted.ONLINE,
        intents=group.intents + 1,
        wanted_by=context.by,
        failures=(),
        move_to=node_with_room(context, group, resources),
        # A new epoch on the same owner is a new attempt there.
        epoch=group.epoch + 1 if failed else group.epoch,
        received_from="" if failed else group.received_from,
    )


def switched_on(context: Context, group: Group, name: str) -> list[Resource]:
    """That resource of it as it is to be, when it is off by a word of its own: then that is over."""
    resource = context.store.resources.get(name)
    if not name or resource is None or resource.wanted is Wanted.ONLINE:
        return []
    lacks = dependencies.missing(resource.depends_on, intent.to_be_online(_online(group), context.store.resources))
    if lacks:
        first = dependencies.names(lacks)[0]
        words = f"it needs {lacks}, and that is wanted offline; first: `outlast resource online {first}`"
        raise CommandError("impossible", f"{name} cannot be brought online: {words}")
    return [msgspec.structs.replace(resource, wanted=Wanted.ONLINE)]


def _without_states(context: Context, group: Group, changed: Sequence[Resource]) -> list[Resource]:
    """`changed`: those of it that are other ones already."""
    found = {one.name: one for one in changed}
    for name in group.resources:
        resource = found.get(name) or context.store.resources.get(name)
        if resource is not None and (resource.saved is not None or resource.taken):
            found[name] = msgspec.structs.replace(resource, saved=None, taken="")
    return list(found.values())


def _online(group: Group) -> Group:
    return msgspec.structs.replace(group, wanted=Wanted.ONLINE)


async def offline(context: Context, want: Offline) -> GroupRow:
    def change(group: Group) -> Group:
        return msgspec.structs.replace(
            group,
            wanted=Wanted.OFFLINE,
            intents=group.intents + 1,
            wanted_by=context.by,
            stop=going_off_by(context, group, want.stop),
            move_to="",
            failures=(),
        )

    group = context.group(want.name)
    refuse_on_hold(context, f"{group.name} cannot be taken offline")
    how = HOW[going_off_by(context, group, want.stop)]
    await context.change_group(group.name, change, f"{group.name} is wanted offline ({how}): {context.by}")
    return row_of(context, group.name)


HOW = {
    Stop.SHUTDOWN: "shut down",
    Stop.TURN_OFF: "turned off",
    Stop.SAVE: "saved",
}


def going_off_by(context: Context, group: Group, stop: Stop | None) -> Stop:
    """How it goes offline; refused when it is asked to be saved, and that is not possible."""
    if stop is Stop.LIVE:
        raise CommandError("usage", f"{group.name} cannot go offline live: that is a way to move; `outlast vm move`")
    view = context.view()
    if stop is None:
        return going_off.by_policy(group, view)
    _refuse_to_save(group, stop, view)
    return stop


def _refuse_to_save(group: Group, stop: Stop | None, view: ClusterView) -> None:
    if stop is not Stop.SAVE:
        return
    if Rows(view).group_status(group).state is State.OFFLINE:
        raise CommandError("impossible", f"{group.name} cannot be saved: it is offline already")
    if why := going_off.why_not_saved(group, view):
        raise CommandError("impossible", f"{group.name} cannot be saved: {why}; `outlast group offline` shuts it down")


async def move(context: Context, want: Move) -> GroupRow:
    group = context.group(want.name)
    to = target(context, group, want)

    def change(group: Group) -> Group:
        refuse_to_move(context, group, ignore_lock=want.ignore_lock)
        under_way = bool(group.move_to) and not group.queued  # then it only goes elsewhere by now
        # Where an administrator moves it, there it belongs from now on.
        return msgspec.structs.replace(
            group,
            move_to=to,
            queued=not under_way and bool(Moves(context.view()).full(group.owner, to)),
            moves=group.moves + 1,
            stop=leaving(context, group, want, to),
            return_to="",
        )

    ways = {Stop.LIVE: " as it runs", Stop.SAVE: " with its state saved"}
    how = ways.get(leaving(context, group, want, to), "")
    words = f"{group.name} is to move{how} from {group.owner or 'nowhere'} to {to}: {context.by}"
    await context.change_group(group.name, change, words)
    return row_of(context, group.name)


def leaving(context: Context, group: Group, want: Move, to: str) -> Stop:
    """How it leaves its node; refused when it is asked for as it runs, and that is not possible."""
    view = context.view()
    if want.stop is None:
        return handing_over.how(group, to, view)
    why = handing_over.why_not_live(group, to, view) if want.stop is Stop.LIVE else ""
    if why:
        words = f"{group.name} cannot be migrated live to {to}: {why}. `outlast vm move` stops it and starts it there"
        raise CommandError("impossible", words)
    _refuse_to_save(group, want.stop, view)
    return want.stop


async def call_back(context: Context, want: Named) -> GroupRow:
    """It is to stay where it is after all."""
    group = context.group(want.name)
    if not group.move_to:
        raise CommandError("impossible", f"{group.name} is not on its way to another node")

    def change(group: Group) -> Group:
        return msgspec.structs.replace(group, move_to="")

    await context.change_group(group.name, change, f"{group.name} is to stay on {group.owner}: {context.by}")
    return row_of(context, group.name)


def refuse_to_move(context: Context, group: Group, *, ignore_lock: bool) -> None:
    """What keeps it where it is, wherever it would go."""
    what = f"{group.name} cannot move"
    refuse_on_hold(context, what)
    if not context.store.settings.armed:
        words = "the cluster is not armed, so nothing would start it elsewhere; first: `outlast cluster set armed=yes`"
        raise CommandError("impossible", f"{what}: {words}")
    kept = failing.in_maintenance(group, context.store.resources)
    if kept:
        raise CommandError("impossible", f"{what}: it is in maintenance ({kept}); end that first")
    if group.locked and not ignore_lock:
        words = f"`outlast group unlock {group.name}` unlocks it, --ignore-lock moves it all the same"
        raise CommandError("impossible", f"{what}: it is locked ({group.locked}); {words}")


def refuse_on_hold(context: Context, what: str) -> None:
    """It would wait for the confirmation, and that takes what runs as wanted: the word would be lost."""
    if context.store.settings.hold:
        why = "nothing is started or stopped anywhere before `outlast cluster confirm-ownership`"
        raise CommandError("impossible", f"{what}: {why}")


def target(context: Context, group: Group, want: Move) -> str:
    """The node to move to; checked, so that nothing is stopped for a move that cannot be."""
    refuse_to_move(context, group, ignore_lock=want.ignore_lock)
    placed, to = Placed(context.view()), want.to
    if to:
        context.need_node(to)
        if to == group.owner:
            raise CommandError("usage", f"{group.name} is on {to} already")
        problem = placement.why_not(group, to, placed)
        if problem:
            raise CommandError("impossible", f"{group.name} cannot move to {to}: {problem}")
        return to
    found = placement.candidates(group, placed)
    nodes = [name for name in found.nodes if name != group.owner]
    if not nodes:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(found.refused.items())) or "there is no other node"
        raise CommandError("impossible", f"no other node can take {group.name}: {reasons}")
    return nodes[0]


async def wait(context: Context, want: Wait) -> AsyncIterator[GroupRow]:
    """The group on each change, until it has settled or the time is up."""
    async for row in until(context, want.name, lambda row: row.settled, want.timeout_s):
        yield row


async def until(
    context: Context, name: str, settled: Callable[[GroupRow], bool], timeout_s: float
) -> AsyncIterator[GroupRow]:
    changes = context.store.subscribe()
    deadline = context.clock.now() + timeout_s
    before: GroupRow | None = None
    try:
        while True:
            row = row_of(context, name)
            if row != before:
                yield row
            before = row
            left_s = deadline - context.clock.now()
            if settled(row) or left_s <= 0:
                return
            await changes.wait(min(REFRESH_S, left_s))
            await asyncio.sleep(0)
    finally:
        context.store.unsubscribe(changes)


def row_of(context: Context, name: str) -> GroupRow:
    """With its resources one by one."""
    return Rows(context.view()).group_with_members(context.group(name))


COMMANDS: dict[str, Command] = {
    "group.list": (Nothing, list_groups),
    "group.show": (Named, show),
    "group.online": (Online, online),
    "group.offline": (Offline, offline),
    "group.move": (Move, move),
    "group.call_back": (Named, call_back),
}
STREAMS: dict[str, Stream] = {"group.wait": (Wait, wait)}
