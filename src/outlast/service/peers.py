"""What the services tell each other while the database cannot: that they live, and that they will wait (rule 11).

`Answering` is the side that is asked, `Vouching` the side that asks. While this node's renewals are not acknowledged,
it asks everyone on its list for a promise, again and again, each on his own; whenever the answers make it certain that
nobody could decide without it, its permit counts from then. What makes it certain is `core/membership/certainty.py`'s.
"""

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import structlog

from outlast.core.membership.certainty import (
    Pledges,
    Promise,
    Standing,
    Wait,
    certainty,
    counts_from,
    counts_silence,
    missing,
    why_not,
)
from outlast.core.membership.membership import Session as OwnSession
from outlast.core.quorum.leaderless import Look
from outlast.model.alive import Alive
from outlast.ports.environment import Environment
from outlast.ports.peers import NotAnswered, Peers, PeerUnreachable
from outlast.service.membership import Membership
from outlast.service.observation import Observation
from outlast.service.store import Store

log = structlog.get_logger()

PROMISE = "promise"
ALIVE = "alive"
MOST_QUESTIONS = 6
"""At once, to one node."""


class Answering:
    def __init__(self, store: Store, env: Environment, pledges: Pledges) -> None:
        self._store = store
        self._env = env
        self._pledges = pledges

    def register(self, peers: Peers) -> None:
        peers.answer(PROMISE, self._promise)
        peers.answer(ALIVE, self._alive)

    async def _promise(self, asker: str, question: bytes) -> bytes:
        wait, now = msgspec.json.decode(question, type=Wait), self._env.clock.now()
        standing = self._standing(asker, now)
        why = why_not(wait, standing)
        if why:
            raise NotAnswered(why)
        self._pledges.promise(asker, wait.for_s, now - standing.counted_s)
        return msgspec.json.encode(Promise(standing.counted_s))

    async def _alive(self, asker: str, question: bytes) -> bytes:
        """The life of this machine that nothing has ended, whether its session is open or lost."""
        return msgspec.json.encode(Alive(self._env.incarnations.load()))

    def _standing(self, asker: str, now: float) -> Standing:
        store = self._store
        session = store.sessions.get(asker)
        return Standing(
            asker=asker,
            has_picture=store.ready.is_set(),
            counted_s=store.observer.held_against_s(asker, now),
            known_incarnation=session.incarnation if session is not None else "",
            asker_silent=asker in store.silences,
            undecided=self._pledges.undecided(asker),
        )


