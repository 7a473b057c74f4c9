"""The cluster as a whole: what it is, and nodes that shall go."""

import asyncio
import contextlib

from outlast.core.foresight.protection import provable
from outlast.model import keys
from outlast.model.answers import ClusterRow, MachineRow
from outlast.model.member import Part
from outlast.ports.database import Compare, Delete, Unavailable, Write
from outlast.service.commands.context import Command, CommandError, Context, Missing, Named, Nothing, similar
from outlast.service.commands.tokens import token_rows

MEMBERS_S = 5.0
REMOVE_S = 15.0
AGAIN_S = 0.5


async def unprovable(context: Context, _: Nothing) -> list[str]:
    """Nodes whose death nothing could prove but an administrator's word: the time to know it is before."""
    view = context.view()
    return [name for name in sorted(view.nodes) if not provable(name, view)]


async def show(context: Context, _: Nothing) -> ClusterRow:
    store = context.store
    voting: dict[str, bool] = {}
    if context.members is not None and store.members:
        voting = {member.name: not member.learner for member in await context.members.list(timeout_s=MEMBERS_S)}
    names = sorted({*store.nodes, *store.members})
    machines = []
    for name in names:
        record = store.members.get(name)
        part = record.part if record is not None else Part.NODE
        address = record.address if record is not None else store.nodes[name].address
        machines.append(MachineRow(name, part.value, address, "" if record is None else _vote(voting.get(name))))
    settings = store.settings
    left_s = context.enrolment.certificate_left_s() if context.enrolment is not None else None
    return ClusterRow(
        settings.name,
        settings.id,
        settings.node_timeout_s,
        machines,
        token_rows(store),
        store.me,
        left_s,
        await _web_fingerprint(context),
    )


async def _web_fingerprint(context: Context) -> str:
    """Not worth failing for."""
    if context.web_certificates is None:
        return ""
    with contextlib.suppress(Unavailable):
        return await context.web_certificates.known_fingerprint()
    return ""


def _vote(votes: bool | None) -> str:
    return "does not vote" if votes is None else "votes" if votes else "learns"


async def evict(context: Context, want: Named) -> str:
    """Whatever could be lost is looked at first; the member goes first, because its record says which one it is."""
    name, store = want.name, context.store
    if name not in store.nodes and name not in store.members:
        raise Missing(f'there is no node "{name}"{similar(name, {*store.nodes, *store.members})}')
    _refuse_to_evict(context, name)
    record = store.members.get(name)
    if record is not None and context.members is not None:
        await _remove_member(context, record.peer_url, name)

    def make() -> tuple[list[Compare], list[Write]]:
        _refuse_to_evict(context, name)
        of_node = (keys.NODES + name, keys.SESSIONS + name, keys.SILENCES + name, keys.MEMBERS + name)
        event = context.journal.event("node-changed", f"{name} was evicted by {context.by}", about=name)
        gone = (*of_node, *_secrets_of(context, name))
        return store.unchanged(*of_node), [*(Delete(key) for key in gone), event]

    await context.write(make)
    return f"{name} belongs to the cluster no longer"


async def leave(context: Context, _: Nothing) -> str:
    """This node goes, in order. Its session closes when its service is stopped, which who asked for it does next."""
    me, store = context.store.me, context.store
    _refuse_owner(context, me)
    if set(store.nodes) == {me}:
        raise CommandError("impossible", "it is the last node, and the cluster would be gone with it")
    record = store.members.get(me)
    if record is not None and context.members is not None:
        await _remove_member(context, record.peer_url, me)

    def make() -> tuple[list[Compare], list[Write]]:
        _refuse_owner(context, me)
        mine = (keys.NODES + me, keys.MEMBERS + me)
        event = context.journal.event("node-changed", f"{me} left the cluster for good", about=me)
        gone = (*mine, *_secrets_of(context, me))
        return store.unchanged(*mine), [*(Delete(key) for key in gone), event]

    await context.write(make)
    return f"{me} belongs to the cluster no longer"


def _secrets_of(context: Context, name: str) -> list[str]:
    node = context.store.nodes.get(name)
    return [keys.FENCE_SECRETS + device.sealed for device in (node.fence if node else ()) if device.sealed]


def _refuse_owner(context: Context, name: str, lead: str = "") -> None:
    owned = sorted(group.name for group in context.store.groups.values() if group.owner == name)
    if owned:
        raise CommandError("impossible", f"{lead}it owns {', '.join(owned)}; move them to other nodes first")


def _refuse_to_evict(context: Context, name: str) -> None:
    store = context.store
    if name == store.me:
        raise CommandError(
            "impossible", f"cannot evict {name} from itself: do it on another node, or use `cluster leave`"
        )
    _refuse_owner(context, name, f"cannot evict {name}: ")
    silence = store.silences.get(name)
    session = store.sessions.get(name)
    dead = silence is not None and silence.proof is not None
    if session is not None and not dead:
        raise CommandError(
            "impossible",
            f"cannot evict {name}: it is a living member; end it there with `outlast cluster leave`, or switch it off "
            f"and say `outlast node confirm-down {name}`",
        )


async def _remove_member(context: Context, peer_url: str, name: str) -> None:
    """etcd waits until its other members have been in contact for five seconds: soon after a change, so do we."""
    assert context.members is not None
    deadline = context.clock.now() + REMOVE_S
    while True:
        listed = await context.members.list(timeout_s=MEMBERS_S)
        member = next((member for member in listed if peer_url in member.peer_urls), None)
        if member is None:
            return
        try:
            await context.members.remove(member.id, timeout_s=MEMBERS_S)
        except ValueError as error:
            if context.clock.now() > deadline:
                words = f"cannot take {name} out of the database's members: {error}"
                raise CommandError("impossible", words) from error
            await asyncio.sleep(AGAIN_S)


COMMANDS: dict[str, Command] = {
    "cluster.unprovable": (Nothing, unprovable),
    "cluster.show": (Nothing, show),
    "node.evict": (Named, evict),
    "node.leave": (Nothing, leave),
}
