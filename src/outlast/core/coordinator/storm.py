"""May one more node be fenced, or is this a storm?

When something is wrong with the network, with a fence device, or with Outlast itself, one node after the other could be
called silent and switched off. So only `most_fenced` nodes are fenced within `fence_period_s`; then an administrator is
asked (`outlast cluster release`), or the time has to pass. What proves a death without switching anything off, a
watchdog's time or an administrator's word, is not held back.

By default half of the nodes may be fenced, and six at least. Up to seven nodes, the most that vote in the database, a
cluster goes on down to its last node by proving one death after the other (docs/quorum.md), and nothing here stands in
its way: what is lost at once there, the majority of the database guards. A node that is fenced twice counts once.
"""

from outlast.core.coordinator import marks
from outlast.core.coordinator.restarts import duration
from outlast.core.fence.agents import proving
from outlast.model.node import Silence
from outlast.model.plan import Action, ChangeNode
from outlast.model.view import ClusterView

LEAST = 6
"""One less than vote at most: so many are fenced when seven nodes are lost one after the other, down to the last."""


class Guard:
    """Who was fenced of late, as the view says; and whose fencing has been decided since."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._fenced = lately(view)

    def spares(self, silence: Silence) -> str:
        """Why that node is not fenced now, for people; "" when it may be."""
        node = self._view.nodes.get(silence.node)
        if node is None or not proving(node.fence) or silence.node in self._fenced:
            return ""
        if marks.among(marks.fencing(silence.incarnation), node.fenced):
            return ""  # it has begun
        if len(self._fenced) < limit(self._view):
            return ""
        return f"the storm guard stands: {words(self._fenced, self._view)}; `outlast cluster release` lets it go on"

    def fenced(self, node: str) -> None:
        self._fenced = (*self._fenced, node) if node not in self._fenced else self._fenced


def limit(view: ClusterView) -> int:
    most = view.settings.most_fenced
    return most if most >= 0 else max(LEAST, len(view.nodes) // 2)


def lately(view: ClusterView) -> tuple[str, ...]:
    """The nodes that were fenced within the period."""
    period_s = view.settings.fence_period_s
    return tuple(name for name, node in view.nodes.items() if marks.counted(node.fenced, period_s, view))


def words(fenced: tuple[str, ...], view: ClusterView) -> str:
    if not fenced:
        return "no node is fenced without an administrator's word (most_fenced is 0)"
    many = f"{len(fenced)} node{'s were' if len(fenced) > 1 else ' was'} fenced"
    return f"{many} within {duration(view.settings.fence_period_s)} ({', '.join(fenced)}), and {limit(view)} may be"


def noted(silence: Silence, spared: str, view: ClusterView) -> list[Action]:
    """That a node is spared, or no longer, is written down once."""
    node = view.nodes.get(silence.node)
    if node is None or bool(spared) == (node.spared == silence.incarnation):
        return []
    if not spared:
        return [ChangeNode(node.name, "", spared="")]
    return [ChangeNode(node.name, f"{node.name} is not fenced: {spared}", spared=silence.incarnation)]


def forget(view: ClusterView) -> tuple[list[Action], float | None]:
    """Fencings that count no more; and in how many seconds the next one will."""
    actions: list[Action] = []
    next_s = []
    for node in view.nodes.values():
        if node.fenced:
            counted = marks.counted(node.fenced, view.settings.fence_period_s, view)
            if len(counted) < len(node.fenced):
                actions.append(ChangeNode(node.name, "", fenced=counted))
            else:
                left_s = marks.next_expiry_s(counted, view.settings.fence_period_s, view)
                next_s += [left_s] if left_s is not None else []
    return actions, min(next_s, default=None)
