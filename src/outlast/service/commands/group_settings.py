"""Groups: their settings, locking them, and maintenance."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from outlast.core.group import start_after
from outlast.core.placement import networks
from outlast.core.spelling import DAY_S, DEFAULT, Count, Hours, Names, NotMeant, Seconds, StartsAfter, assigned, spelled
from outlast.model.answers import GroupRow
from outlast.model.group import Group
from outlast.model.health import Json
from outlast.model.policy import Balance, Failback, OfflineAction, Priority
from outlast.service.commands.admitting import allowed
from outlast.service.commands.context import Command, CommandError, Context, Named
from outlast.service.commands.groups import row_of

Period = Annotated[float, msgspec.Meta(ge=1, le=365 * DAY_S)]
SETTINGS: dict[str, Any] = {
    "preferred_owners": Names,
    "possible_owners": Names,
    "priority": Priority,
    "start_after": StartsAfter,
    "start_limit_s": Seconds,
    "failover_threshold": Count | None,
    "failover_period_s": Period | None,
    "retry_after_s": Seconds,
    "failback": Failback,
    "failback_hours": Hours,
    "balance": Balance,
    "protected_networks": Names | None,
    "offline_action": OfflineAction,
}
"""What `group.set` may change, and what each takes."""
EMPTY = '""'
ALL_OR_NONE = {"all": DEFAULT, "none": ""}
"""What people write for `protected_networks` instead of names."""


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: Mapping[str, Json]


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    why: str = ""


class Maintain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    on: bool
    why: str = ""


async def set_values(context: Context, want: Set) -> GroupRow:
    changes = changed(context, want.values)
    if not changes:
        raise CommandError("usage", f"nothing to set; a group has: {', '.join(SETTINGS)}")
    _refuse_networks(context, context.group(want.name), changes.get("protected_networks"))

    def change(group: Group) -> Group:
        record = msgspec.structs.replace(group, **changes)
        refuse_order(context, record)
        return record

    group, view = context.group(want.name), context.view()
    record = msgspec.structs.replace(group, **changes)
    then = msgspec.structs.replace(view, groups={**view.groups, group.name: record})
    warning = allowed(view, then, f"{group.name} cannot be changed so")
    words = f"{group.name} was changed ({told(changes)}): {context.by}" + (f"; {warning}" if warning else "")
    await context.change_group(group.name, change, words)
    return msgspec.structs.replace(row_of(context, group.name), warning=warning)


def _refuse_networks(context: Context, group: Group, names: tuple[str, ...] | None) -> None:
    """A name that is none of its own would protect nothing, and nobody would notice."""
    known = networks.needed(msgspec.structs.replace(group, protected_networks=None), context.store.resources)
    wrong = [name for name in names or () if name not in known and name not in {one.partition("/")[2] for one in known}]
    if wrong:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise CommandError("usage", f"{group.name} is not joined to the network {', '.join(wrong)}; {has}")


def changed(context: Context, values: Mapping[str, Json]) -> dict[str, Any]:
    """The new values of a group's settings. Nothing that the cluster does not know may be named in them."""
    if values.get("protected_networks") in ALL_OR_NONE:
        values = {**values, "protected_networks": ALL_OR_NONE[values["protected_networks"]]}
    try:
        changes = assigned(SETTINGS, values, "a group")
    except NotMeant as refusal:
        raise CommandError("usage", str(refusal)) from refusal
    for key in ("preferred_owners", "possible_owners"):
        for name in changes.get(key, ()):
            context.need_node(name)
    return changes


def refuse_order(context: Context, record: Group) -> None:
    """Judged anew with each attempt: another group may have been changed meanwhile."""
    problem = start_after.why_not(record, context.store.groups)
    if problem:
        raise CommandError("usage", f"{record.name} cannot start after that: {problem}")


async def lock(context: Context, want: Lock) -> GroupRow:
    group = context.group(want.name)
    why = want.why or f"locked by {context.by}"
    return await _change(context, group, f"{group.name} is not moved on purpose any more: {why}", locked=why)


async def unlock(context: Context, want: Named) -> GroupRow:
    group = context.group(want.name)
    return await _change(context, group, f"{group.name} may be moved again: {context.by}", locked="")


async def maintenance(context: Context, want: Maintain) -> GroupRow:
    group = context.group(want.name)
    if want.on:
        why = want.why or context.by
        words = f"{group.name} is in maintenance, neither asked nor healed nor moved: {why}"
    else:
        why, words = "", f"the maintenance of {group.name} is over: {context.by}"
    return await _change(context, group, words, maintenance=why)


async def _change(context: Context, group: Group, words: str, **changes: str) -> GroupRow:
    await context.change_group(group.name, lambda group: msgspec.structs.replace(group, **changes), words)
    return row_of(context, group.name)


def told(changes: Mapping[str, Any]) -> str:
    """What was set, as it is written."""
    return ", ".join(f"{name}={spelled(value) or EMPTY}" for name, value in changes.items())


COMMANDS: dict[str, Command] = {
    "group.set": (Set, set_values),
    "group.lock": (Lock, lock),
    "group.unlock": (Named, unlock),
    "group.maintenance": (Maintain, maintenance),
}
