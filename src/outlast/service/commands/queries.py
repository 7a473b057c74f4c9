"""Looking at the cluster: status, events, resource types."""

from collections.abc import AsyncIterator

import msgspec

from outlast.model import keys
from outlast.model.answers import ClusterStatus
from outlast.model.event import Event
from outlast.model.health import Json
from outlast.model.type_answers import CallTime, TypeDetail, TypeOffer
from outlast.ports.database import Compacted
from outlast.service.commands.context import Command, CommandError, Context, Missing, Nothing, Stream
from outlast.service.commands.rows import Rows
from outlast.service.hosting.surveys import CALL_TIMES, RESTART, Restarting
from outlast.service.store import READ_TIMEOUT_S

REFRESH_S = 1.0


class WantEvents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: int = 100
    group: str = ""
    node: str = ""


class FollowEvents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    after_revision: int = 0
    """0: only what comes from now on."""
    group: str = ""
    node: str = ""
    after: str = ""
    """In place of a revision: the id of the last event that is known."""


class WantType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str = ""


class RestartType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    nodes: tuple[str, ...] = ()
    """Empty: all that have it."""


async def status(context: Context, _: Nothing) -> ClusterStatus:
    quorum = await context.voters.quorum.narrow() if context.voters.quorum is not None else ""
    view = context.view()
    rows = Rows(view, tell_age=False, no_session=context.membership.why_not)
    row = rows.status(context.store.me, context.observation.last_record_s())
    return msgspec.structs.replace(row, quorum=quorum)


async def follow(context: Context, _: Nothing) -> AsyncIterator[ClusterStatus]:
    """The status now, and again whenever something changed."""
    changes = context.store.subscribe()
    try:
        while True:
            yield await status(context, Nothing())
            await changes.wait(REFRESH_S)
    finally:
        context.store.unsubscribe(changes)


async def read_events(context: Context, group: str = "", node: str = "") -> list[Event]:
    """Oldest first."""
    snapshot = await context.store.database.read(keys.EVENTS, timeout_s=READ_TIMEOUT_S)
    ordered = sorted(snapshot.entries, key=lambda entry: entry.revision)
    events = (msgspec.json.decode(entry.value, type=Event) for entry in ordered)
    return [event for event in events if _matches(event, group, node)]


async def events(context: Context, want: WantEvents) -> list[Event]:
    if want.limit < 1:
        raise CommandError("usage", "the limit must be at least 1")
    return (await read_events(context, want.group, want.node))[-want.limit :]


async def follow_events(context: Context, want: FollowEvents) -> AsyncIterator[Event]:
    after = want.after_revision or context.store.revision
    if want.after:
        missed, after = await _since(context, want.after)
        for event in missed:
            if _matches(event, want.group, want.node):
                yield event
    elif not want.after_revision:
        snapshot = await context.store.database.read(keys.CLUSTER, timeout_s=READ_TIMEOUT_S)
        after = snapshot.revision
    try:
        async for batch in context.store.database.watch(keys.EVENTS, after):
            for change in batch.changes:
                if change.value is not None:
                    event = msgspec.json.decode(change.value, type=Event)
                    if _matches(event, want.group, want.node):
                        yield event
    except Compacted:
        raise CommandError("impossible", "events that old are no longer in the history; use `outlast events`") from None


async def _since(context: Context, id: str) -> tuple[list[Event], int]:
    """The events after that one, and the revision up to which they are all there are."""
    snapshot = await context.store.database.read(keys.EVENTS, timeout_s=READ_TIMEOUT_S)
    known = next((entry.revision for entry in snapshot.entries if entry.key == keys.EVENTS + id), None)
    if known is None:
        raise Missing(f'there is no event "{id}" any more; `outlast events` has those that are kept')
    later = sorted((entry for entry in snapshot.entries if entry.revision > known), key=lambda entry: entry.revision)
    # Of one transaction several events may be: what came with the known one was told with it.
    return [msgspec.json.decode(entry.value, type=Event) for entry in later], snapshot.revision


