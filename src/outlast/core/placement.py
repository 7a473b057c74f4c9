"""Which node for this group?

Only nodes that could bring it online: a member, not paused, a possible owner, with every resource type the group
needs loaded and unchanged. Among those: the order of preferred owners first, then the node with the least
groups, then the name, so that the answer is the same for the same view.
"""

from collections.abc import Mapping

import msgspec

from outlast.model.group import Group
from outlast.model.node import Session
from outlast.model.view import ClusterView


class Candidates(msgspec.Struct, frozen=True):
    """Nodes that may take the group, best first; and why each of the others may not, for people."""

    nodes: tuple[str, ...]
    refused: Mapping[str, str]


def members(view: ClusterView) -> dict[str, Session]:
    """Nodes with an open session that nobody has reason to doubt."""
    return {
        name: session
        for name, session in view.sessions.items()
        if name in view.nodes and name not in view.silences and name not in view.observed.silent_s
    }


def candidates(group: Group, view: ClusterView, load: Mapping[str, int], *, here: str = "") -> Candidates:
    """`load`: groups per node, those placed in this very decision included. `here`: asked for by its present
    owner, so that pausing does not count."""
    alive = members(view)
    refused: dict[str, str] = {}
    possible = []
    for name in view.nodes:
        why = why_not(group, name, view, alive, here=here)
        if why:
            refused[name] = why
        else:
            possible.append(name)
    order = {name: rank for rank, name in enumerate(group.preferred_owners)}
    possible.sort(key=lambda name: (order.get(name, len(order)), load.get(name, 0), name))
    return Candidates(nodes=tuple(possible), refused=refused)


def why_not(
    group: Group, node: str, view: ClusterView, alive: Mapping[str, Session] | None = None, *, here: str = ""
) -> str:
    """Why this node cannot take the group, for people; "" when it can."""
    alive = members(view) if alive is None else alive
    if node not in alive:
        return "it is no member now"
    if group.possible_owners and node not in group.possible_owners:
        return "it is no possible owner of the group"
    if view.nodes[node].paused and node != here:
        return "it is paused"
    for name in group.resources:
        resource = view.resources.get(name)
        if resource is None:
            return f"resource {name} is gone from the database"
        problem = type_problem(alive[node], resource.type)
        if problem:
            return problem
    return ""


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
        if group.owner and group.wanted.value == "online":
            count[group.owner] = count.get(group.owner, 0) + 1
    return count
