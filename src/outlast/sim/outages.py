"""While the database is away: could anybody decide anything, and was anybody kept from promising that he will not?

For two invariants: a run permit counts from no time at which somebody could have decided against its node (7), and none
ends as long as nobody can decide and all are well (11).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from outlast.sim.facts import Facts

SAME_S = 1e-6
_AT_REST_S = 40.0
"""A node to which nothing has been done for so long has told the others how it is, and heard the same of them."""
_KNOWN_S = 5.0
"""Of a life that began so long before, all others have heard: it is promised what it asks for, and promises itself."""


@dataclass(slots=True)
class Outages:
    facts: Facts
    promises: dict[tuple[str, str], float] = field(default_factory=dict)
    """Who promised whom to decide nothing against him, and from when his time-out counts for that."""
    committed_at_s: float = float("-inf")
    pauses: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=5))
    """When nobody wrote anything for longer than observers bear, most lately."""
    is_needed: Callable[[str], bool] = lambda node: False
    """Can nothing be committed without the vote of this node?"""
    is_well: Callable[[str], bool] = lambda node: False
    """Is nothing wrong with the node's service and with its links to the others?"""

    def promised(self, by: str, to: str, counted_s: float) -> None:
        since_s = self.facts.now() - counted_s
        self.promises[by, to] = max(since_s, self.promises.get((by, to), since_s))

    def written(self) -> None:
        """Something was committed."""
        now_s = self.facts.now()
        if now_s - self.committed_at_s > self.facts.times.steady_gap_s:
            self.pauses.append((self.committed_at_s, now_s))
        self.committed_at_s = now_s

    def may_decide_against(self, node: str, since_s: float) -> str:
        """Who has power, is on the node's list, and has promised it nothing since then; "" when nobody is left."""
        if self.is_needed(node) and self._paused_at(since_s):
            return ""
        session = self.facts.life(node).session
        since_s -= SAME_S
        missing = [
            name
            for name in (session.peers if session is not None else ())
            if self.facts.life(name).on and self.promises.get((name, node), since_s - 1) < since_s
        ]
        return ", ".join(missing)

    def needless(self, node: str) -> bool:
        """Is the database away for everyone, and all is and was well with the node and those whose promises it asks?"""
        facts = self.facts
        session = facts.life(node).session
        away_s = facts.now() - self.committed_at_s
        if session is None or node in facts.silences or away_s <= facts.times.permit_s:
            return False
        since_s = self.committed_at_s - _AT_REST_S
        # Who came just as it wrote its list for the last time is on that, or is about to be: its promise is asked too.
        listed_s = facts.life(node).session_at_s - facts.times.node_timeout_s
        came = (name for name, life in facts.lives.items() if life.session and life.incarnation_since_s > listed_s)
        concerned = dict.fromkeys((node, *session.peers, *came))
        lives = [facts.life(name) for name in concerned]
        at_rest = all(life.touched_at_s < since_s for life in lives)
        known = all(life.incarnation_since_s < self.committed_at_s - _KNOWN_S for life in lives)
        return at_rest and known and all(self.is_well(name) for name in concerned)

    def _paused_at(self, when_s: float) -> bool:
        """Had nobody been able to write for a while then?"""
        gap_s = self.facts.times.steady_gap_s
        pauses = [*self.pauses, (self.committed_at_s, self.facts.now())]
        return any(start + gap_s <= when_s + SAME_S <= end + 2 * SAME_S for start, end in pauses)
