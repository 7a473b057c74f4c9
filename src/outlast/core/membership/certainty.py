"""May this node run on while the database is away, and until when? May it promise another one to wait (rule 11)?

Nobody can take a node's groups over without writing to the database: its silence, a proof, a new owner. So while the
database is away a node asks every node of its list for a promise: "I will write nothing against you for `node_timeout`
from now". Its list are the nodes that had a session when it last wrote its own; it stands in that session record, and a
coordinator that is not on it must not take the watchdog's word for this node's death (`core/fence/proof.py`). When all
have promised, the node's permit counts from *before* it asked the first of them, exactly as it does for a renewal.

    asked ──► promised ──► answer        A's permit ends at  asked - counted + permit
              B waits until              promised - counted + node_timeout, which is later

Whose own writes are acknowledged can decide: he calls the asker silent when its time-out is over. So he promises what
is left of that, and tells how much of the silence he has `counted` already (all others nothing: their timers start
again when the database is back, or will if what is overdue now stays away). An asker that is cut off alone gains
nothing by that. When the database takes a write of one node now and of another one then, nobody has counted much.

Who promises must not have decided: `why_not` has the reasons to refuse. `Pledges` remembers what this node has
promised, and what it writes about others: the two exclude one another, in the moment of writing. A service that has
just started promises as soon as it has a picture. What its last life was writing against a node is in that picture,
and a reason to refuse; or it was sent when that node's permit was over, and concerns no life that could ask; or the
node has renewed since, and the database refuses it (docs/loss-of-contact.md).

With exactly two voters there is arithmetic besides: as long as this node's own member certainly follows no leader
(`core/quorum/leaderless.py`), nothing can be committed without it. So nobody can decide, whether he promises or not.
"""

from collections.abc import Collection, Mapping
from typing import Annotated

import msgspec

from outlast.core.membership.timing import LONGEST_NODE_TIMEOUT_S
from outlast.core.quorum.leaderless import Look


class Wait(msgspec.Struct, frozen=True):
    """The question: "decide nothing against this life of mine for so long"."""

    incarnation: str
    for_s: float


class Promise(msgspec.Struct, frozen=True):
    """The answer: "I will not, before your silence has lasted so long"."""

    counted_s: Annotated[float, msgspec.Meta(ge=0)]
    """What of that silence has passed."""


# --- the node that asks -----------------------------------------------------------------------------------------------


class Certainty(msgspec.Struct, frozen=True):
    """Nobody could decide against this node then, and whom that rests on."""

    since_s: float
    """The permit may count from then."""
    words: str


def certainty(
    asked: Collection[str],
    promised_s: Mapping[str, float],
    off_s: Mapping[str, float],
    look: Look | None,
    now: float,
    steady_gap_s: float,
) -> Certainty | None:
    """The latest that there is.

    `promised_s`: from when the promise of each node counts. `off_s`: since when it has been proven, within this
    outage, that a node is off. `look`: what this node's own member of the database last said of itself.
    """
    found = [] if missing(asked, promised_s, off_s) else [_by_promises(asked, promised_s, off_s, now)]
    # For so long without a leader that other nodes have certainly noticed the outage too: their timers start again.
    if look is not None and look.pair and _leaderless_s(look) > steady_gap_s:
        words = f"nothing can be decided without its own vote: only {look.pair} votes besides"
        found.append(Certainty(look.at_s, words))
    return max(found, key=lambda one: one.since_s, default=None)


def counts_from(asked_at_s: float, promise: Promise) -> float:
    """A promise is as good as a renewal that was sent then: never as one that was sent when the answer came."""
    return asked_at_s - promise.counted_s


def missing(asked: Collection[str], promised_s: Mapping[str, float], off_s: Mapping[str, float]) -> tuple[str, ...]:
    """Who has promised nothing and is not known to be off."""
    return tuple(sorted(name for name in asked if name not in promised_s and name not in off_s))


