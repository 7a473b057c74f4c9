"""How often may a group fail over before it stays failed?

As in the original: at most `failover_threshold` failovers within `failover_period_s` (default: number of nodes less
one, in six hours). Then the group stays failed, says so, and an administrator brings it online again, which
forgets the failures. Failures are aged by the coordinator's own clock, so a new coordinator lets each count for a full
period again: the limit errs to the safe side and the wall clock never matters (rule 12).
"""

from outlast.model.group import Group
from outlast.model.view import ClusterView


def threshold(group: Group, view: ClusterView) -> int:
    wanted = view.settings.failover_threshold if group.failover_threshold is None else group.failover_threshold
    return wanted if wanted >= 0 else max(1, len(view.nodes) - 1)


def period_s(group: Group, view: ClusterView) -> float:
    return view.settings.failover_period_s if group.failover_period_s is None else group.failover_period_s


def outdated(group: Group, view: ClusterView) -> tuple[str, ...]:
    """Ids of failures that count no more."""
    limit = period_s(group, view)
    return tuple(f.id for f in group.failures if view.observed.failure_age_s.get(f.id, 0.0) >= limit)


def exhausted(group: Group, view: ClusterView) -> str | None:
    """Why the group stays failed, for people; None while another failover is allowed."""
    old = set(outdated(group, view))
    counted = [f for f in group.failures if f.id not in old]
    limit = threshold(group, view)
    if len(counted) < limit:
        return None
    times = "once" if limit == 1 else f"{limit} times"
    return (
        f"it failed over {times} within {_duration(period_s(group, view))} already, which is its limit; find out why "
        f"it fails, then bring it online again with `outlast group online {group.name}`"
    )


def next_expiry_s(group: Group, view: ClusterView) -> float | None:
    """In how many seconds the oldest counted failure will be outdated."""
    limit = period_s(group, view)
    ages = [view.observed.failure_age_s.get(f.id, 0.0) for f in group.failures]
    return max(0.0, limit - max(ages)) if ages else None


def _duration(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
