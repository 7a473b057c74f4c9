"""Nodes: looking at them, pausing them, and an administrator's word that one is dead."""

import msgspec

from outlast.core.watchdog import proving_s
from outlast.model import keys
from outlast.model.answers import NodeFenced, NodeRow
from outlast.model.node import Proof, ProofKind, Silence
from outlast.model.view import ClusterView
from outlast.ports.database import Compare, Write
from outlast.service.commands.context import Command, CommandError, Context, Named, Nothing
from outlast.service.commands.rows import Rows
from outlast.service.store import put

STAYS_OFF = "it stays off: an administrator asked for that"


class FenceNode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    alive: bool = False
    """Also if it lives, and runs something."""
    stay_off: bool = False
    """It is not switched on again, whatever the cluster is set to."""


async def list_nodes(context: Context, _: Nothing) -> list[NodeRow]:
    rows, last = Rows(context.view()), context.observation.last_record_s()
    return [rows.node(name, last.get(name, -1.0)) for name in sorted(context.store.nodes)]


async def show(context: Context, want: Named) -> NodeRow:
    context.need_node(want.name)
    return Rows(context.view()).node(want.name, context.observation.last_record_s().get(want.name, -1.0))


async def confirm_down(context: Context, want: Named) -> str:
    """An administrator's word is proof of death (rule 4). Refused for a node that still writes session records."""
    context.need_node(want.name)
    name = want.name
    known = context.store.silences.get(name)
    if known is not None and known.proof is not None:
        return f"the death of {name} is proven already: {known.proof.words}"
    proof = Proof(ProofKind.OPERATOR, f"an administrator on {context.store.me} confirmed that it is off")

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
    if not node.fence:
        raise CommandError("impossible", f"{name} has no fence device; give it one with `outlast fence add {name}`")
    if session is None:
        raise CommandError("impossible", f"{name} has no session, so it runs nothing: there is nothing to prove")
    alive = name not in view.silences and name not in view.observed.silent_s
    if alive and not want.alive:
        raise CommandError("impossible", f"{name} is alive, and what runs there would be cut off; say that you mean it")
    assert context.fencing is not None
    report = await context.fencing.prove_off(node, session.incarnation, allowed=_on_demand)
    if not report.confirmed:
        why = "; ".join(f"{device}: {error}" for device, error in sorted(report.errors.items()))
        raise CommandError("failed", f"{name} could not be fenced, and nothing is proven: {why}")
    words = f"{report.confirmed} (an administrator on {context.store.me} asked for it)"
    proof = Proof(ProofKind.FENCE, words, report.by)

    at_risk = tuple(sorted(group.name for group in view.groups.values() if group.owner == name))

    def make() -> tuple[list[Compare], list[Write]]:
        present = context.store.sessions.get(name)
        if present is None or present.incarnation != session.incarnation:
            raise _OverAlready
        stands = context.store.silences.get(name) or Silence(name, session.incarnation, f"{name} was switched off")
        record = msgspec.structs.replace(stands, proof=proof, on_again=STAYS_OFF if want.stay_off else "")
        event = context.journal.event("node-dead", f"{name} is dead: {words}", about=name)
        compares = context.store.unchanged(keys.SILENCES + name, keys.SESSIONS + name)
        return compares, [put(keys.SILENCES + name, record), event]

    try:
        await context.write_against(name, make)
    except _OverAlready:  # the coordinator was quicker, and the node has power again
        return NodeFenced(name, f"{name} was switched off, and has begun another life since: {words}", at_risk)
    return NodeFenced(name, f"{name} is dead: {words}", at_risk)


class _OverAlready(Exception):
    """The life that was to be ended stands in the database no more."""


async def _on_demand(node: str, incarnation: str) -> bool:
    return True


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


async def pause(context: Context, want: Named) -> str:
    await _set_paused(context, want.name, paused=True)
    return f"{want.name} is paused: it keeps what it has and gets nothing new"


async def resume(context: Context, want: Named) -> str:
    await _set_paused(context, want.name, paused=False)
    return f"{want.name} takes groups again"


async def _set_paused(context: Context, name: str, *, paused: bool) -> None:
    context.need_node(name)

    def make() -> tuple[list[Compare], list[Write]]:
        record = msgspec.structs.replace(context.store.nodes[name], paused=paused)
        words = f"{name} was {'paused' if paused else 'resumed'} by an administrator on {context.store.me}"
        event = context.journal.event("node-changed", words, about=name)
        return context.store.unchanged(keys.NODES + name), [put(keys.NODES + name, record), event]

    await context.write(make)


COMMANDS: dict[str, Command] = {
    "node.list": (Nothing, list_nodes),
    "node.show": (Named, show),
    "node.confirm_down": (Named, confirm_down),
    "node.fence": (FenceNode, fence),
    "node.pause": (Named, pause),
    "node.resume": (Named, resume),
}
