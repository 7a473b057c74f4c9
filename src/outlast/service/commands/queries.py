"""Looking at the cluster: status, events, resource types."""

from collections.abc import AsyncIterator

import msgspec

from outlast.model import keys
from outlast.model.answers import ClusterStatus, TypeOffer
from outlast.model.event import Event
from outlast.ports.database import Compacted
from outlast.service.commands.context import Command, CommandError, Context, Nothing, Stream
from outlast.service.commands.rows import Rows
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


class WantType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str = ""


async def status(context: Context, _: Nothing) -> ClusterStatus:
    quorum = await context.voters.quorum.narrow() if context.voters.quorum is not None else ""
    view = context.view()
    row = Rows(view).status(context.store.me, context.membership.why_not, context.observation.last_record_s())
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
    if not want.after_revision:
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


def _digests(context: Context) -> dict[str, str]:
    coordinator = context.store.coordinator
    session = context.store.sessions.get(coordinator.node) if coordinator else None
    return {offer.type: offer.digest for offer in session.offers} if session else {}


COMMANDS: dict[str, Command] = {
    "status": (Nothing, status),
    "events": (WantEvents, events),
    "type.list": (Nothing, list_types),
    "type.verify": (WantType, verify_types),
}
STREAMS: dict[str, Stream] = {"follow": (Nothing, follow), "events.follow": (FollowEvents, follow_events)}
