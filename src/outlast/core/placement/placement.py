"""Which node for this group?

Only nodes that could bring it online: a member, not paused, not quarantined, a possible owner, with every resource type
that the group needs loaded and unchanged, that see its disks as far as they were asked, where no volume and none of its
networks is lost that it needs, with room in their memory, and where it breaks no hard rule. Among those: who could take
also what must be with it first, then the order of preferred owners, then the fewest soft rules broken, then (of a
volume) who coordinates the fewest volumes, then the least loaded, then the fewest groups, then the name, so that the
answer is the same for the same view. What was decided a moment ago counts (`core/placement/placed.py`).
"""

from collections.abc import Iterable, Mapping

import msgspec

from outlast.core.coordinator import intake
from outlast.core.placement import networks
from outlast.core.placement.capacity import NOTHING, STEPS, Need
from outlast.core.placement.placed import Placed, members
from outlast.core.placement.sight import blind, words
from outlast.model.group import Group, Wanted
from outlast.model.node import Session
from outlast.model.view import ClusterView

__all__ = [
    "Candidates",
    "Placed",
    "candidates",
    "cut_off",
    "eligible",
    "in_order",
    "loads",
    "members",
    "type_problem",
    "why_not",
]


MOST_TOLD = 5
"""So many nodes, or reasons, are told one by one."""


class Candidates(msgspec.Struct, frozen=True):
    """Nodes that may take the group, best first; and why each of the others may not, for people."""

    nodes: tuple[str, ...]
    refused: Mapping[str, str]
    cut_off: tuple[str, ...] = ()
    """Among those that may not: where it could run, but for a network that is lost there. Best first."""

    @property
    def in_need(self) -> tuple[str, ...]:
        """For what would be down otherwise: without its network it is better than not at all."""
        return self.nodes or self.cut_off


def in_order(view: ClusterView, groups: Iterable[Group] | None = None) -> list[Group]:
    """All groups, or these, in the order in which they are looked at: by priority, then those with fewer possible
    owners, then the larger first (what is small finds room beside what is large), then by name."""
    resources, every = view.resources, len(view.nodes)

    def rank(group: Group) -> tuple[int, int, int, str]:
        sizes = (resources[name].memory_mib for name in group.resources if name in resources)
        return group.priority.rank, len(group.possible_owners) or every, -sum(sizes), group.name

    return sorted(view.groups.values() if groups is None else groups, key=rank)


def candidates(group: Group, placed: Placed, *, here: str = "") -> Candidates:
    """`here`: asked for by its present owner, so that pausing does not count."""
    able, unfit = eligible(group, placed)
    if here in unfit and not _unfit(group, here, placed, here=here):
        able, unfit = (*able, here), {name: why for name, why in unfit.items() if name != here}
    needs, judged, own = placed.need(group), placed.judge(group), placed.nodes(group.name)
    lost = networks.cut_off(group, placed.view.resources, placed.lost_networks) if placed.lost_networks else {}
    refused = dict(unfit)
    possible, in_need = [], []
    for name in able:  # asked of every node for every group: nothing here is asked twice
        why = placed.lacks(group, name) if name in own else placed.used(name).lacks(needs)
        why = why or (judged.forbids(name) if judged.rules else "")
        if why:
            refused[name] = why
        elif name in lost and name != here:
            refused[name] = lost[name].words
            if not lost[name].is_missing:
                in_need.append(name)
        else:
            possible.append(name)
    order = {name: rank for rank, name in enumerate(group.preferred_owners)}
    company = _company(group, placed)
    together = Need(needs.memory_mib + sum(placed.need(one).memory_mib for one in company)) if company else NOTHING
    weighs, worst = placed.weighs, len(order)
    coordinates = group.name in placed.volume_groups

    def rank(name: str) -> tuple[int, int, int, int, int, int, str]:
        used = placed.used(name)
        return (
            _left_out(company, together, name, placed) if company else 0,
            order.get(name, worst),
            judged.breaks(name) if judged.rules else 0,
            placed.volumes_on(name) if coordinates else 0,
            int(used.load(needs) * STEPS) if weighs else 0,
            used.groups,
            name,
        )

    possible.sort(key=rank)
    in_need.sort(key=rank)
    return Candidates(tuple(possible), refused, tuple(in_need))


