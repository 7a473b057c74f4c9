"""Nodes in maintenance: paused, drained, shut down, resumed, released; and how far that is."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from outlast.core.coordinator import drain as draining
from outlast.core.coordinator import intake
from outlast.core.group.group_state import reported
from outlast.core.spelling import NotMeant, assigned, spelled
from outlast.model import keys
from outlast.model.answers import Leaving, LeftRow, NodeProgress, Outlook
from outlast.model.group import AWAY, Group, Wanted
from outlast.model.health import Json
from outlast.model.status import State
from outlast.model.view import ClusterView
from outlast.ports.database import Compare, Write
from outlast.service.commands.context import Command, CommandError, Context, Named, Nothing, Stream
from outlast.service.commands.rows import Rows
from outlast.service.store import put

REFRESH_S = 1.0
SETTINGS: dict[str, Any] = {"rack": str, "site": str}
"""What `node.set` may change."""


class Drain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    force: bool = False


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    failback: bool = False
    """What had left it is called back at once."""


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: Mapping[str, Json]


class Wait(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    timeout_s: Annotated[float, msgspec.Meta(ge=0)] = 300.0


async def pause(context: Context, want: Named) -> str:
    changes = {"paused": True, "draining": False, "force_drain": False, "drained_by": "", "calls_back": False}
    await _change(context, want.name, changes, f"{want.name} was paused by {context.by}")
    return f"{want.name} is paused: it keeps what it has and gets nothing new"


async def drain(context: Context, want: Drain) -> str:
    context.need_node(want.name)
    nothing_moves = _nothing_moves(context)
    if nothing_moves:
        raise CommandError("impossible", f"{want.name} cannot be drained: {nothing_moves}")
    force = " by force" if want.force else ""
    changes = {
        "paused": True,
        "draining": True,
        "force_drain": want.force,
        "drained_by": context.by,
        "calls_back": False,
    }
    await _change(context, want.name, changes, f"{want.name} is drained{force}: {context.by}")
    what = "what no other node can take is taken offline" if want.force else "what no other node can take stays"
    return f"{want.name} is drained: what runs there is moved to other nodes; {what}"


async def outlook(context: Context, want: Drain) -> list[Outlook]:
    """What would become of each group that runs there, if it were drained now."""
    context.need_node(want.name)
    return draining.outlook(context.view(), want.name, force=want.force)


async def resume(context: Context, want: Resume) -> str:
    changes = {
        "paused": False,
        "draining": False,
        "force_drain": False,
        "drained_by": "",
        "leaving": "",
        "calls_back": want.failback,
    }
    back = ", and what left it is called back" if want.failback else ""
    await _change(context, want.name, changes, f"{want.name} was resumed by {context.by}{back}")
    return f"{want.name} takes groups again{back}"


async def release(context: Context, want: Named) -> str:
    """It is trusted again: no quarantine, and its losses are forgotten."""
    context.need_node(want.name)
    was = context.store.nodes[want.name].quarantined
    if not was and not context.store.nodes[want.name].losses:
        return f"{want.name} is not quarantined, and no loss of it is remembered"
    words = f"{want.name} was released{' from its quarantine' if was else ''} by {context.by}"
    await _change(context, want.name, {"quarantined": "", "losses": ()}, words)
    return f"{want.name} is no longer quarantined" if was else f"the losses of {want.name} are forgotten"


async def set_values(context: Context, want: Set) -> str:
    try:
        changes = assigned(SETTINGS, want.values, "a node")
    except NotMeant as refusal:
        raise CommandError("usage", str(refusal)) from refusal
    if not changes:
        raise CommandError("usage", f"nothing to set; a node has: {', '.join(SETTINGS)}")
    told = ", ".join(f"{name} is {spelled(value) or 'none'}" for name, value in sorted(changes.items()))
    await _change(context, want.name, changes, f"{want.name}: {told}: {context.by}")
    return f"{want.name}: {told}"


async def leave(context: Context, _: Nothing) -> Leaving:
    """The machine of this node is being shut down: it is drained for that, in this life of it."""
    me, limit_s = context.store.me, context.store.settings.shutdown_drain_s
    node, session = context.store.nodes.get(me), context.store.sessions.get(me)
    if node is None or session is None:
        return Leaving(me, 0.0, f"{me} has no session, so nothing runs there")
    if not limit_s:
        return Leaving(me, 0.0, "the cluster does not wait for that (shutdown_drain_s is 0)")
    nothing_moves = _nothing_moves(context)
    if nothing_moves:
        return Leaving(me, 0.0, nothing_moves)
    if node.leaving != session.incarnation:
        words = f"the machine of {me} is being shut down: what runs there is moved to other nodes first"
        await _change(context, me, {"leaving": session.incarnation}, words)
    return Leaving(me, limit_s, "")


async def wait(context: Context, want: Wait) -> AsyncIterator[NodeProgress]:
    """How far a drain is, or the return of what was called back: on each change, until it is done or the time is up."""
    context.need_node(want.name)
    changes = context.store.subscribe()
    deadline = context.clock.now() + want.timeout_s
    before: NodeProgress | None = None
    try:
        while True:
            now = _progress(context, want.name)
            if now != before:
                yield now
            before = now
            left_s = deadline - context.clock.now()
            if now.done or left_s <= 0:
                return
            await changes.wait(min(REFRESH_S, left_s))
            await asyncio.sleep(0)
    finally:
        context.store.unsubscribe(changes)


def _progress(context: Context, name: str) -> NodeProgress:
    view = context.view()
    node = view.nodes.get(name)
    if node is None:
        raise CommandError("impossible", f"{name} was evicted from the cluster")
    rows = Rows(view, no_session=context.membership.why_not)
    row = rows.node(name, context.observation.last_record_s().get(name, -1.0))
    drained = intake.gives_away(name, view)
    if drained:
        groups = draining.left(view, name)
    else:
        back = [group for group in view.groups.values() if node.calls_back and group.return_to == name]
        groups = sorted([*back, *_being_started(view, name)], key=lambda group: group.name)
    left = _left(rows, groups)
    down = draining.down(view, name) if drained else draining.Down()
    known = row.state not in ("silent", "dead")
    return NodeProgress(
        name,
        row.state,
        row.why,
        left,
        tuple(sorted(group.name for group in down.stranded)),
        done=known and not left,
        coming=tuple(sorted(group.name for group in down.coming)),
        kept=_left(rows, down.kept),
    )


def _left(rows: Rows, groups: Sequence[Group]) -> tuple[LeftRow, ...]:
    return tuple(
        LeftRow(found.name, found.state, found.why, found.move_to if found.move_to != AWAY else "")
        for found in map(rows.group, groups)
    )


def _being_started(view: ClusterView, node: str) -> list[Group]:
    """What a node has, and is bringing online just now."""
    session = view.sessions.get(node)
    if session is None:
        return []
    found = []
    for group in view.groups.values():
        if group.owner == node and group.wanted is Wanted.ONLINE and not group.move_to and not group.return_to:
            status = reported(group, view.statuses.get(group.name), session.incarnation)
            if status is None or status.state is State.ONLINE_PENDING:
                found.append(group)
    return found


def _nothing_moves(context: Context) -> str:
    """Why nothing is moved anywhere now, for people; "" when it is."""
    settings = context.store.settings
    if settings.hold:
        return "nothing is started or stopped anywhere before `outlast cluster confirm-ownership`"
    return "" if settings.armed else "the cluster is not armed, so nothing is moved (`outlast cluster set armed=yes`)"


async def _change(context: Context, name: str, changes: Mapping[str, Any], words: str) -> None:
    context.need_node(name)

    def make() -> tuple[list[Compare], list[Write]]:
        context.need_node(name)
        record = msgspec.structs.replace(context.store.nodes[name], **changes)
        event = context.journal.event("node-changed", words, about=name)
        return context.store.unchanged(keys.NODES + name), [put(keys.NODES + name, record), event]

    await context.write(make)


COMMANDS: dict[str, Command] = {
    "node.pause": (Named, pause),
    "node.drain": (Drain, drain),
    "node.outlook": (Drain, outlook),
    "node.resume": (Resume, resume),
    "node.release": (Named, release),
    "node.set": (Set, set_values),
    "node.leaving": (Nothing, leave),
}
STREAMS: dict[str, Stream] = {"node.wait": (Wait, wait)}
