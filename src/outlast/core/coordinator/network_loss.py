"""Which groups are moved because a network of theirs is lost on their node?

The original's protected network: the virtual switch's uplink is gone, so the VM is live-migrated to a node where that
network is up; queued, and forgotten when it comes back before its turn (event 1255). As there, it is on for every
network adapter unless somebody says otherwise (`Group.protected_networks`).

A group goes only to a node that has said that the network is up there, and on which it has not only just come back;
as it runs if that is possible, else as any other planned move; a few at once. While it is up nowhere, nothing is
moved: the VM runs on without it, and everybody sees that.
"""

from outlast.core.coordinator import failing, handing_over, intake
from outlast.core.coordinator.round import Round
from outlast.core.group.group_state import reported
from outlast.core.network.links import called
from outlast.core.placement import networks, placement
from outlast.model.group import Group, Wanted
from outlast.model.network import NetworkState
from outlast.model.status import State
from outlast.model.view import ClusterView

TOLD = 5
"""So many groups are named in an alarm."""


def follow_networks(round: Round) -> None:
    """The next moves because of lost networks."""
    lost = round.placed.lost_networks
    if not lost:
        return
    for group in placement.in_order(round.view, (one for one in round.view.groups.values() if one.owner in lost)):
        missed = networks.lost_for(group, group.owner, round.view.resources, lost)
        if missed and _runs(group, round):
            _send_away(group, missed, round)


def _send_away(group: Group, missed: tuple[NetworkState, ...], round: Round) -> None:
    view, owner = round.view, group.owner
    since = f"since {words(missed, owner)}"
    kept = failing.in_maintenance(group, view.resources)
    if kept:
        round.wait(group, f"the end of its maintenance, {since}: {kept}")
        return
    if group.locked:
        round.wait(group, f"its lock to be lifted (`outlast group unlock {group.name}`), {since}: {group.locked}")
        return
    needs = networks.needed(group, view.resources)
    found = placement.candidates(group, round.placed)
    refused = {name: why for name, why in found.refused.items() if name != owner}
    targets = []
    for name in found.nodes:
        if name == owner:
            continue
        doubt = networks.why_not_up(needs, name, view)
        if doubt:
            refused[name] = doubt
            round.wake(networks.shaky(group, name, view) or None)
        else:
            targets.append(name)
    tried, again_s = handing_over.in_vain(group, view)
    if not targets:
        others = "; ".join(placement.told(refused)) or "there is no other node"
        round.wait(group, f"a node that has it and can take it, {since} ({others})")
    elif tried:
        round.wake(again_s)
        round.wait(group, f"another attempt in {again_s:.0f} s, {since}: {tried}")
    elif full := round.moves.full(owner, targets[0]):
        round.wait(group, f"its turn to move to {targets[0]}, {since}: {full}")
    else:
        round.wish_move(group, targets[0], words(missed, owner), return_to=group.return_to or owner)


def words(missed: tuple[NetworkState, ...], node: str) -> str:
    """For people: "the bridge br0 is lost on n1: its uplink eth1 has no carrier"."""
    return "; ".join(f"{called(one.network)} is lost on {node}: {one.lost}" for one in missed)


def _runs(group: Group, round: Round) -> bool:
    """It runs well but for its network, and nothing else is done about it."""
    view, session = round.view, round.placed.members.get(group.owner)
    if session is None or group.wanted is Wanted.OFFLINE or group.move_to or round.is_decided(group):
        return False
    if intake.gives_away(group.owner, view):
        return False  # it leaves that node anyway (core/coordinator/drain.py)
    status = reported(group, view.statuses.get(group.name), session.incarnation)
    return status is not None and status.state in (State.ONLINE, State.PARTIAL)


def alarms(view: ClusterView) -> list[str]:
    """Networks that are up on no node, though something needs them: nothing can be done about that by moving."""
    members = placement.members(view)
    lost = networks.lost_by_node(members)
    if not lost:
        return []
    needing: dict[str, list[str]] = {}
    for group in view.groups.values():
        if group.wanted is Wanted.ONLINE:
            for network in networks.needed(group, view.resources):
                needing.setdefault(network, []).append(group.name)
    found = []
    for network, names in sorted(needing.items()):
        told = {name: {one.network for one in session.networks} for name, session in members.items()}
        if all(network in told[name] and network in lost.get(name, {}) for name in members):
            where = "; ".join(f"{name}: {lost[name][network].lost}" for name in sorted(members))
            what = called(network)
            found.append(f"{what[0].upper()}{what[1:]} is lost on every node, and {_some(sorted(names))} ({where})")
    return found


def _some(names: list[str]) -> str:
    more = len(names) - TOLD
    listed = ", ".join(names) if more <= 0 else f"{', '.join(names[:TOLD])} and {more} more"
    return f"{listed} {'needs' if len(names) == 1 else 'need'} it"