def told(refused: Mapping[str, str]) -> tuple[str, ...]:
    """Why the others may not, for people and for the event log: node by node when they are few, else those with the
    same reason together, and no more than anybody reads."""
    if len(refused) <= MOST_TOLD:
        return tuple(f"not {name}: {why}" for name, why in sorted(refused.items()))
    by_reason: dict[str, list[str]] = {}
    for name, why in sorted(refused.items()):
        by_reason.setdefault(why, []).append(name)
    largest = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[1]))
    words = [f"not {_some(names)}: {why}" for why, names in largest[:MOST_TOLD]]
    left = sum(len(names) for _, names in largest[MOST_TOLD:])
    return (*words, f"nor {left} more nodes, for such reasons") if left else tuple(words)


def why_not(group: Group, node: str, placed: Placed, *, here: str = "", in_need: bool = False) -> str:
    """Why this node cannot take the group, for people; "" when it can. `here`: its present owner, which keeps it
    whatever network is lost there. `in_need`: that counts on no node."""
    return (
        _unfit(group, node, placed, here=here)
        or placed.lacks(group, node)
        or placed.judge(group).forbids(node)
        or ("" if in_need or node == here else cut_off(group, node, placed))
    )


def cut_off(group: Group, node: str, placed: Placed) -> str:
    """Which network of the group is lost on that node, for people; "" when none is."""
    lost = networks.cut_off(group, placed.view.resources, placed.lost_networks)
    return lost[node].words if node in lost else ""


def type_problem(session: Session, type_name: str) -> str:
    """Why a node with this session cannot run resources of this type; "" when it can."""
    for offer in session.offers:
        if offer.type == type_name:
            return f"its plugin for {type_name}: {offer.problem}" if offer.problem else ""
    return f"it has no plugin for {type_name}"


def loads(view: ClusterView) -> dict[str, int]:
    """How many groups each node owns that are wanted online."""
    count: dict[str, int] = {}
    for group in view.groups.values():
        if group.owner and group.wanted is Wanted.ONLINE:
            count[group.owner] = count.get(group.owner, 0) + 1
    return count


def eligible(group: Group, placed: Placed) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Nodes that could bring it online, whatever else they have; and why the others could not. Found out once for all
    groups of which the answer is the same."""
    known = placed.view.resources
    types = {known[name].type if name in known else f"?{name}" for name in group.resources}
    kind = (group.possible_owners, frozenset(types))
    found = placed.eligible.get(kind)
    if found is None:
        unfit = {name: _unfit(group, name, placed, sighted=False) for name in placed.view.nodes}
        able = tuple(name for name, why in unfit.items() if not why)
        found = placed.eligible[kind] = (able, {name: why for name, why in unfit.items() if why})
    unseen = blind(group, placed.view, placed.lost_volumes)  # of this group alone
    if not unseen:
        return found
    able, unfit = found
    no = {name: words(*unseen[name]) for name in able if name in unseen}
    return tuple(name for name in able if name not in no), {**unfit, **no}


def _some(names: list[str]) -> str:
    more = len(names) - MOST_TOLD
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:MOST_TOLD])} and {more} more"


def _unfit(group: Group, node: str, placed: Placed, *, here: str = "", sighted: bool = True) -> str:
    """`sighted`: what it sees counts."""
    view = placed.view
    if node not in placed.members:
        return "it is no member now"
    if group.possible_owners and node not in group.possible_owners:
        return "it is no possible owner of the group"
    refused = intake.refuses(view.nodes[node], placed.members[node], has_it=node == here)
    if refused:
        return refused
    for name in group.resources:
        resource = view.resources.get(name)
        if resource is None:
            return f"resource {name} is gone from the database"
        problem = type_problem(placed.members[node], resource.type)
        if problem:
            return problem
    if not sighted:
        return ""
    unseen = blind(group, view, placed.lost_volumes).get(node)
    return words(*unseen) if unseen else ""


def _company(group: Group, placed: Placed) -> list[Group]:
    """What must be on the same node, and is nowhere yet (or about to leave)."""
    if not placed.affinity.ruled(group):
        return []
    groups = placed.view.groups
    others = (groups[name] for name in placed.affinity.companions(group) if name in groups)
    return [other for other in others if other.wanted is Wanted.ONLINE and not _stays(other, placed)]


def _stays(group: Group, placed: Placed) -> bool:
    stand = placed.stand(group.name)
    return stand is not None and bool(stand.stays_on)


def _left_out(company: list[Group], together: Need, node: str, placed: Placed) -> int:
    """How much of what must be with a group could not come to that node."""
    unable = sum(1 for other in company if node not in eligible(other, placed)[0])
    return unable + (1 if placed.used(node).lacks(together) else 0)