class Vouching:
    """`look` and `off_s`: what this node's own member of the database said of itself last, and who was proven to be off
    since the database was lost (`service/quorum/member_keeper.py`)."""

    def __init__(
        self,
        store: Store,
        env: Environment,
        membership: Membership,
        session: OwnSession,
        observation: Observation,
        remark: Callable[[str, str], None],
        look: Callable[[], Look | None],
        off_s: Callable[[], Mapping[str, float]],
    ) -> None:
        self._store = store
        self._env = env
        self._membership = membership
        self._session = session
        self._observation = observation
        self._remark = remark
        self._look = look
        self._off_s = off_s
        self._promised_s: dict[str, float] = {}
        """From when the promise of each node counts."""
        self._refused: dict[str, str] = {}
        """Why the last question of each node led to no promise, or to one that moves on no more."""
        self._counting: set[str] = set()
        """Who reaches the database, by his last answer, and counts this node's silence."""
        self._asking: dict[str, set[asyncio.Task[None]]] = {}
        """Questions under way, by node: one that got lost must not hold up the next."""
        self._away_since_s: float | None = None
        """When the database acknowledged something last, before this outage."""
        self._rested_on: dict[str, None] = {}
        """What this node ran on in this outage, in turn."""
        self._logged = ("", "")

    async def run(self, peers: Peers) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(self._session.timing.renew_interval_s / 2)
                if not self._membership.opened.is_set() or not self._away():
                    self._outage_over()
                    continue
                for name in sorted(self._membership.listed):
                    asking = self._asking.setdefault(name, set())
                    if len(asking) < MOST_QUESTIONS:
                        task = tasks.create_task(self._ask(peers, name))
                        asking.add(task)
                        task.add_done_callback(asking.discard)
                self._conclude()

    def _away(self) -> bool:
        now = self._env.clock.now()
        unheard_s = self._store.observer.unheard_s(now)
        if unheard_s <= self._session.timing.overdue_s:
            return False
        self._away_since_s = now - unheard_s
        return True

    async def _ask(self, peers: Peers, name: str) -> None:
        timing = self._session.timing
        wait = Wait(self._membership.incarnation, timing.node_timeout_s)
        node = self._store.nodes.get(name)
        sent_at = self._env.clock.now()
        try:
            address = node.address if node is not None else name
            said = await peers.ask(name, address, PROMISE, msgspec.json.encode(wait), timeout_s=timing.permit_s / 2)
            promise = msgspec.json.decode(said, type=Promise)
        except (PeerUnreachable, NotAnswered) as error:
            self._refused[name] = str(error)
        except msgspec.MsgspecError as error:
            self._refused[name] = f"its answer cannot be understood: {error}"
        else:
            # Another outage, another life: what was promised to that is none of this one's.
            if wait.incarnation == self._membership.incarnation and self._away_since_s is not None:
                self._promised(name, counts_from(sent_at, promise), counting=promise.counted_s > 0)
        if self._away_since_s is not None:
            self._conclude()

    def _promised(self, name: str, since_s: float, *, counting: bool) -> None:
        self._promised_s[name] = max(since_s, self._promised_s.get(name, since_s))
        if counting:
            self._counting.add(name)
            self._refused[name] = counts_silence(self._store.me)
        else:
            self._counting.discard(name)
            self._refused.pop(name, None)

    def _conclude(self) -> None:
        """What is certain now, and what follows from it."""
        assert self._away_since_s is not None
        now, timing = self._env.clock.now(), self._session.timing
        listed = self._membership.listed
        found = certainty(listed, self._promised_s, self._off_s(), self._look(), now, timing.steady_gap_s)
        if found is not None and self._membership.vouched(found.since_s):
            self._rested_on[found.words] = None
        away_s = now - self._away_since_s
        away = f"the cluster database has not answered for {away_s:.0f} s"
        if self._membership.why_unwritable:
            away = f"{self._membership.why_unwritable} (for {away_s:.0f} s)"
        doubt = self._doubt()
        if found is not None and found.since_s + timing.permit_s > now and self._counting.isdisjoint(listed):
            self._observation.runs_on = f"{away}; {self._store.me} runs on: {found.words}"
        else:
            left_s = max(0.0, (self._session.permit_until_s or now) - now)
            self._observation.runs_on = f"{away}; in {left_s:.1f} s {self._store.me} stops what it runs: {doubt}"
        self._membership.doubt = doubt
        self._log(found.words if found is not None else "", doubt, away_s)

    def _log(self, rests_on: str, doubt: str, away_s: float) -> None:
        """When either changes: afterwards it can be read whose promise was missing, and for how long."""
        if (rests_on, doubt) != self._logged:
            self._logged = (rests_on, doubt)
            log.info("the cluster database does not answer", for_s=round(away_s, 1), rests_on=rests_on, doubt=doubt)

    def _doubt(self) -> str:
        """Whose promise is missing, and why."""
        off_s = self._off_s()
        names = {*missing(self._membership.listed, self._promised_s, off_s), *(self._refused.keys() - off_s.keys())}
        by_reason: dict[str, list[str]] = {}
        for name in sorted(names):
            by_reason.setdefault(self._refused.get(name, "no answer yet"), []).append(name)
        return "; ".join(f"no promise of {', '.join(names)}: {why}" for why, names in by_reason.items())

    def _outage_over(self) -> None:
        if self._away_since_s is None:
            return
        lasted_s = self._env.clock.now() - self._away_since_s
        if self._membership.opened.is_set() and self._rested_on and lasted_s > self._session.timing.permit_s:
            words = (
                f"{self._store.me} ran on without the database for {lasted_s:.0f} s: {'; then '.join(self._rested_on)}"
            )
            self._remark("outage", words)
        self._away_since_s = None
        self._rested_on.clear()
        self._promised_s.clear()
        self._refused.clear()
        self._counting.clear()
        self._observation.runs_on = self._membership.doubt = ""
        self._logged = ("", "")
