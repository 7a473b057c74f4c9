"""What happened to a node of late, and which of it still counts?

A node's record remembers each of its losses, and each time that it was fenced, as a mark. Marks are aged by the
deciding node's own clock, from when it first saw them: a new coordinator lets each count for its whole period again, so
what is limited by them stays limited (rule 12).
"""

from collections.abc import Iterable

from outlast.model.node import Mark
from outlast.model.view import ClusterView

MOST = 50
"""So many of each kind are remembered of a node."""


def loss(incarnation: str, why: str) -> Mark:
    """Its time is filled in where it is written: the core has no clock."""
    return Mark(f"lost {incarnation}", why, 0.0)


def fencing(incarnation: str) -> Mark:
    return Mark(f"fenced {incarnation}", "it was silent, and its death was to be proven", 0.0)


def among(mark: Mark, marks: Iterable[Mark]) -> bool:
    return any(known.id == mark.id for known in marks)


def added(mark: Mark, marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    return marks if among(mark, marks) else (*marks, mark)[-MOST:]


def counted(marks: Iterable[Mark], period_s: float, view: ClusterView) -> tuple[Mark, ...]:
    """Those that are not older than the period."""
    ages = view.observed.mark_age_s
    return tuple(mark for mark in marks if ages.get(mark.id, 0.0) < period_s)


def next_expiry_s(marks: Iterable[Mark], period_s: float, view: ClusterView) -> float | None:
    """In how many seconds the oldest of them will count no more."""
    ages = view.observed.mark_age_s
    return min((max(0.0, period_s - ages.get(mark.id, 0.0)) for mark in marks), default=None)
