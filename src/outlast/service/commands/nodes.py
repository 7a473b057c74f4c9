"""Nodes: looking at them, and an administrator's word that one is dead."""

import asyncio
import contextlib

import msgspec

from outlast.core.fence.agents import proving
from outlast.core.membership.watchdog import proving_s
from outlast.model import keys
from outlast.model.answers import NodeFenced, NodeRow
from outlast.model.node import Node, Proof, ProofKind, Silence
from outlast.model.view import ClusterView, FenceReport
from outlast.ports.database import Compare, Write
from outlast.service.commands.context import Command, CommandError, Context, Named, Nothing
from outlast.service.commands.rows import Rows
from outlast.service.store import Store, put

STAYS_OFF = "it stays off: an administrator asked for that"


class FenceNode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    alive: bool = False
    """Also if it lives, and runs something."""
    stay_off: bool = False
    """It is not switched on again, whatever the cluster is set to."""


async def list_nodes(context: Context, _: Nothing) -> list[NodeRow]:
    rows, last = _rows(context), context.observation.last_record_s()
    return [rows.node(name, last.get(name, -1.0)) for name in sorted(context.store.nodes)]


def _rows(context: Context) -> Rows:
    return Rows(context.view(), no_session=context.membership.why_not)


async def show(context: Context, want: Named) -> NodeRow:
    context.need_node(want.name)
    return _rows(context).node(want.name, context.observation.last_record_s().get(want.name, -1.0))


async def confirm_down(context: Context, want: Named) -> str:
    """An administrator's word is proof of death (rule 4). Refused for a node that still writes session records."""
    context.need_node(want.name)
    name = want.name
    known = context.store.silences.get(name)
    if known is not None and known.proof is not None:
        return f"the death of {name} is proven already: {known.proof.words}"
    proof = Proof(ProofKind.OPERATOR, f"{context.by} confirmed that it is off")

    def make() -> tuple[list[Compare], list[Write]]:
        # Judged anew with each attempt: what refused the last one may be the node, which came back.
        record = msgspec.structs.replace(_silence(context.view(), name), proof=proof)
        event = context.journal.event("node-dead", f"{name} is dead: {proof.words}", about=name)
        compares = context.store.unchanged(keys.SILENCES + name, keys.SESSIONS + name)
        return compares, [put(keys.SILENCES + name, record), event]

    await context.write_against(name, make)
    return f"{name} is taken for dead; its groups are brought online elsewhere"


async def fence(context: Context, want: FenceNode) -> NodeFenced:
    """Switch a node off by its fence devices, now, and write down that it is dead."""
    context.need_node(want.name)
    view, name = context.view(), want.name
    node, session = view.nodes[name], view.sessions.get(name)
    if name == context.store.me:
        raise CommandError("usage", f"{name} cannot switch itself off and tell the others; ask it of another node")
    if not proving(node.fence):
        raise CommandError(
            "impossible",
            f"{name} has no fence device that could prove its death; give it one with `outlast fence add {name}`",
        )
    if session is None:
        raise CommandError("impossible", f"{name} has no session, so it runs nothing: there is nothing to prove")
    alive = name not in view.silences and name not in view.observed.silent_s
    if alive and not want.alive:
        raise CommandError("impossible", f"{name} is alive, and what runs there would be cut off; say that you mean it")
    at_risk = tuple(sorted(group.name for group in view.groups.values() if group.owner == name))
    report = await _switched_off(context, node, session.incarnation)
    if report is None:
        return NodeFenced(name, f"{name} is dead: {_over(context.store, name, session.incarnation)}", at_risk)
    if not report.confirmed:
        why = "; ".join(f"{device}: {error}" for device, error in sorted(report.errors.items()))
        raise CommandError("failed", f"{name} could not be fenced, and nothing is proven: {why}")
    words = f"{report.confirmed} ({context.by} asked for it)"
    proof = Proof(ProofKind.FENCE, words, report.by)

    def make() -> tuple[list[Compare], list[Write]]:
        if _over(context.store, name, session.incarnation):
            raise _OverAlready
        stands = context.store.silences.get(name) or Silence(name, session.incarnation, f"{name} was switched off")
        record = msgspec.structs.replace(stands, proof=proof, on_again=STAYS_OFF if want.stay_off else "")
        event = context.journal.event("node-dead", f"{name} is dead: {words}", about=name)
        compares = context.store.unchanged(keys.SILENCES + name, keys.SESSIONS + name)
        return compares, [put(keys.SILENCES + name, record), event]

    with contextlib.suppress(_OverAlready):
        await context.write_against(name, make)
    return NodeFenced(name, f"{name} is dead: {words}", at_risk)


class _OverAlready(Exception):
    """That the life is over stands in the database already."""


async def _switched_off(context: Context, node: Node, incarnation: str) -> FenceReport | None:
    """None when somebody else was quicker to prove that this life is over: from then on its devices are not asked any
    more, for the node may have been switched on again."""
    store = context.store
    assert context.fencing is not None

    async def allowed(name: str, of: str) -> bool:
        return not _over(store, name, of)

    changes = store.subscribe(keys.SILENCES, keys.SESSIONS)
    proving = asyncio.ensure_future(context.fencing.prove_off(node, incarnation, allowed=allowed))
    try:
        while not proving.done() and not _over(store, node.name, incarnation):
            changed = asyncio.ensure_future(changes.wait())
            await asyncio.wait([proving, changed], return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
        return None if _over(store, node.name, incarnation) else proving.result()
    finally:
        proving.cancel()
        store.unsubscribe(changes)


def _over(store: Store, node: str, incarnation: str) -> str:
    """Why the node's life is certainly over, as it stands in the database; "" when it does not."""
    session, silence = store.sessions.get(node), store.silences.get(node)
    if session is None or session.incarnation != incarnation:
        return f"it has begun another life since it had {incarnation}"
    return silence.proof.words if silence is not None and silence.proof is not None else ""


def _silence(view: ClusterView, name: str) -> Silence:
    session = view.sessions.get(name)
    if session is None:
        raise CommandError("impossible", f"{name} has no session: there is nothing to confirm")
    silence = view.silences.get(name)
    if silence is not None:
        return silence
    if name not in view.observed.silent_s:
        raise CommandError(
            "impossible", f"{name} is alive: it wrote a session record just now. Switch it off first; its VMs run there"
        )
    words = f"{name} wrote no session record for {view.observed.silent_s[name]:.1f} s"
    return Silence(name, session.incarnation, words, proving_s(session, view.settings))


COMMANDS: dict[str, Command] = {
    "node.list": (Nothing, list_nodes),
    "node.show": (Named, show),
    "node.confirm_down": (Named, confirm_down),
    "node.fence": (FenceNode, fence),
}
