"""Which groups are moved because a shared volume of theirs is lost on their node?

A volume that a node cannot write to any more stops what runs on it there, sooner or later: the VM pauses at its next
I/O error, or its I/O hangs and nobody says anything. When another node has told that it writes to the volume, waiting
has a limit (`limit_s` of the volume). The original waits for 30 minutes and then turns the VM off.

First it is handed over as it runs, if that is possible: what has its files open may go on in spite of all. When that
comes to nothing, or to nothing in time, it is turned off there and started elsewhere, which counts as a failure. It is
started when its owner has said that nothing of it runs any more (rule 8): a QEMU that hangs in the kernel cannot be
killed, and then the group waits, as everybody sees, until it ends or its node is proven dead.

A volume that is lost everywhere moves nothing.
"""

from collections.abc import Iterable

from outlast.core.coordinator import failing, handing_over, intake, restarts
from outlast.core.coordinator.round import Round
from outlast.core.group.group_state import reported
from outlast.core.placement import placement
from outlast.core.volume.volumes import TYPE, Volume, missed, needed, told_on
from outlast.model.group import Failure, Group, Stop, Wanted
from outlast.model.status import State
from outlast.model.view import ClusterView
from outlast.model.volume import VolumeState

LIVE_S = 60.0
"""So long a live migration may take that was begun for this: one whose I/O hangs never ends. And so long after the
limit one may still begin, as many at once as may move: who comes later than that has waited long enough."""
_RUNS = (State.ONLINE, State.PARTIAL)
_TOLD = 5


def follow_volumes(round: Round) -> None:
    """The next moves because of lost volumes."""
    lost = round.placed.lost_volumes
    if not lost:
        return
    view = round.view
    for group in placement.in_order(view, (one for one in view.groups.values() if one.owner in lost.by_node)):
        if group.name in round.placed.volume_groups or not _runs(group, round):
            continue  # its coordinator fails by itself where it does not see it
        states = missed(group, group.owner, view.resources, lost)
        if states:
            _send_away(group, states, [lost.known[one.volume] for one in states], round)


def _send_away(group: Group, states: list[VolumeState], wanted: list[Volume], round: Round) -> None:
    view, owner = round.view, group.owner
    why = words(states, owner)
    kept = failing.in_maintenance(group, view.resources)
    if kept:
        round.wait(group, f"the end of its maintenance, since {why}: {kept}")
        return
    if any(volume.limit_s < 0 for volume in wanted):
        round.wait(group, f"the volume to come back, since {why}, and its limit_s is never")
        return
    moving = group.move_to and not group.queued
    if moving and group.stop is not Stop.LIVE:
        return  # it leaves that node anyway
    target, refused = (group.move_to, "") if group.move_to else _target(group, round)
    if not target:
        round.wait(group, f"a node that sees the volume and can take it, since {why} ({refused})")
        return
    over_s = min(_lost_s(volume, owner, target, view) - volume.limit_s for volume in wanted)
    if over_s < 0:
        round.wake(-over_s)
        round.wait(group, f"the volume to come back within {-over_s:.0f} s, since {why}")
    elif moving and (tried_s := min(over_s, view.observed.moving_s.get(group.name, 0.0))) < LIVE_S:
        round.wake(LIVE_S - tried_s)
    elif not moving and over_s < LIVE_S and _goes_live(group, target, view):
        if full := round.moves.full(owner, target):
            round.wake(LIVE_S - over_s)
            round.wait(group, f"others to move, since {why}: {full}")
            return
        round.wish_move(group, target, f"{why}; it may still go as it runs", return_to=group.return_to or owner)
    elif spent := restarts.exhausted(group, view):
        round.wait(group, f"an administrator, since {why}: {spent}")
    else:
        failure = Failure(id=f"{group.name}-{group.epoch}", node=owner, why=why, at_s=0.0)
        home = group.return_to or owner
        round.wish_move(group, target, why, return_to=home, failure=failure, stop=Stop.TURN_OFF)


def _lost_s(volume: Volume, owner: str, target: str, view: ClusterView) -> float:
    """For how long its owner has been worse off than the target. When storage comes back after it was away for all, one
    node sees it first, and that is no reason to turn anything off on the others."""
    lost_s = view.observed.volume_lost_s.get(f"{owner} {volume.name}", 0.0)
    return min(lost_s, view.observed.volume_seen_s.get(f"{target} {volume.name}", 0.0))


def _target(group: Group, round: Round) -> tuple[str, str]:
    """Where it goes; else why not to any of the others, for people."""
    view = round.view
    found = placement.candidates(group, round.placed)
    refused = {name: why for name, why in found.refused.items() if name != group.owner}
    need = needed(group, round.placed.lost_volumes.known, view.resources)
    for name in found.nodes:
        unsaid = [one.name for one in need if told_on(one.name, name, view.sessions) is None]
        if name != group.owner and not unsaid:
            return name, ""
        if unsaid:
            refused[name] = f"it has not said whether it sees the volume {unsaid[0]}"
    return "", "; ".join(placement.told(refused)) or "there is no other node"


def _goes_live(group: Group, target: str, view: ClusterView) -> bool:
    tried, _ = handing_over.in_vain(group, view)
    return not tried and handing_over.how(group, target, view) is Stop.LIVE


def words(states: Iterable[VolumeState], node: str) -> str:
    """For people: "the volume v1 is lost on n1: read-only file system"."""
    return "; ".join(f"the volume {one.volume} is lost on {node}: {one.lost}" for one in states)


def _runs(group: Group, round: Round) -> bool:
    """It runs, as far as its owner can tell, and nothing else is done about it."""
    view, session = round.view, round.placed.members.get(group.owner)
    if session is None or group.wanted is Wanted.OFFLINE or round.is_decided(group):
        return False
    if intake.gives_away(group.owner, view) and not (group.move_to and not group.queued and group.stop is Stop.LIVE):
        return False  # it leaves that node anyway (core/coordinator/drain.py)
    status = reported(group, view.statuses.get(group.name), session.incarnation)
    return status is not None and status.state in _RUNS


def alarms(view: ClusterView) -> list[str]:
    """Volumes that no node sees: nothing can be done about that by moving. And those that are full."""
    members = placement.members(view)
    found = []
    for name in sorted(one.name for one in view.resources.values() if one.type == TYPE):
        told = {node: state for node in sorted(members) if (state := told_on(name, node, members)) is not None}
        if told and len(told) == len(members) and all(state.lost for state in told.values()):
            where = "; ".join(f"{node}: {state.lost}" for node, state in list(told.items())[:_TOLD])
            found.append(f"The volume {name} is lost on every node ({where})")
        elif any(state.is_full and not state.lost for state in told.values()):
            found.append(f"The volume {name} is full: what grows on it stops. Make room on it")
    return found
