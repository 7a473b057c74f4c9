"""Who coordinates? Whoever writes the coordinator's record by compare-and-set, when there is reason to.

A coordinator of the past can write nothing: each write of a coordinator compares the record it holds. So two nodes
that both believe themselves coordinator are harmless, and electing needs no care but not to be done in vain.
"""

from outlast.model.node import Coordinator
from outlast.model.view import ClusterView


def claim(view: ClusterView, incarnation: str) -> tuple[Coordinator, str] | None:
    """The record to write, and why, when the present coordinator is no good; None when it is."""
    why = _vacancy(view)
    if why is None:
        return None
    term = view.coordinator.term + 1 if view.coordinator else 1
    return Coordinator(node=view.me, incarnation=incarnation, term=term), why


def coordinates(view: ClusterView, incarnation: str) -> bool:
    """Does the database name this node, in this incarnation, as coordinator?"""
    present = view.coordinator
    return present is not None and present.node == view.me and present.incarnation == incarnation


def _vacancy(view: ClusterView) -> str | None:
    present = view.coordinator
    if present is None:
        return "there was no coordinator"
    session = view.sessions.get(present.node)
    if session is None:
        return f"{present.node} left the cluster"
    if session.incarnation != present.incarnation:
        return f"{present.node} has started again"
    if present.node in view.silences:
        return f"{present.node} is declared silent"
    if present.node in view.observed.silent_s:
        return f"{present.node} was silent for {view.observed.silent_s[present.node]:.1f} s"
    return None
