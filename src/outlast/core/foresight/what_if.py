"""What would happen if these nodes were lost now?

The decision itself is played (`core/coordinator/failover.py`), on the view as it would be when their death is proven.
So the answer knows all that the coordinator knows: priorities, rules, room, pauses. It changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from outlast.core.coordinator.failover import NO_NODE, decide
from outlast.core.fence.agents import proving
from outlast.core.membership.watchdog import proving_s
from outlast.core.placement.admission import broken_promise
from outlast.core.placement.placed import Placed
from outlast.core.placement.placement import candidates, in_order, told
from outlast.model.foresight import Forecast, NodeAfter, Restart
from outlast.model.group import Group, Wanted
from outlast.model.node import Proof, ProofKind, Silence
from outlast.model.plan import Assign, LeaveOff
from outlast.model.view import ClusterView

LOST = "it was lost"


def node_down(view: ClusterView, lost: Sequence[str]) -> Forecast:
    """`lost`: names of nodes."""
    after = without(view, lost)
    plan = decide(after)
    assigned = {action.group: action for action in plan.actions if isinstance(action, Assign)}
    left_off = {action.group: action.why for action in plan.actions if isinstance(action, LeaveOff)}
    waiting = {waiting.group: waiting.why for waiting in plan.waiting}
    before, now = Placed(view), Placed(after)
    restarts = []
    for group in in_order(view):
        if not _concerned(group, lost, waiting, assigned):
            continue
        assign = assigned.get(group.name)
        if assign is not None:
            now.put(group, assign.owner)
            why = assign.reasons[0] if assign.reasons else assign.why
        else:
            why = left_off.get(group.name) or _waits(group, waiting.get(group.name, ""), lost, now)
        restarts.append(
            Restart(
                group=group.name,
                resources=group.resources,
                priority=group.priority.value,
                memory_mib=now.need(group).memory_mib,
                owner=group.owner,
                to=assign.owner if assign else "",
                why=why,
            )
        )
    return Forecast(
        lost=tuple(lost),
        restarts=tuple(restarts),
        nodes=tuple(_node_after(name, before, now) for name in sorted(now.members)),
        notes=tuple(_notes(view, lost, now, restarts)),
    )


def without(view: ClusterView, lost: Collection[str]) -> ClusterView:
    """The same cluster, with these nodes proven dead. If the one that decides is among them, another one decides."""
    silences, silent_s = dict(view.silences), dict(view.observed.silent_s)
    for name in lost:
        session, known = view.sessions.get(name), view.silences.get(name)
        if session is None and known is None:
            continue  # it left in order: nothing of it is lost
        incarnation = known.incarnation if known is not None else session.incarnation if session is not None else ""
        proof = Proof(ProofKind.OPERATOR, LOST)
        silences[name] = Silence(name, incarnation, f"{name} is lost", proof=proof)
        silent_s[name] = max(silent_s.get(name, 0.0), view.settings.node_timeout_s)
    me = next((name for name in sorted(view.sessions) if name not in silences), view.me)
    return msgspec.structs.replace(
        view,
        me=view.me if view.me not in lost else me,
        silences=silences,
        observed=msgspec.structs.replace(view.observed, silent_s=silent_s),
    )


def _concerned(group: Group, lost: Collection[str], waiting: Mapping[str, str], assigned: Mapping[str, Assign]) -> bool:
    """It ran on a lost node, or something would become of it that it waits for already."""
    if group.wanted is Wanted.OFFLINE:
        return False
    return group.owner in lost or (not group.owner and (group.name in waiting or group.name in assigned))


def _waits(group: Group, why: str, lost: Collection[str], now: Placed) -> str:
    if not why.startswith(NO_NODE):
        return f"it would wait for {why}" if why else "nothing would be decided about it"
    refused = {name: reason for name, reason in candidates(group, now).refused.items() if name not in lost}
    return "; ".join(("no node that is left could take it", *told(refused)))


def _node_after(name: str, before: Placed, now: Placed) -> NodeAfter:
    used = now.used(name)
    return NodeAfter(
        name=name,
        groups_before=before.used(name).groups,
        groups_after=used.groups,
        memory_mib=used.has_mib,
        memory_left_mib=used.free_mib or 0,
    )


def _notes(view: ClusterView, lost: Sequence[str], now: Placed, restarts: Sequence[Restart]) -> Iterable[str]:
    if not now.members:
        yield "no node would be left"
        return
    yield from _votes(view, lost)
    owners = {restart.owner for restart in restarts}
    for name in lost:
        if name in owners and not _provable(name, view):
            yield (
                f"the death of {name} could not be proven: it has neither a fence device nor a watchdog that counts as "
                f"proof. All this waits for `outlast node confirm-down {name}`"
            )
    broken = broken_promise(now) if all(restart.to for restart in restarts) else ""
    if broken:
        yield f"afterwards: {broken}"


def _votes(view: ClusterView, lost: Sequence[str]) -> Iterable[str]:
    """Nothing of all this comes true while nobody can decide."""
    then = "nothing would be decided, until an administrator sees to it (`outlast cluster force-quorum`)"
    voters, vital = view.observed.voters, [name for name in lost if name in view.observed.vital]
    gone = sorted(name for name in voters if name in lost)
    if vital:
        yield f"the cluster database would stop with {_listed(vital)}: {then}"
    elif len(voters) > 2 and 2 * (len(voters) - len(gone)) <= len(voters):
        yield f"{_listed(gone)} would take {len(gone)} of {len(voters)} votes of the cluster database along: {then}"


def _provable(node: str, view: ClusterView) -> bool:
    session, record = view.sessions.get(node), view.nodes.get(node)
    fenced = record is not None and bool(proving(record.fence))
    return fenced or (session is not None and proving_s(session, view.settings) > 0)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