def _leaderless_s(look: Look) -> float:
    return look.at_s - look.leaderless_since_s if look.leaderless_since_s is not None else 0.0


def _by_promises(
    asked: Collection[str], promised_s: Mapping[str, float], off_s: Mapping[str, float], now: float
) -> Certainty:
    off = sorted(name for name in asked if name in off_s)
    awake = sorted(name for name in asked if name not in off_s)
    parts = [f"{', '.join(awake)} promised to decide nothing meanwhile"] if awake else []
    parts += [f"{', '.join(off)} {'is' if len(off) == 1 else 'are'} off"] if off else []
    since_s = min((promised_s[name] for name in awake), default=now)
    return Certainty(since_s, "; ".join(parts) or "no other node had a session")


# --- the node that is asked -------------------------------------------------------------------------------------------


class Standing(msgspec.Struct, frozen=True):
    """How a node stands towards the one that asks it to wait."""

    asker: str
    has_picture: bool
    counted_s: float
    """Of the asker's silence; 0 when its own writes are not acknowledged either (`Observer.held_against_s`)."""
    known_incarnation: str
    """Of the asker's session, as it stands in this node's picture."""
    asker_silent: bool
    """A silence of the asker stands in this node's picture."""
    undecided: bool
    """A write of this node about the asker is under way, or nobody knows what became of it."""


def why_not(asked: Wait, standing: Standing) -> str:
    """Why this node cannot promise to wait; "" when it can."""
    asker = standing.asker
    if not standing.has_picture:
        return "it has no picture of the cluster yet"
    if standing.undecided:
        return f"it has written about {asker}, and does not know what became of it"
    if standing.asker_silent:
        return f"{asker} is declared silent"
    if standing.known_incarnation != asked.incarnation:
        return f"it knows another life of {asker}"
    if not 0 < asked.for_s <= LONGEST_NODE_TIMEOUT_S:
        return f"it waits for nobody for {asked.for_s:g} s"
    if standing.counted_s >= asked.for_s:
        return counts_silence(asker)
    return ""


def counts_silence(asker: str) -> str:
    return f"it reaches the database, and counts the silence of {asker}"


class Pledges:
    """What this node has promised, and what it is writing about others. The two exclude one another."""

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}
        self._under_way: dict[str, int] = {}
        self._unknown: set[str] = set()

    def promise(self, node: str, for_s: float, since_s: float) -> None:
        """It stands also when it is repeated for a shorter time."""
        self._until_s[node] = max(since_s + for_s, self._until_s.get(node, since_s))

    def left_s(self, node: str, now: float) -> float:
        """For how long this node must still not decide anything against that one."""
        return max(0.0, self._until_s.get(node, now) - now)

    def all_left_s(self, now: float) -> dict[str, float]:
        return {node: until_s - now for node, until_s in self._until_s.items() if until_s > now}

    def over_s(self, node: str, now: float) -> float:
        """For how long no promise to that node has stood; negative while one stands, infinite if there was none."""
        return now - self._until_s.get(node, float("-inf"))

    def begin(self, node: str, now: float) -> bool:
        """Before a write that could take something from that node. False: it is promised to wait; write nothing."""
        if self.left_s(node, now) > 0:
            return False
        self._under_way[node] = self._under_way.get(node, 0) + 1
        return True

    def end(self, node: str, *, known: bool) -> None:
        """`known`: what became of the write stands in this node's picture."""
        self._under_way[node] -= 1
        if not self._under_way[node]:
            del self._under_way[node]
        if not known:
            self._unknown.add(node)

    def undecided(self, node: str) -> bool:
        return node in self._under_way or node in self._unknown

    @property
    def unknown(self) -> frozenset[str]:
        """Nodes about which a write was made of which nobody knows what became."""
        return frozenset(self._unknown)

    def found_out(self, nodes: Collection[str]) -> None:
        """What stands in the database about these nodes was read, after the writes of `unknown` had ended."""
        self._unknown.difference_update(nodes)
