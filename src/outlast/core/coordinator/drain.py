"""How does a node get empty?

Of a node that is drained, or whose machine is being shut down, each group goes to the best other node, in order of
priority and only a few at once (`core/coordinator/moves.py`). A group is moved as always: its owner takes it offline,
reports that nothing of it runs, and only then another node gets it. What can go nowhere stays and runs on, and says
what it waits for; by force it is taken offline, which leaves what is wanted of it as it is: once some node can take it
(also this one, when it is resumed) it comes back online.

A lock is respected, but by force. What is in maintenance is left alone also by force: somebody is at work on it.
"""

import msgspec

from outlast.core.coordinator import failing, handing_over, intake, restarts
from outlast.core.coordinator.round import Round
from outlast.core.group.group_state import nothing_runs, reported
from outlast.core.placement import placement
from outlast.model.answers import Outlook
from outlast.model.group import AWAY, Group, Wanted
from outlast.model.plan import ClearMove
from outlast.model.policy import Priority
from outlast.model.status import GroupStatus, State
from outlast.model.view import ClusterView

SHOWN = 5
"""More groups than that are not listed by name."""


def drain(round: Round) -> None:
    """The next steps for all nodes that are to get empty."""
    view = round.view
    nodes = {name for name in round.placed.members if intake.gives_away(name, view)}
    if not nodes:
        return
    owned = (group for group in view.groups.values() if group.owner in nodes)
    for group in placement.in_order(view, owned):
        if group.wanted is Wanted.ONLINE and not group.move_to and not round.is_decided(group):
            _give_away(group, round)


def _give_away(group: Group, round: Round) -> None:
    view, owner = round.view, group.owner
    status = reported(group, view.statuses.get(group.name), view.sessions[owner].incarnation)
    if status is not None and (status.state is State.UNKNOWN or _is_off(group, view, failed=True)):
        return  # what is to be done about that is said where failures are looked at (core/coordinator/failover.py)
    since = f"since {intake.why_it_gives_away(owner, view)}"
    forced = intake.keeps_nothing(owner, view)
    kept = failing.in_maintenance(group, view.resources)
    if kept:
        round.wait(group, f"the end of its maintenance, {since}: {kept}")
        return
    if group.locked and not forced:
        round.wait(group, f"its lock to be lifted (`outlast group unlock {group.name}`), {since}: {group.locked}")
        return
    found = placement.candidates(group, round.placed)
    target = next((name for name in (found.in_need if forced else found.nodes) if name != owner), "")
    return_to = group.return_to or owner
    why = intake.why_it_gives_away(owner, view)
    if not target and _stays_off_after_the_boot(group, view):
        round.leave_off(group, f"{why}, no other node can take it, and its priority is {group.priority.value}")
    elif not target and forced:
        reason = f"{why}, and no other node can take it ({_refused(found, owner)})"
        round.wish_move(group, AWAY, reason, return_to=return_to)
    elif not target:
        round.wait(group, f"a node that can take it, {since} ({_refused(found, owner)})")
    elif full := round.moves.full(owner, target):
        round.wait(group, f"its turn to move to {target}, {since}: {full}")
    elif not forced and (tried := handing_over.in_vain(group, view))[0]:
        round.wake(tried[1])
        words = f"another attempt in {tried[1]:.0f} s, {since}: {tried[0]}"
        round.wait(group, f"{words} (`outlast node drain {owner} --force` shuts it down instead)")
    else:
        round.wish_move(group, target, why, return_to=return_to)


def _stays_off_after_the_boot(group: Group, view: ClusterView) -> bool:
    """It starts by an administrator's word only. Once it is off, nobody can tell whether that word was carried out."""
    if group.priority is not Priority.NO_AUTO_START or not intake.is_shut_down(group.owner, view):
        return False
    return not _is_off(group, view)


def goes_elsewhere(group: Group, round: Round, problem: str) -> bool:
    """The node where it was to go cannot take it any more: can another one, so that it need not be started once more
    on the node that it leaves? What still runs waits for its turn there. What is down, or on its way down, does not:
    how much a node takes in at once spares the node work, and is no reason to keep anything down."""
    owner, view = group.owner, round.view
    if not intake.gives_away(owner, view) or failing.in_maintenance(group, view.resources):
        return False
    nodes = [name for name in placement.candidates(group, round.placed).nodes if name != owner]
    free = [name for name in nodes if not round.moves.has_its_hands_full(name)]
    report = view.statuses.get(group.name)
    if nodes and not free and reported(group, report, view.sessions[owner].incarnation) is None:
        round.wait(group, f"{owner} to say what of it runs, since {group.move_to} cannot take it: {problem}")
        return True
    target = next(iter(free or ([] if _still_serves(report) else nodes)), "")
    if target:
        why = intake.why_it_gives_away(owner, view)
        round.wish_move(group, target, f"{why}, and {group.move_to} cannot take it: {problem}")
    return bool(target)


def _still_serves(report: GroupStatus | None) -> bool:
    """Some of it is online, and nothing of it has begun to stop."""
    states = {one.state for one in report.resources.values()} if report is not None else set()
    return State.ONLINE in states and State.OFFLINE_PENDING not in states


