"""Are the coordinators of shared volumes spread over the nodes?

The original spreads them by their number, whenever a node has joined or was lost (CsvBalancer). Moving one costs
nothing that anybody notices: it takes a moment in which nothing can be changed on that volume. So one at a time goes
from the node that has the most to one that has two fewer, and only when nothing else is being done.
"""

from outlast.core.coordinator import failing, intake
from outlast.core.coordinator.round import Round
from outlast.core.group.group_state import reported
from outlast.core.placement import placement
from outlast.model.group import Group, Wanted
from outlast.model.status import State

SETTLES_S = 30.0
"""So long nothing has changed hands, and no node has come or gone."""


def spread(round: Round) -> None:
    placed, view = round.placed, round.view
    if len(placed.volume_groups) < 2 or round.acts():
        return
    groups = [view.groups[name] for name in sorted(placed.volume_groups) if name in view.groups]
    if any(group.move_to for group in groups):
        return
    counts = {name: placed.volumes_on(name) for name in placed.members}
    most = max(counts.values(), default=0)
    for group in groups:
        if counts.get(group.owner) != most or not _may_move(group, round):
            continue
        target = next((name for name in placement.candidates(group, placed).nodes if counts[name] <= most - 2), "")
        if target and group.owner not in group.preferred_owners:
            if view.observed.calm_s < SETTLES_S:
                round.wake(SETTLES_S - view.observed.calm_s)
                return
            why = f"{group.owner} coordinates {most} volumes, and {target} {counts[target]}"
            round.wish_move(group, target, why)
            return


def _may_move(group: Group, round: Round) -> bool:
    view, session = round.view, round.placed.members.get(group.owner)
    if session is None or group.wanted is Wanted.OFFLINE or group.locked or intake.gives_away(group.owner, view):
        return False
    if failing.in_maintenance(group, view.resources):
        return False
    status = reported(group, view.statuses.get(group.name), session.incarnation)
    return status is not None and status.state is State.ONLINE
