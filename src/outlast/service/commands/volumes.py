"""Shared volumes: taking in a directory that all nodes see, letting it go, and what is known of it."""

from pathlib import PurePosixPath
from typing import Annotated

import msgspec

from outlast.core.group import naming
from outlast.core.group.deletion import may_run, why_needed
from outlast.core.placement import placement
from outlast.core.volume.volumes import LIMIT_S, NEVER_S, TYPE, Volume, needed, told_on, volume_of, volumes
from outlast.model import keys
from outlast.model.answers import Foretold
from outlast.model.group import Definition, Group, Resource
from outlast.model.policy import Balance
from outlast.model.volume import VolumeChange
from outlast.model.volume_answers import ChangeRow, SeenFrom, VolumeRow
from outlast.ports.database import Compare, Delete, Write
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.commands.context import Command, CommandError, Context, Missing, Named, Nothing, similar
from outlast.service.commands.rows import Rows
from outlast.service.hosting.hosts import CallTimedOut
from outlast.service.store import put

Limit = Annotated[float, msgspec.Meta(ge=-1, le=7 * 86400)]
MANY_FAILOVERS = 1000
"""A coordinator's failover costs nothing, so that they are not counted."""
AGAIN_S = 60.0


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    path: str
    limit_s: Limit = LIMIT_S
    what_if: bool = False


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    limit_s: Limit


