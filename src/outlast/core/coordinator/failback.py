"""When does a group return to the node that it left without being asked to?

`return_to` is set when its node died or was drained, or when it went to another node than the owner that it prefers
because that could not take it; and cleared when an administrator moves it. It returns as its `failback` says: never, as
soon as that node can take it, or within certain hours; and at once when an administrator resumed that node with
--failback. It is moved like any other, a few at once, only while it runs well where it is, and only to a node that has
been there for a moment: one that comes and goes gets nothing back.
"""

from outlast.core.coordinator import failing, intake
from outlast.core.coordinator.round import Round
from outlast.core.group.group_state import reported
from outlast.core.placement import networks, placement
from outlast.model.group import Group, Wanted
from outlast.model.plan import ChangeNode, ForgetReturn
from outlast.model.policy import Failback
from outlast.model.status import State
from outlast.model.view import ClusterView

SETTLED_S = 30.0
"""For so long a node must have had its session before something returns to it by itself."""
LOOK_AGAIN_S = 60.0
"""While something waits for its hours."""


def comes_back_to(group: Group, to: str, view: ClusterView) -> str | None:
    """For a group that is given to another node: where it is to return to; None: as before. That is the owner that it
    prefers to this one, if it has not failed there; else its own, if that is gone."""
    if group.failback is Failback.NEVER or group.return_to:
        return None
    failed_on = {failure.node for failure in group.failures}
    known = (name for name in group.preferred_owners if name in view.nodes and name not in failed_on)
    best = next(known, "")
    if best:
        return best if best != to else None
    if group.owner in ("", to):
        return None
    gone = group.owner in view.silences or group.owner not in view.sessions
    return group.owner if gone else None


def failback(round: Round) -> None:
    away = [group for group in round.view.groups.values() if group.return_to]
    coming: set[str] = set()
    for group in sorted(away, key=lambda group: (group.priority.rank, group.name)):
        if _is_over(group, round.view):
            round.act(ForgetReturn(group.name))
        else:
            coming.add(group.return_to)
            _send_back(group, round)
    for node in round.view.nodes.values():
        if node.calls_back and node.name not in coming:
            round.act(ChangeNode(node.name, "", calls_back=False))


def in_hours(hours: tuple[int, int], hour: int) -> bool:
    """From the beginning of the first hour to the beginning of the second; over midnight when that is not later."""
    begin, end = hours
    return begin <= hour < end if begin < end else hour >= begin or hour < end


def _is_over(group: Group, view: ClusterView) -> bool:
    """It is back, or need not go."""
    node = view.nodes.get(group.return_to)
    if node is None or (group.owner == group.return_to and not group.move_to):
        return True
    if node.calls_back:
        return group.wanted is Wanted.OFFLINE
    # Drained, and resumed without --failback: then it stays where it went.
    return group.failback is Failback.NEVER and group.return_to in view.sessions and not _refuses(group, view)


def _refuses(group: Group, view: ClusterView) -> str:
    return intake.refuses(view.nodes[group.return_to], view.sessions[group.return_to])


def _send_back(group: Group, round: Round) -> None:
    view, home = round.view, group.return_to
    if home not in round.placed.members or _refuses(group, view) or not _may_go(group, round):
        return
    if not view.nodes[home].calls_back and not _is_time(group, round):
        return
    shaky_s = networks.shaky(group, home, view)
    if shaky_s > 0:
        round.wake(shaky_s)
        return
    if placement.why_not(group, home, round.placed) or round.moves.full(group.owner, home):
        return
    asked = " is called back" if view.nodes[home].calls_back else " returns"
    why = "which it prefers" if home in group.preferred_owners else "where it was"
    round.wish_move(group, home, f"it{asked} to {home}, {why}")


def _may_go(group: Group, round: Round) -> bool:
    """It runs well where it is, and nobody keeps it there."""
    view = round.view
    if group.wanted is Wanted.OFFLINE or group.move_to or round.is_decided(group) or group.locked:
        return False
    session = round.placed.members.get(group.owner)
    if session is None or failing.in_maintenance(group, view.resources) or intake.gives_away(group.owner, view):
        return False
    status = reported(group, view.statuses.get(group.name), session.incarnation)
    return status is not None and status.state in (State.ONLINE, State.PARTIAL)


def _is_time(group: Group, round: Round) -> bool:
    view = round.view
    if group.failback is Failback.NEVER:
        return False
    if group.failback is Failback.WINDOW and not in_hours(group.failback_hours, view.observed.hour):
        round.wake(LOOK_AGAIN_S)
        return False
    left_s = SETTLED_S - view.observed.session_age_s.get(group.return_to, 0.0)
    if left_s > 0:
        round.wake(left_s)
    return left_s <= 0
