"""Who has what, as far as placing is concerned: as the view says, and as has been decided since.

A group counts where something of it may run: on its owner while it is wanted online, or while its owner has not said
that nothing of it runs; and where it moves to. A group whose owner is proven dead, or has left in order, counts
nowhere.
"""

from outlast.core.coordinator import intake
from outlast.core.placement.affinity import Affinity, Judgement, Stand
from outlast.core.placement.capacity import Need, Used, need
from outlast.core.placement.networks import lost_by_node
from outlast.core.volume.volumes import TYPE, lost_on
from outlast.model.group import Group, Wanted
from outlast.model.node import Session
from outlast.model.status import State
from outlast.model.view import ClusterView

OFF = (State.OFFLINE, State.FAILED)


def members(view: ClusterView) -> dict[str, Session]:
    """Nodes with an open session that nobody has reason to doubt."""
    return {
        name: session
        for name, session in view.sessions.items()
        if name in view.nodes and name not in view.silences and name not in view.observed.silent_s
    }


def is_off(group: Group, view: ClusterView) -> bool:
    """Does nothing of it run on its owner? So that has said, in this life and at the present epoch; or it begins a new
    life: whatever ran in the last one it has stopped before that (rule 6)."""
    status, session = view.statuses.get(group.name), view.sessions.get(group.owner)
    if status is None or session is None or (status.epoch, status.node) != (group.epoch, group.owner):
        return False
    return status.incarnation != session.incarnation or all(one.state in OFF for one in status.resources.values())


class Placed:
    def __init__(self, view: ClusterView) -> None:
        self.view = view
        self.members = members(view)
        self.lost_networks = lost_by_node(self.members)
        """Members to what is lost there of the networks that guests need. Mostly empty."""
        self.lost_volumes = lost_on(self.members, view.resources)
        """The shared volumes that members have lost. Mostly none."""
        self.eligible: dict[object, tuple[tuple[str, ...], dict[str, str]]] = {}
        """What `core/placement/placement.py` has found out about groups of one kind."""
        self._used = {name: Used(view.sessions.get(name)) for name in view.nodes}
        self.weighs = all(used.has_mib or used.has_cpus for name, used in self._used.items() if name in self.members)
        """Can the nodes be compared by their memory and processors? Not when one of them does not say what it has."""
        self._needs: dict[str, Need] = {}
        self._nodes: dict[str, tuple[str, ...]] = {}
        """Group to where it counts, the node where it will be last."""
        for group in view.groups.values():
            nodes = self._as_seen(group)
            if nodes:
                self._count(group, nodes)
        self.volume_groups = frozenset(one.group for one in view.resources.values() if one.type == TYPE)
        """Those that coordinate shared volumes."""
        self.affinity = Affinity(view, self.stand)

    def put(self, group: Group, node: str, *, coming_from: str = "") -> None:
        """It was given to that node; or it is to move there, and counts where it comes from, too."""
        self.take(group)
        self._count(group, (coming_from, node) if coming_from else (node,))

    def take(self, group: Group) -> None:
        """It is nowhere any more."""
        for name in self._nodes.pop(group.name, ()):
            self._used[name].add(self.need(group), -1)

    def restore(self, group: Group, nodes: tuple[str, ...]) -> None:
        """It counts there again, as `nodes` had it before."""
        self.take(group)
        if nodes:
            self._count(group, nodes)

    def need(self, group: Group) -> Need:
        found = self._needs.get(group.name)
        if found is None:
            found = self._needs[group.name] = need(group, self.view.resources)
        return found

    def used(self, node: str) -> Used:
        """What that node has, and has given away."""
        return self._used[node]

    def volumes_on(self, node: str) -> int:
        """How many shared volumes it coordinates."""
        return sum(1 for name in self.volume_groups if node in self._nodes.get(name, ()))

    def nodes(self, group: str) -> tuple[str, ...]:
        """Where the group counts: its owner, and where it moves to."""
        return self._nodes.get(group, ())

    def stand(self, group: str) -> Stand | None:
        nodes = self._nodes.get(group)
        if not nodes:
            return None
        last = nodes[-1]
        return Stand(nodes, "" if last not in self.view.nodes or intake.gives_away(last, self.view) else last)

    def judge(self, group: Group) -> Judgement:
        """What the rules say of this group now."""
        return self.affinity.judge(group)

    def lacks(self, group: Group, node: str) -> str:
        """Why that node has no room for the group, for people; "" when it has. What it holds for it already counts."""
        if node in self._nodes.get(group.name, ()):
            group_needs = self.need(group)
            used = self._used[node]
            used.add(group_needs, -1)
            words = used.lacks(group_needs)
            used.add(group_needs)
            return words
        return self._used[node].lacks(self.need(group))

    def _count(self, group: Group, nodes: tuple[str, ...]) -> None:
        known = tuple(name for name in nodes if name in self._used)
        self._nodes[group.name] = known
        needs = self.need(group)
        for name in known:
            self._used[name].add(needs)

    def _as_seen(self, group: Group) -> tuple[str, ...]:
        owner = group.owner
        if not owner or not self._may_run(owner) or (group.wanted is Wanted.OFFLINE and is_off(group, self.view)):
            return ()
        return (owner, group.move_to) if group.move_to and group.move_to != owner else (owner,)

    def _may_run(self, node: str) -> bool:
        """May it run anything?"""
        silence = self.view.silences.get(node)
        return node in self.view.sessions if silence is None else silence.proof is None
