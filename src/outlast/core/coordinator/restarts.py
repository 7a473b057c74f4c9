"""How often may a group fail over before it stays failed?

As in the original: at most `failover_threshold` failovers within `failover_period_s` (default: number of nodes less
one, in six hours). Then the group stays failed, says so, and an administrator brings it online again, which
forgets the failures; or `retry_after_s` pass, and the coordinator forgets them. Failures are aged by the coordinator's
own clock, so a new coordinator lets each count for a full period again: the limit errs to the safe side and the wall
clock never matters (rule 12).

A node where it has failed once at most is tried at once. From the third attempt on there is a pause before it, twice as
long each time: else a high limit would mean ten attempts in a second where only one node can take it.
"""

import msgspec

from outlast.model.group import Group
from outlast.model.view import ClusterView

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


class Pause(msgspec.Struct, frozen=True):
    """Before it is tried again on a node where it failed."""

    words: str
    left_s: float


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
        f"it failed over {times} within {duration(period_s(group, view))} already, which is its limit; find out why "
        f"it fails, then bring it online again with `outlast group online {group.name}`"
    )


def next_expiry_s(group: Group, view: ClusterView) -> float | None:
    """In how many seconds the oldest counted failure will be outdated."""
    limit = period_s(group, view)
    ages = [view.observed.failure_age_s.get(f.id, 0.0) for f in group.failures]
    return max(0.0, limit - max(ages)) if ages else None


def retry_in_s(group: Group, view: ClusterView) -> float | None:
    """In how many seconds a group that stays failed is tried anew; None: not by itself."""
    if group.retry_after_s <= 0:
        return None
    return max(0.0, group.retry_after_s - view.observed.failed_s.get(group.name, 0.0))


def pause(group: Group, node: str, present: str, view: ClusterView) -> Pause | None:
    """Before it is tried on that node, counted from the failure before; None: it may be tried now. `present`: the
    failure that it has just had on its owner, which may be noted already."""
    earlier = [failure for failure in group.failures if failure.id != present]
    times = sum(1 for failure in earlier if failure.node == node) + (node == group.owner)
    if times < 2 or not earlier:
        return None
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(times - 2, 10))
    left_s = pause_s - min(view.observed.failure_age_s.get(failure.id, 0.0) for failure in earlier)
    if left_s <= 0:
        return None
    return Pause(f"{duration(pause_s)} to pass before {node} tries it again", left_s)


def duration(seconds: float) -> str:
    """For people."""
    if seconds >= 3600:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
