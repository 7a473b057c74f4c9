"""Which node comes and goes, and gets nothing for a while?

A node that was lost (declared silent) `quarantine_threshold` times within `quarantine_period_s` takes no group for
`quarantine_s`: each time it is lost, what runs there is down for a while. What it has it keeps: nothing is stopped
because of a suspicion. An administrator ends it with `outlast node release`.

Only a quarter of the nodes can be quarantined at once (one, in a small cluster), and never the last one that could take
anything: a VM that runs on a doubtful node is better than one that runs nowhere.
"""

from outlast.core.coordinator import intake, marks
from outlast.core.coordinator.restarts import duration
from outlast.core.coordinator.round import Round
from outlast.model.node import Node
from outlast.model.plan import ChangeNode
from outlast.model.view import ClusterView


def quarantine(round: Round) -> None:
    view = round.view
    barred = {node.name for node in view.nodes.values() if node.quarantined}
    for node in view.nodes.values():
        if node.quarantined:
            _look_at_quarantined(node, barred, round)
        elif node.losses:
            _look_at_losses(node, barred, round)


def _look_at_quarantined(node: Node, barred: set[str], round: Round) -> None:
    view = round.view
    left_s = view.settings.quarantine_s - view.observed.quarantine_age_s.get(node.name, 0.0)
    if view.settings.quarantine_threshold == 0:
        why = "nodes are not quarantined any more"
    elif left_s <= 0:
        why = f"{duration(view.settings.quarantine_s)} have passed"
    elif node.name in round.placed.members and not _others(node.name, barred, round):
        why = "no other node could take anything"
    else:
        round.wake(left_s)
        return
    words = f"{node.name} is no longer quarantined: {why}"
    round.act(ChangeNode(node.name, words, losses=(), quarantined=""))
    barred.discard(node.name)


def _look_at_losses(node: Node, barred: set[str], round: Round) -> None:
    settings = round.view.settings
    counted = marks.counted(node.losses, settings.quarantine_period_s, round.view)
    enough = 0 < settings.quarantine_threshold <= len(counted)
    if enough and len(barred) < most(round.view) and _others(node.name, barred, round):
        why = f"it was lost {len(counted)} times within {duration(settings.quarantine_period_s)}"
        words = f"{node.name} is quarantined for {duration(settings.quarantine_s)}: {why}"
        round.act(ChangeNode(node.name, words, losses=counted, quarantined=why))
        barred.add(node.name)
    elif len(counted) < len(node.losses):
        round.act(ChangeNode(node.name, "", losses=counted))
    else:
        round.wake(marks.next_expiry_s(counted, settings.quarantine_period_s, round.view))


def most(view: ClusterView) -> int:
    """How many nodes can be quarantined at once."""
    return max(1, len(view.nodes) // 4)


def _others(name: str, barred: set[str], round: Round) -> bool:
    """Is there another node that could take something?"""
    nodes = round.view.nodes
    return any(
        other != name and other not in barred and not intake.refuses(nodes[other], session)
        for other, session in round.placed.members.items()
    )