def _matches(event: Event, group: str, node: str) -> bool:
    return (not group or event.group == group) and (not node or node in (event.about, event.node))


async def list_types(context: Context, _: Nothing) -> list[TypeOffer]:
    return [
        TypeOffer(offer.type, name, offer.version, offer.digest, offer.functions, offer.problem)
        for name, session in sorted(context.store.sessions.items())
        for offer in session.offers
    ]


async def verify_types(context: Context, want: WantType) -> list[TypeOffer]:
    """As `type.list`; nodes whose plugin files differ from the coordinator's are said to."""
    offers = [offer for offer in await list_types(context, Nothing()) if want.type in ("", offer.type)]
    if want.type and not offers:
        raise CommandError("usage", f'no node knows a resource type "{want.type}"')
    reference = _digests(context)
    found = []
    for offer in offers:
        differs = offer.digest != reference.get(offer.type, offer.digest)
        if not offer.problem and differs:
            words = "its files differ from the coordinator's; install the same version on all nodes"
            offer = msgspec.structs.replace(offer, problem=words)
        found.append(offer)
    return found


async def show_type(context: Context, want: WantType) -> TypeDetail:
    """One type on all nodes, and what of it there is."""
    if not want.type:
        raise CommandError("usage", "say which type")
    offers = await verify_types(context, want)
    answers = await context.surveys.ask(_up(context), want.type, CALL_TIMES, {})
    calls = [msgspec.convert(one, CallTime) for _, answer in sorted(answers.items()) for one in as_list(answer.result)]
    names = sorted(one.name for one in context.store.resources.values() if one.type == want.type)
    functions = sorted({function for offer in offers for function in offer.functions})
    return TypeDetail(want.type, tuple(functions), tuple(offers), tuple(names), tuple(calls))


async def restart_type(context: Context, want: RestartType) -> list[TypeOffer]:
    """New resource hosts for a type: its plugin is loaded anew, and if it was held back, it is no longer. Nothing that
    runs is touched."""
    up = _up(context)
    for node in want.nodes:
        context.need_node(node)
    away = sorted(set(want.nodes) - set(up))
    if away:
        raise CommandError("impossible", f"the resource hosts of {', '.join(away)} cannot be replaced: no member now")
    nodes = tuple(want.nodes) or tuple(up)
    offered = [one.node for one in await list_types(context, Nothing()) if one.type == want.type]
    if not offered and not want.nodes:
        words = f'no node knows a resource type "{want.type}"; if it has just been installed, say where: --node'
        raise CommandError("usage", words)
    nodes = tuple(node for node in nodes if want.nodes or node in offered)
    arguments = msgspec.to_builtins(Restarting(context.by))
    answers = await context.surveys.ask(list(nodes), want.type, RESTART, arguments)
    words = f"the resource hosts for {want.type} on {', '.join(nodes)} were replaced: {context.by}"
    await context.write(lambda: ([], [context.journal.event("type", words)]))
    known = {(one.type, one.node): one for one in await list_types(context, Nothing())}
    found = []
    for node in nodes:
        offer = known.get((want.type, node), TypeOffer(want.type, node, "", "", (), ""))
        found.append(msgspec.structs.replace(offer, problem=answers[node].problem))
    return found


def _up(context: Context) -> list[str]:
    return sorted(name for name in context.store.sessions if name not in context.store.silences)


def as_list(result: Json) -> list[Json]:
    """What an older version of us does not know, it answers with nothing."""
    return result if isinstance(result, list) else []


def _digests(context: Context) -> dict[str, str]:
    coordinator = context.store.coordinator
    session = context.store.sessions.get(coordinator.node) if coordinator else None
    return {offer.type: offer.digest for offer in session.offers} if session else {}


COMMANDS: dict[str, Command] = {
    "status": (Nothing, status),
    "events": (WantEvents, events),
    "type.list": (Nothing, list_types),
    "type.verify": (WantType, verify_types),
    "type.show": (WantType, show_type),
    "type.restart": (RestartType, restart_type),
}
STREAMS: dict[str, Stream] = {"follow": (Nothing, follow), "events.follow": (FollowEvents, follow_events)}
