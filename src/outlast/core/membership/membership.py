"""Who is silent, and may this node run what it owns?

Two small machines, both fed with events and the time of this node's own monotonic clock (rule 12):

`Observer` judges the other nodes. *Silent* means: no new session record for `node_timeout`, while the observer's
own writes were acknowledged all the while. After every outage of its own the observer starts all timers again, since
what it did not see may well have been written. Silence is a suspicion; `core/fence/proof.py` says what proves a death.

`Session` judges this node itself: until when may it run what it owns (rules 2 and 3)?
"""

from collections.abc import Iterable

from outlast.core.membership.timing import Timing

LAPSE_COUNTS_S = 10.0
"""Longer than a host needs to stop what has lost its permit, and to tell so."""


class Observer:
    """Judges every node's session records by the time at which this node saw them."""

    def __init__(self, timing: Timing, now: float) -> None:
        self.timing = timing
        self.seen_at: dict[str, float] = {}
        """When the last record of each node was seen."""
        self._steady_since = now
        self._acknowledged_at = now

    def saw_record(self, node: str, now: float) -> None:
        self.seen_at[node] = now

    def forget(self, node: str) -> None:
        self.seen_at.pop(node, None)

    def own_write_acknowledged(self, now: float) -> None:
        if not self.reaches_database(now):
            self._steady_since = now
        self._acknowledged_at = now

    def reaches_database(self, now: float) -> bool:
        """Are this node's own writes being acknowledged?"""
        return now - self._acknowledged_at <= self.timing.steady_gap_s

    def unheard_s(self, now: float) -> float:
        """For how long no write of this node's own has been acknowledged."""
        return now - self._acknowledged_at

    def steady_s(self, now: float) -> float:
        """For how long this node's own writes have been acknowledged without a pause; 0 while it is cut off."""
        if not self.reaches_database(now):
            return 0.0
        return now - self._steady_since

    def silent_s(self, nodes: Iterable[str], now: float) -> dict[str, float]:
        """The nodes judged silent, and for how long nothing of theirs was seen."""
        if not self.reaches_database(now):
            return {}  # the observer is cut off itself, and can judge nobody
        silent = {}
        for node in nodes:
            silence = self.counted_s(node, now)
            if silence >= self.timing.node_timeout_s:
                silent[node] = silence
        return silent

    def counted_s(self, node: str, now: float) -> float:
        """How much of the node's silence counts towards its time-out. It is judged silent no earlier than that says,
        since what timers start from only moves on; 0 while this observer is cut off itself: they start again then."""
        return now - self._baseline(node) if self.reaches_database(now) else 0.0

    def held_against_s(self, node: str, now: float) -> float:
        """What of `counted_s` a promise to that node holds against it: nothing from when this node's own renewal is
        overdue. It may be cut off too, and those whose renewals failed first must not pay for its learning that last.
        What is promised in full is kept in full, whatever is counted until then."""
        return 0.0 if self.unheard_s(now) > self.timing.overdue_s else self.counted_s(node, now)

    def deadline(self, nodes: Iterable[str]) -> float | None:
        """When the next of these nodes will be silent, if nothing comes from it."""
        baselines = [self._baseline(node) for node in nodes]
        return min(baselines) + self.timing.node_timeout_s if baselines else None

    def _baseline(self, node: str) -> float:
        return max(self._steady_since, self.seen_at.get(node, self._steady_since))


class Session:
    """This node's own session: open, with a permit that ends; or closed."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.permit_until_s: float | None = None
        """None: no session. Else until when this node may run what it owns."""
        self.lapsed_at = float("-inf")

    def renewed(self, sent_at: float) -> None:
        """A renewal was acknowledged. The permit counts from before it was sent, never from the answer (rule 2)."""
        self._lasts_until(sent_at + self.timing.permit_s)

    def vouched(self, since_s: float) -> bool:
        """As of that moment nobody could decide against this node (rule 11). False when that makes no difference: what
        is over is not revived by it."""
        if self.permit_until_s is None or self.permit_until_s >= since_s + self.timing.permit_s:
            return False
        self._lasts_until(since_s + self.timing.permit_s)
        return True

    def closed(self) -> None:
        self.permit_until_s = None

    def lapsed(self, now: float) -> None:
        """The permit is extended after it had passed: hosts may have stopped what ran."""
        self.lapsed_at = now

    def may_have_ended(self, began_at: float, now: float) -> bool:
        """Of what is found to be off now, and began to run then: may it have been stopped for want of a permit, before
        anybody could tell so? What was started since had a permit all the while."""
        return now - self.lapsed_at < LAPSE_COUNTS_S and began_at < self.lapsed_at

    def valid(self, now: float) -> bool:
        return self.permit_until_s is not None and now < self.permit_until_s

    def _lasts_until(self, until_s: float) -> None:
        """Of two grounds for the permit the later counts."""
        self.permit_until_s = until_s if self.permit_until_s is None else max(until_s, self.permit_until_s)
