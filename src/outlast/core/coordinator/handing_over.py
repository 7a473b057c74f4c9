"""Can a group be handed over to another node as it runs (live migration)? And what when that was tried in vain?

The move itself is one like any other: its owner says that nothing of it runs there any more, and only then the other
node gets it. What is different is that its state then stands on that node, complete, and goes on from there; so the
owner says that as well, and the group's new record repeats it (`Group.received_from`, adr/0013).
"""

from collections.abc import Collection

from outlast.core.coordinator import going_off, intake
from outlast.core.group.group_state import nothing_runs, reported
from outlast.model.group import AWAY, Group, Stop
from outlast.model.status import GroupStatus, Handover, State
from outlast.model.view import ClusterView

MIGRATE = "migrate"
"""The function of a resource type that hands over what is online, and nobody notices."""
HOST_PASSTHROUGH = "host-passthrough"
"""The CPU mode of a guest that sees its node's own processor."""
TRIED_AGAIN_S = 60.0
"""After so long it is tried again to hand over what a drained node could not."""


def why_not_live(group: Group, target: str, view: ClusterView) -> str:
    """Why the group cannot be handed over to that node as it runs, for people; "" when it can."""
    session = view.sessions.get(group.owner)
    status = reported(group, view.statuses.get(group.name), session.incarnation) if session is not None else None
    if status is None or status.state is not State.ONLINE:
        return f"it is {status.state.value if status is not None else 'not running'}"
    return never_live(group, view) or why_not_on(group, group.owner, view) or why_not_on(group, target, view)


def never_live(group: Group, view: ClusterView) -> str:
    """Why it can be handed over to nobody."""
    if len(group.resources) != 1:
        return f"{group.name} has several resources, and they could not go on at the same moment"
    for name in group.resources:
        resource = view.resources.get(name)
        if resource is not None and resource.host_devices:
            return f"it has {' and '.join(resource.host_devices)} of {group.owner}, and that cannot go along"
    return ""


def why_not_on(group: Group, node: str, view: ClusterView) -> str:
    """Why that node can neither give nor take it so; "" when it can."""
    session = view.sessions.get(node)
    if session is not None and not session.migration:
        return f"{node} is not set up for live migration (docs/migration.md)"
    offers = {offer.type: offer.functions for offer in session.offers} if session is not None else {}
    for name in group.resources:
        resource = view.resources.get(name)
        if resource is not None and MIGRATE not in offers.get(resource.type, ()):
            return f"{resource.type} cannot be migrated live on {node}"
        if resource is not None and resource.cpu == HOST_PASSTHROUGH and (why := _another_processor(group, node, view)):
            return why
    return ""


def _another_processor(group: Group, node: str, view: ClusterView) -> str:
    """libvirt does not compare them for who asked for the very processor of his node, and leaves it to him to see to it
    that they are alike (its documentation of <cpu>). A guest that has found features which are not there any more
    crashes."""
    here, there = view.sessions.get(group.owner), view.sessions.get(node)
    if here is None or there is None or not here.processor or not there.processor:
        return ""
    if here.processor == there.processor:
        return ""
    differ = f"{node} has another one ({there.processor}) than {group.owner} ({here.processor})"
    return f"it has the very processor of its node ({HOST_PASSTHROUGH}), and {differ}"


def how(group: Group, target: str, view: ClusterView) -> Stop:
    """How it leaves its node for that one when nobody has said it: so that nobody notices, if that is possible; else by
    its policy."""
    live = target != AWAY and not why_not_live(group, target, view)
    return Stop.LIVE if live else going_off.by_policy(group, view)


def word(group: Group, report: GroupStatus | None) -> Handover | None:
    """What its owner says of the present wish to move it; and where it stands when it was handed over, whichever wish
    that was for. `report`: one that counts for the present epoch."""
    if report is None or (report.epoch, report.node) != (group.epoch, group.owner):
        return None
    found = (one.handover for one in report.resources.values() if one.handover is not None)
    return next((one for one in found if one.done or one.move == group.moves), None)


def stands_on(group: Group, members: Collection[str], view: ClusterView) -> str:
    """The member on which it stands, complete, by the word of its owner that nothing of it runs any more; "": none.

    That word is a promise and binds also who has died, or left, since: to start it again he would have had to take it
    back. But as with everything that a silent node had, its death must be proven first (rule 4).
    """
    report = view.statuses.get(group.name)
    said = word(group, report)
    if report is None or said is None or not said.done or said.to not in members:
        return ""
    return said.to if nothing_runs(group, report, counting_life(group, report, view)) else ""


def counting_life(group: Group, report: GroupStatus, view: ClusterView) -> str:
    """The incarnation of its owner whose last word counts, also when he has died or left since; "": none, until his
    death is proven."""
    silence, session = view.silences.get(group.owner), view.sessions.get(group.owner)
    if silence is not None:
        return silence.incarnation if silence.proof is not None else ""
    if group.owner in view.observed.silent_s:
        return ""
    return session.incarnation if session is not None else report.incarnation


def in_vain(group: Group, view: ClusterView) -> tuple[str, float]:
    """Why it could not be handed over when that was tried last, and in how many seconds it is tried again; "" when it
    was not, or long ago."""
    said = word(group, view.statuses.get(group.name))
    if said is None or not said.why:
        return "", 0.0
    left_s = TRIED_AGAIN_S - view.observed.unmoved_s.get(group.name, 0.0)
    return (why_in_vain(said), left_s) if left_s > 0 else ("", 0.0)


def why_in_vain(said: Handover) -> str:
    """For people."""
    return f"it could not be {'saved' if said.saving else f'handed over to {said.to}'}: {said.why}"


def instead(group: Group, said: Handover, view: ClusterView) -> Stop:
    """How it goes all the same, when it could not go so."""
    return Stop.SHUTDOWN if said.saving else going_off.by_policy(group, view)


def shuts_down_instead(group: Group, view: ClusterView) -> bool:
    """Its node keeps nothing, so that it goes all the same."""
    return intake.keeps_nothing(group.owner, view)