def look_away(group: Group, round: Round, *, all_off: bool) -> None:
    """A group that is to leave its living owner, wherever it may go. `all_off`: nothing of it runs, as reported."""
    owner = group.owner
    if group.wanted is Wanted.OFFLINE or not intake.keeps_nothing(owner, round.view):
        round.act(ClearMove(group.name, f"{owner} keeps it"))
        return
    why = intake.why_it_gives_away(owner, round.view)
    if not all_off:
        round.wait(group, f"{owner} to take it offline, since {why}")
        return
    found = placement.candidates(group, round.placed)
    target = next((name for name in found.in_need if name != owner), "")
    if target:
        round.assign(group, target, f"it had to leave {owner}: {why}", (f"{target}: the first that can take it",))
    else:
        round.wait(group, f"a node that can take it, since {why} ({_refused(found, owner)})")


def left(view: ClusterView, node: str) -> list[Group]:
    """What may still run on a node, as far as it has said, or is just being handed over; most urgent first. Empty: it
    can be switched off."""
    if node not in view.sessions:
        return []
    owned = (group for group in view.groups.values() if group.owner == node)
    handed_over = ("", AWAY, node)
    return placement.in_order(
        view, [group for group in owned if group.move_to not in handed_over or not _is_off(group, view)]
    )


class Down(msgspec.Struct, frozen=True):
    """What is wanted online and is off, of the groups that a node without anything running still owns."""

    stranded: tuple[Group, ...] = ()
    """No other node can take it."""
    coming: tuple[Group, ...] = ()
    """Another node is about to get it."""
    kept: tuple[Group, ...] = ()
    """It is down for a reason of its own: it failed for good, is locked or in maintenance."""


def down(view: ClusterView, node: str) -> Down:
    """Of a silent node nothing is said: who knows what runs there?"""
    if node in view.silences:
        return Down()
    gone, staying = node not in view.sessions, ("", AWAY, node)
    owned = (group for group in view.groups.values() if group.owner == node and group.wanted is Wanted.ONLINE)
    off = [group for group in owned if gone or (group.move_to in staying and _is_off(group, view))]
    if not off:
        return Down()
    stranded, coming, kept = [], [], []
    placed = Round(view).placed
    for group in placement.in_order(view, off):
        if not gone and _is_kept(group, view):
            kept.append(group)
        elif target := next((name for name in placement.candidates(group, placed).nodes if name != node), ""):
            placed.put(group, target)
            coming.append(group)
        else:
            stranded.append(group)
    return Down(tuple(stranded), tuple(coming), tuple(kept))


def _is_kept(group: Group, view: ClusterView) -> bool:
    if failing.in_maintenance(group, view.resources):
        return True
    if group.locked and not intake.keeps_nothing(group.owner, view):
        return True
    return _is_off(group, view, failed=True) and bool(restarts.exhausted(group, view))


def standing(view: ClusterView, node: str) -> tuple[str, str] | None:
    """The state of a member that takes no group, and why, for people; None when it does."""
    record = view.nodes[node]
    if intake.gives_away(node, view):
        why = intake.why_it_gives_away(node, view)
        groups = [group.name for group in left(view, node)]
        if not groups:
            return "drained", f"{why}, and nothing runs there"
        return "draining", f"{why}: {len(groups)} to go ({', '.join(groups[:SHOWN])}{', ...' * (len(groups) > SHOWN)})"
    if record.quarantined:
        return "quarantined", f"{record.quarantined}: it keeps what it has and gets nothing new"
    if record.paused:
        return "paused", "an administrator paused it: it keeps what it has and gets nothing new"
    return None


def outlook(view: ClusterView, node: str, *, force: bool) -> list[Outlook]:
    """For each group that runs there, in the order in which they would go."""
    record = msgspec.structs.replace(view.nodes[node], paused=True, draining=True, force_drain=force)
    round = Round(msgspec.structs.replace(view, nodes={**view.nodes, node: record}))
    found = []
    for group in left(round.view, node):
        one = _outlook(group, round, force=force)
        if one.to:
            round.placed.put(group, one.to)
        found.append(one)
    return found


def _outlook(group: Group, round: Round, *, force: bool) -> Outlook:
    if group.wanted is Wanted.OFFLINE:
        return Outlook(group.name, "", "it is on its way offline")
    kept = failing.in_maintenance(group, round.view.resources)
    if kept:
        return Outlook(group.name, "", f"it is in maintenance: {kept}")
    if group.locked and not force:
        return Outlook(group.name, "", f"it is locked: {group.locked}")
    found = placement.candidates(group, round.placed)
    target = next((name for name in found.nodes if name != group.owner), "")
    return Outlook(group.name, target, "" if target else _refused(found, group.owner))


def _is_off(group: Group, view: ClusterView, *, failed: bool = False) -> bool:
    """Has its owner reported that nothing of it runs? `failed`: and that it failed."""
    session, report = view.sessions.get(group.owner), view.statuses.get(group.name)
    if session is None or report is None or not nothing_runs(group, report, session.incarnation):
        return False
    return not failed or any(one.state is State.FAILED for one in report.resources.values())


def _refused(found: placement.Candidates, owner: str) -> str:
    reasons = [f"{name}: {why}" for name, why in sorted(found.refused.items()) if name != owner]
    return "; ".join(reasons) or "there is no other node"
