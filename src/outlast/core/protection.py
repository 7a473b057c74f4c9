"""Is a group protected: would it run again by itself if its node died now? If not, why not?"""

from collections.abc import Mapping

import msgspec

from outlast.core import placement, restarts
from outlast.core.watchdog import proving_s
from outlast.model.group import Group
from outlast.model.view import ClusterView


class Protection(msgspec.Struct, frozen=True):
    protected: bool
    reasons: tuple[str, ...] = ()
    """Why not, for people. Empty when protected."""


def protection(group: Group, view: ClusterView) -> Protection:
    reasons = []
    owner = group.owner
    alive = placement.members(view)
    if owner in alive:
        for type_name in _types(group, view):
            problem = placement.type_problem(alive[owner], type_name)
            if problem:
                reasons.append(f"{owner} cannot watch over it: {problem}")
    if view.settings.hold:
        reasons.append("nothing is started anywhere before `outlast cluster confirm-ownership`")
    spent = restarts.exhausted(group, view)
    if spent:
        reasons.append(spent)
    elsewhere = {name: placement.why_not(group, name, view, alive) for name in view.nodes if name != owner}
    if not elsewhere:
        reasons.append("there is no other node")
    elif all(elsewhere.values()):
        reasons.append(f"no other node could take it: {_by_reason(elsewhere)}")
    if owner in view.silences and view.silences[owner].proof is None:
        reasons.append(f"{owner} is silent and not proven dead: nobody may start it elsewhere yet")
    if owner and owner in view.nodes and not provable(owner, view):
        reasons.append(
            f"the death of {owner} could not be proven: it has neither a fence device nor a watchdog that counts as "
            "proof"
        )
    return Protection(protected=not reasons, reasons=tuple(reasons))


def provable(node: str, view: ClusterView) -> bool:
    """Could this node's death be proven without an administrator?"""
    session = view.sessions.get(node)
    return bool(view.nodes[node].fence) or (session is not None and proving_s(session, view.settings) > 0)


def _by_reason(nodes: Mapping[str, str]) -> str:
    """Nodes with the same reason together, so that what all have in common is read once."""
    by_reason: dict[str, list[str]] = {}
    for name, why in sorted(nodes.items()):
        by_reason.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in by_reason.items())


def _types(group: Group, view: ClusterView) -> list[str]:
    return sorted({view.resources[name].type for name in group.resources if name in view.resources})