class Remove(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    what_if: bool = False


async def list_volumes(context: Context, _: Nothing) -> list[VolumeRow]:
    return [row(context, volume) for volume in volumes(context.store.resources).values()]


async def show(context: Context, want: Named) -> VolumeRow:
    return row(context, need(context, want.name))


async def add(context: Context, want: Add) -> VolumeRow:
    """Makes the directory a volume, asks every member whether it sees the same, and has it coordinated."""
    path = _checked(context, want)
    if want.what_if:
        volume = Volume(want.name, want.name, path, "", _limit(want.limit_s))
        return VolumeRow(want.name, path, "offline", "", "", volume.limit_s, {}, ())
    id = await _mark(context, want.name, path)
    nodes = await _seen_from(context, Volume(want.name, want.name, path, id))
    blind = {node: seen.why for node, seen in nodes.items() if seen.state != "direct"}
    if len(blind) == len(nodes):
        words = "; ".join(f"{node}: {why}" for node, why in blind.items())
        raise CommandError("impossible", f'cannot add the volume "{want.name}": no node sees it at {path} ({words})')

    properties = {"path": path, "limit_s": _limit(want.limit_s)}
    record = Resource(want.name, TYPE, want.name, identity=id, properties=properties)
    group = Group(
        want.name,
        (want.name,),
        wanted_by=context.by,
        failover_threshold=MANY_FAILOVERS,
        retry_after_s=AGAIN_S,
        balance=Balance.NEVER,
    )

    def make() -> tuple[list[Compare], list[Write]]:
        _checked(context, want)
        event = context.journal.event("volume", f"{want.name} ({path}) was added by {context.by}", group=want.name)
        writes: list[Write] = [
            put(keys.DEFINITIONS + want.name, Definition(want.name, "")),
            put(keys.RESOURCES + want.name, record),
            put(keys.GROUPS + want.name, group),
            event,
        ]
        return [Compare(keys.GROUPS + want.name, 0), Compare(keys.RESOURCES + want.name, 0)], writes

    await context.write(make)
    warning = "; ".join(f"{node} does not see it: {why}" for node, why in sorted(blind.items()))
    found = row(context, need(context, want.name))
    return msgspec.structs.replace(found, nodes=nodes, warning=warning)


async def set_values(context: Context, want: Set) -> VolumeRow:
    need(context, want.name)

    def make() -> tuple[list[Compare], list[Write]]:
        volume = need(context, want.name)
        present = context.store.resources[volume.name]
        limit_s = _limit(want.limit_s)
        record = msgspec.structs.replace(present, properties={**present.properties, "limit_s": limit_s})
        after = "never" if limit_s < 0 else f"after {limit_s:g} s"
        words = f"what needs {want.name} and loses it is moved {after}: {context.by}"
        event = context.journal.event("volume", words, group=volume.group)
        return context.store.unchanged(keys.RESOURCES + want.name), [put(keys.RESOURCES + want.name, record), event]

    await context.write(make)
    return row(context, need(context, want.name))


async def remove(context: Context, want: Remove) -> Foretold:
    """The cluster knows it no more; nothing on it is touched."""
    volume = need(context, want.name)
    _refuse_removal(context, volume)
    if want.what_if:
        return Foretold(want.name, f"{want.name} would be no volume of the cluster any more; what lies there stays")

    def make() -> tuple[list[Compare], list[Write]]:
        group = _refuse_removal(context, need(context, want.name))
        words = f"{want.name} ({volume.path}) is no volume of the cluster any more: {context.by}"
        gone = [keys.GROUPS + group.name, keys.STATUS + group.name, keys.RESOURCES + want.name]
        changes = [keys.CHANGES + one.key for one in changes_of(context, want.name)]
        deletes = [Delete(key) for key in (*gone, keys.DEFINITIONS + want.name, *changes)]
        event = context.journal.event("volume", words, group=group.name)
        return context.store.unchanged(*gone, *changes), [*deletes, event]

    await context.write(make)
    return Foretold(
        want.name, f"{want.name} is no volume of the cluster any more; what lies there stays", what_if=False
    )


def _refuse_removal(context: Context, volume: Volume) -> Group:
    view, group = context.view(), context.store.groups[volume.group]
    why = why_needed(group, view) or may_run(group, group.resources, view)
    if not why and len(group.resources) > 1:
        why = f"its group has {', '.join(group.resources)}"
    if not why:
        under_way = [one.image for one in changes_of(context, volume.name) if not one.is_over]
        why = f"{under_way[0]} is being changed on it" if under_way else ""
    if why:
        raise CommandError("impossible", f"cannot remove the volume {volume.name}: {why}")
    return group


def need(context: Context, name: str) -> Volume:
    resource = context.store.resources.get(name)
    volume = volume_of(resource) if resource is not None else None
    if volume is None:
        raise Missing(f'there is no volume "{name}"{similar(name, volumes(context.store.resources))}')
    return volume


def row(context: Context, volume: Volume) -> VolumeRow:
    view = context.view()
    members = placement.members(view)
    group = context.store.groups.get(volume.group)
    known = {volume.name: volume}
    about = Rows(view).group(group) if group is not None else None
    return VolumeRow(
        name=volume.name,
        path=volume.path,
        state=about.state if about else "unknown",
        coordinator=group.owner if group is not None else "",
        why=about.why if about else "",
        limit_s=volume.limit_s,
        nodes={node: _seen(context, volume, node, is_member=node in members) for node in sorted(view.nodes)},
        groups=tuple(
            sorted(
                one.name
                for one in view.groups.values()
                if one.name != volume.group and needed(one, known, view.resources)
            )
        ),
        changes=tuple(change_row(one) for one in changes_of(context, volume.name)),
    )


def changes_of(context: Context, volume: str) -> list[VolumeChange]:
    """In the order in which they were asked for."""
    store = context.store
    found = [one for one in store.volume_changes.values() if one.volume == volume]
    return sorted(found, key=lambda one: one.id)


def change_row(change: VolumeChange) -> ChangeRow:
    return ChangeRow(
        change.id,
        change.volume,
        change.image,
        change.verb.value,
        change.stage.value,
        change.node,
        change.percent,
        change.words,
        change.by,
    )


def _seen(context: Context, volume: Volume, node: str, *, is_member: bool) -> SeenFrom:
    if not is_member:
        return SeenFrom("not known", f"{node} is no member now")
    state = told_on(volume.name, node, context.store.sessions)
    if state is None:
        return SeenFrom("not known", f"{node} has not said yet")
    return SeenFrom("unavailable" if state.lost else "direct", state.lost, state.is_full)


def _checked(context: Context, want: Add) -> str:
    """The path, in its shortest spelling. Raises whatever could be wrong with it."""
    problem = naming.why_not(want.name)
    store = context.store
    if not problem and (want.name in store.groups or want.name in store.resources):
        problem = "there is a group or resource of that name already"
    path = PurePosixPath(want.path)
    if not problem and (not path.is_absolute() or path == PurePosixPath("/") or ".." in path.parts):
        problem = f"{want.path} must be the whole path of a directory, the same on every node"
    for other in volumes(store.resources).values():
        below = path.is_relative_to(other.path) or PurePosixPath(other.path).is_relative_to(path)
        if not problem and below:
            problem = f"{path} and the volume {other.name} ({other.path}) lie one in the other"
    if not problem and not any(offer.type == TYPE for one in store.sessions.values() for offer in one.offers):
        problem = f"no node has a plugin for {TYPE}"
    if problem:
        raise CommandError("usage", f'cannot add the volume "{want.name}": {problem}')
    return str(path)


def _limit(limit_s: float) -> float:
    return NEVER_S if limit_s < 0 else limit_s


async def _mark(context: Context, name: str, path: str) -> str:
    try:
        arguments = {"path": path, "id": context.journal.new_id()}
        id = str(await context.surveys.ask_here(TYPE, "mark", arguments))
    except (CallFailed, CallTimedOut, HostDied) as error:
        raise CommandError("impossible", f'cannot add the volume "{name}": {context.store.me}: {error}') from error
    for other in volumes(context.store.resources).values():
        if other.id == id:
            raise CommandError("usage", f'cannot add the volume "{name}": it is the volume {other.name} ({other.path})')
    return id


async def _seen_from(context: Context, volume: Volume) -> dict[str, SeenFrom]:
    """Every member looks once."""
    members = sorted(placement.members(context.view()))
    arguments = {"name": volume.name, "path": volume.path, "id": volume.id}
    answers = await context.surveys.ask(members, TYPE, "see", arguments)
    found = {}
    for node, answer in sorted(answers.items()):
        told = answer.result if isinstance(answer.result, dict) else {}
        why = answer.problem or str(told.get("why", "it gave no answer"))
        found[node] = SeenFrom("unavailable" if why else "direct", why)
    return found


COMMANDS: dict[str, Command] = {
    "volume.list": (Nothing, list_volumes),
    "volume.show": (Named, show),
    "volume.add": (Add, add),
    "volume.set": (Set, set_values),
    "volume.remove": (Remove, remove),
}
