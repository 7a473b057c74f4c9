"""When must a node's watchdog be armed, and what does the others' trust in it rest on?

A session declares a countdown: *everything that runs here runs under an armed watchdog of that length*. So it is armed
before the first start, and need not count while nothing runs. A claim that has become too good is taken back first,
and nothing is started before that stands in the database: the coordinator may rely on what it reads there.
"""

from collections.abc import Iterable

from outlast.core.owner.resource import S, runs_nothing
from outlast.model.node import Session
from outlast.model.settings import Settings

UNSEEN = (S.DETACHED, S.OPENING)


def must_count(states: Iterable[S], *, counts: bool) -> bool:
    """While anything may run here. What nobody has looked at yet neither starts a countdown nor lets one end: a fresh
    session opens when nothing runs, a continued one with the watchdog armed."""
    return any(counts if state in UNSEEN else not runs_nothing(state) for state in states)


def may_start(claimed_s: float, counting_s: float, told_s: float) -> bool:
    """May the first resource be started? `claimed_s`: what the next session record will declare; `counting_s`: the
    countdown that runs, 0 for none; `told_s`: what the last acknowledged record declared."""
    if not claimed_s:
        return not told_s
    return 0.0 < counting_s <= told_s


def may_feed(until_s: float, now: float) -> bool:
    """A renewal gave a permit until then: may it feed? What feeds later than that may end the node later than everybody
    believes (`timing.watchdog_proof_s`), so `now` is read right before."""
    return now < until_s


def proving_s(session: Session, settings: Settings) -> float:
    """The countdown by which this node's death can be proven; 0 when it has none that is trusted with that."""
    return session.watchdog_s if session.watchdog in settings.watchdog_strength else 0.0
