"""Groups: looking at them, what is wanted of them, where they go, and waiting until it is so."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping

import msgspec

from outlast.core import placement
from outlast.model.answers import GroupRow
from outlast.model.group import Group, Stop, Wanted
from outlast.model.health import Json
from outlast.service.commands.context import Command, CommandError, Context, Named, Nothing, Stream, similar
from outlast.service.commands.rows import Rows

REFRESH_S = 1.0


class Offline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    stop: Stop = Stop.SHUTDOWN


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    to: str = ""
    stop: Stop = Stop.SHUTDOWN


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: Mapping[str, Json]


class GroupValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `group.set` may change."""

    preferred_owners: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    possible_owners: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    failover_threshold: int | msgspec.UnsetType | None = msgspec.UNSET
    failover_period_s: float | msgspec.UnsetType | None = msgspec.UNSET


class Wait(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    timeout_s: float = 300.0


async def list_groups(context: Context, _: Nothing) -> list[GroupRow]:
    rows = Rows(context.view())
    return [rows.group(group) for _, group in sorted(context.store.groups.items())]


async def show(context: Context, want: Named) -> GroupRow:
    return _row(context, want.name)


async def online(context: Context, want: Named) -> GroupRow:
    """An administrator wants it online; what failed before is forgotten."""

    def change(group: Group) -> Group:
        failed = Rows(context.view()).group_status(group).state.value == "failed"
        return msgspec.structs.replace(
            group,
            wanted=Wanted.ONLINE,
            intents=group.intents + 1,
            wanted_by=_by(context),
            failures=(),
            # A new epoch on the same owner is a new attempt there.
            epoch=group.epoch + 1 if failed else group.epoch,
        )

    group = context.group(want.name)
    await context.change_group(group.name, change, f"{group.name} is wanted online: {_by(context)}")
    return _row(context, group.name)


async def offline(context: Context, want: Offline) -> GroupRow:
    def change(group: Group) -> Group:
        return msgspec.structs.replace(
            group,
            wanted=Wanted.OFFLINE,
            intents=group.intents + 1,
            wanted_by=_by(context),
            stop=want.stop,
            move_to="",
            failures=(),
        )

    group = context.group(want.name)
    _refuse_on_hold(context, f"{group.name} cannot be taken offline")
    how = "turned off" if want.stop is Stop.TURN_OFF else "shut down"
    await context.change_group(group.name, change, f"{group.name} is wanted offline ({how}): {_by(context)}")
    return _row(context, group.name)


async def move(context: Context, want: Move) -> GroupRow:
    group = context.group(want.name)
    _refuse_on_hold(context, f"{group.name} cannot move")
    target = _target(context, group, want.to)

    def change(group: Group) -> Group:
        return msgspec.structs.replace(group, move_to=target, stop=want.stop)

    words = f"{group.name} is to move from {group.owner or 'nowhere'} to {target}: {_by(context)}"
    await context.change_group(group.name, change, words)
    return _row(context, group.name)


def _refuse_on_hold(context: Context, what: str) -> None:
    """It would wait for the confirmation, and that takes what runs as wanted: the word would be lost."""
    if context.store.settings.hold:
        why = "nothing is started or stopped anywhere before `outlast cluster confirm-ownership`"
        raise CommandError("impossible", f"{what}: {why}")


def _target(context: Context, group: Group, to: str) -> str:
    """The node to move to; checked, so that nothing is stopped for a move that cannot be."""
    view = context.view()
    if to:
        context.need_node(to)
        if to == group.owner:
            raise CommandError("usage", f"{group.name} is on {to} already")
        problem = placement.why_not(group, to, view)
        if problem:
            raise CommandError("impossible", f"{group.name} cannot move to {to}: {problem}")
        return to
    found = placement.candidates(group, view, placement.loads(view))
    nodes = [name for name in found.nodes if name != group.owner]
    if not nodes:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(found.refused.items())) or "there is no other node"
        raise CommandError("impossible", f"no other node can take {group.name}: {reasons}")
    return nodes[0]


async def set_values(context: Context, want: Set) -> GroupRow:
    try:
        values = msgspec.convert(want.values, GroupValues)
    except msgspec.ValidationError as error:
        known = ", ".join(GroupValues.__struct_fields__)
        raise CommandError("usage", f"{error}; what can be set of a group: {known}") from error
    changes = {name: value for name, value in msgspec.structs.asdict(values).items() if value is not msgspec.UNSET}
    for name in (*changes.get("preferred_owners", ()), *changes.get("possible_owners", ())):
        if name not in context.store.nodes:
            raise CommandError("usage", f'there is no node "{name}"{similar(name, context.store.nodes)}')
    _check_limits(values)
    group = context.group(want.name)
    await context.change_group(
        group.name,
        lambda group: msgspec.structs.replace(group, **changes),
        f"{group.name} was changed ({', '.join(_said(*change) for change in changes.items())}): {_by(context)}",
    )
    return _row(context, group.name)


def _check_limits(values: GroupValues) -> None:
    """A limit of less than none means the default elsewhere, and one without a period never holds."""
    threshold, period_s = values.failover_threshold, values.failover_period_s
    if isinstance(threshold, int) and threshold < 0:
        raise CommandError("usage", f"failover_threshold cannot be {threshold}: it must be 0 or more")
    if isinstance(period_s, (int, float)) and not 0 < period_s < math.inf:
        raise CommandError("usage", f"failover_period_s cannot be {period_s:g}: it must be more than 0 s")


def _said(name: str, value: object) -> str:
    """One changed value, for people."""
    if isinstance(value, tuple):
        return f"{name}: {', '.join(value) or ('all' if name == 'possible_owners' else 'none')}"
    return f"{name}: {'default' if value is None else value}"


async def wait(context: Context, want: Wait) -> AsyncIterator[GroupRow]:
    """The group on each change, until it has settled or the time is up."""
    changes = context.store.subscribe()
    deadline = context.clock.now() + want.timeout_s
    before: GroupRow | None = None
    try:
        while True:
            row = _row(context, want.name)
            if row != before:
                yield row
            before = row
            left_s = deadline - context.clock.now()
            if row.settled or left_s <= 0:
                return
            await changes.wait(min(REFRESH_S, left_s))
            await asyncio.sleep(0)
    finally:
        context.store.unsubscribe(changes)


def _row(context: Context, name: str) -> GroupRow:
    return Rows(context.view()).group(context.group(name))


def _by(context: Context) -> str:
    return f"an administrator on {context.store.me}"


COMMANDS: dict[str, Command] = {
    "group.list": (Nothing, list_groups),
    "group.show": (Named, show),
    "group.online": (Named, online),
    "group.offline": (Offline, offline),
    "group.move": (Move, move),
    "group.set": (Set, set_values),
}
STREAMS: dict[str, Stream] = {"group.wait": (Wait, wait)}
