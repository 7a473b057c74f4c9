"""Keeps this node a member: opens its session, renews it, and closes it.

A session is opened only when nothing runs here that the node does not own (rule 6; the caller sees to it), and it
is continued, not opened anew, when only the service was started again (rule 7). While it is open, each acknowledged
renewal extends the run permit that the resource hosts enforce, and feeds the watchdog (rules 2 and 3).
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec
import structlog

from outlast.core.membership.membership import Session as OwnSession
from outlast.core.membership.timing import Timing
from outlast.core.placement.capacity import UNKNOWN, Capacity
from outlast.model import keys
from outlast.model.network import NetworkState, OwnAddress
from outlast.model.node import Offer, Session
from outlast.model.volume import VolumeState
from outlast.ports.database import Committed, Compare, Delete, Unavailable, Uncertain, Unwritable, Write
from outlast.ports.environment import Environment
from outlast.service.journal import Journal
from outlast.service.store import RETRY_S, Store, put
from outlast.service.watchdog import Arming

log = structlog.get_logger()

LEAVE_ATTEMPTS = 5
SHORTEST_ATTEMPT_S = 0.05
"""A database call needs some time to be worth making."""
PATIENCE = 4
"""How many times longer than the last one an answer may take."""


@dataclass(frozen=True, slots=True)
class _Opening:
    record: Session
    sent_at: float
    continuing: bool


class Membership:
    """This node's session, from opening to end."""

    def __init__(
        self,
        store: Store,
        env: Environment,
        journal: Journal,
        session: OwnSession,
        watchdog: Arming,
        capacity: Capacity = UNKNOWN,
        migration: str = "",
    ) -> None:
        self.incarnation = ""
        self.opened = asyncio.Event()
        """Set while the session is open."""
        self.why_not = "it has just started"
        """Why there is no session, for people."""
        self.doubt = ""
        """While the database does not answer: why this node cannot be sure that nobody decides without it."""
        self.unwritable = asyncio.Event()
        """Set when the database has refused to write, as one that is full does."""
        self.why_unwritable = ""
        """In its words, as long as that lasts."""
        self._store = store
        self._env = env
        self._journal = journal
        self._session = session
        self._record = Session(
            store.me,
            "",
            0,
            env.incarnations.machine(),
            memory_mib=capacity.memory_mib,
            cpus=capacity.cpus,
            processor=env.processor,
            migration=migration,
        )
        self._revision = 0
        self._attempt = (-1, 0.0)
        """The beat that was last sent, and when it was sent for the first time."""
        self._sent_at = 0.0
        """When a renewal was last sent, or a read in its place."""
        self._uncertain = False
        """Nobody knows what became of the last renewal: that is read before another one is written."""
        self._unheard: _Opening | None = None
        """An opening of which nobody knows what became."""
        self._listed: frozenset[str] = frozenset()
        self.answer_s = 0.0
        """How long the database took to acknowledge the last renewal."""
        self._left = False
        self._watchdog = watchdog
        self._hurry = asyncio.Event()
        watchdog.claim_changed = self._hurry.set
        self.untold: Callable[[], tuple[str, ...]] = tuple
        """Groups of which this node has still to take back that nothing of them runs here."""

    @property
    def _timing(self) -> Timing:
        return self._session.timing

    def offer(self, offers: Iterable[Offer]) -> None:
        """What this node can run from now on. The cluster is told at once."""
        sorted_offers = tuple(sorted(offers, key=lambda offer: offer.type))
        if sorted_offers != self._record.offers:
            self._record = msgspec.structs.replace(self._record, offers=sorted_offers)
            self._hurry.set()

    def tell_networks(self, networks: tuple[NetworkState, ...]) -> None:
        """How the networks that guests need are here, from now on. The cluster is told at once."""
        if networks != self._record.networks:
            self._record = msgspec.structs.replace(self._record, networks=networks)
            self._hurry.set()

    def tell_migration_address(self, own: OwnAddress | None) -> None:
        """How this node is in the network for live migrations, from now on. The cluster is told at once."""
        if own != self._record.in_migration_network:
            self._record = msgspec.structs.replace(self._record, in_migration_network=own)
            self._hurry.set()

    def tell_volumes(self, volumes: tuple[VolumeState, ...]) -> None:
        """How the shared volumes are here, from now on. The cluster is told at once."""
        if volumes != self._record.volumes:
            self._record = msgspec.structs.replace(self._record, volumes=volumes)
            self._hurry.set()

    def permit_left_s(self) -> float:
        """How long this node may run what it owns if it is not renewed any more; 0 when it may not."""
        until_s = self._session.permit_until_s
        return 0.0 if until_s is None else max(0.0, until_s - self._env.clock.now())

    def continues(self) -> bool:
        """Is the session in the database still this life's own, and nobody doubts it? Then VMs just go on.

        Not when the run permit has passed meanwhile: the resource hosts have stopped what ran, so this is another life.
        """
        present = self._store.sessions.get(self._store.me)
        mine = self._env.incarnations.load()
        if not mine or present is None or present.incarnation != mine or self.silenced():
            return False
        return self._env.hosts.permit.until_s() > self._env.clock.now()

    def silenced(self) -> bool:
        return self._store.me in self._store.silences

    async def open(self, *, continuing: bool) -> bool:
        """Try once; `why_not` says why it did not work. `continuing`: go on with the session of this life, as it is in
        the database; else nothing runs here, and the caller has just made sure of it (rule 6)."""
        opened = not self._left and await self._try_to_open(continuing)
        if not opened:
            self._session.closed()
            if not continuing:
                self.stand_down()
            log.warning("no session yet", why=self.why_not)
        return opened

    async def renew(self) -> str:
        """Renew until the session is lost; returns why, for people. Nothing may run here any more then."""
        while True:
            await self._pause()
            self._sent_at = sent_at = self._env.clock.now()
            if not self._session.valid(sent_at):
                # What ran was stopped by the resource hosts when the permit ended: that session cannot be mended.
                return self._lost("it could not be renewed in time")
            try:
                why = await self._renew_once(sent_at)
            except Unavailable as error:
                if not self._session.valid(self._env.clock.now()):
                    doubt = f"; {self.doubt}" if self.doubt else ""
                    return self._lost(f"the cluster database does not answer: {error}{doubt}")
                self._uncertain = self._uncertain or isinstance(error, Uncertain)
                self.why_unwritable = str(error) if isinstance(error, Unwritable) else ""
                if self.why_unwritable:
                    self.unwritable.set()
                await asyncio.sleep(min(RETRY_S, self._timing.renew_interval_s / 2))
                self._hurry.set()
                continue
            if why:
                return self._lost(why)

    async def _renew_once(self, sent_at: float) -> str:
        """Returns why the session is lost; "" while it goes on."""
        if self._uncertain and await self._was_written_unnoticed():
            self._hurry.set()
            return ""
        self._uncertain = False
        record = self._next_record(self._record.incarnation, self._record.beat + 1)
        if self._attempt[0] != record.beat:
            self._attempt = (record.beat, sent_at)
        self._listed |= frozenset(record.peers)
        outcome = await self._env.database.transact(
            [Compare(self._session_key, self._revision), Compare(self._silence_key, 0)],
            [put(self._session_key, record)],
            timeout_s=self._attempt_s(),
        )
        if isinstance(outcome, Committed):
            self.answer_s = self._env.clock.now() - sent_at
            self._took(record, outcome.revision)
            return "" if self._acknowledged(sent_at) else "its renewal was acknowledged too late"
        if await self._was_written_unnoticed():
            self._hurry.set()
            return ""
        return "it was declared silent, or another node bears its name"

    @property
    def listed(self) -> frozenset[str]:
        """Who must promise to wait, if this node is to run on without the database: everyone on the list of any record
        that may stand there."""
        return self._listed

    def vouched(self, since_s: float) -> bool:
        """As of that moment nobody could decide against this node (rule 11): its session is as good as renewed then.

        It feeds the watchdog too: who vouched counts its time from when the promise is over, or from a time-out after
        he was cut off himself.
        """
        now = self._env.clock.now()
        if not self.opened.is_set() or not self._session.valid(now) or not self._session.vouched(since_s):
            return False
        self._permit_extended()
        return True

    async def leave(self) -> bool:
        """Close the session in order, for good. Only for a node that runs nothing any more. False when it could not."""
        self._left = True
        self._lost("it left the cluster in order")
        self.stand_down()
        words = f"{self._store.me} left the cluster in order and runs nothing"
        writes: list[Write] = [Delete(self._session_key), self._journal.event("node-left", words, about=self._store.me)]
        for _ in range(LEAVE_ATTEMPTS):
            compares = [Compare(self._session_key, self._revision)]
            outcome = await self._env.database.transact(compares, writes, timeout_s=self._timing.permit_s / 2)
            if isinstance(outcome, Committed):
                return True
            await asyncio.sleep(RETRY_S)  # a renewal was under way; its answer tells its revision
        return False

    def stand_down(self) -> None:
        """Nothing runs here and there is no session: the watchdog need not cut this node's power."""
        self._watchdog.stand_down()

    @property
    def _session_key(self) -> str:
        return keys.SESSIONS + self._store.me

    @property
    def _silence_key(self) -> str:
        return keys.SILENCES + self._store.me

    async def _try_to_open(self, continuing: bool) -> bool:
        fresh = not continuing
        if self._unheard is not None:
            return await self._opened_unheard(self._unheard)
        if fresh and await self._rival():
            return False
        if continuing and not self.continues():
            self.why_not = "the session of its last service is over"
            return False
        present = self._store.sessions.get(self._store.me)
        until_s = self._env.hosts.permit.until_s()
        self._watchdog.prepare(self._timing.watchdog_s, running=continuing, until_s=until_s)
        record = self._next_record(
            self._journal.new_id() if fresh else self._env.incarnations.load(),
            0 if fresh or present is None else present.beat + 1,
        )
        writes: list[Write] = [put(self._session_key, record)]
        if fresh:
            words = f"{record.node} opened its session"
            writes.append(self._journal.event("node-joined", words, about=record.node))
        if self.silenced():
            # This node has just made sure that nothing runs here: whatever was doubted about its last life is over.
            writes.append(Delete(self._silence_key))
        compares = self._store.unchanged(self._session_key, self._silence_key)
        # Remembered before it is written: a life that may have a session must never be taken for a fresh one.
        self._env.incarnations.store(record.incarnation)
        self._listed |= frozenset(record.peers)
        opening = _Opening(record, self._env.clock.now(), continuing)
        try:
            outcome = await self._store.transact(compares, writes, timeout_s=self._timing.permit_s / 2)
        except Unavailable as error:
            self._unheard = opening if isinstance(error, Uncertain) else None
            self.why_not = f"the cluster database does not answer: {error}"
            return False
        if not isinstance(outcome, Committed):
            self.why_not = "its session record changed while it opened its session"
            return False
        self.answer_s = self._env.clock.now() - opening.sent_at
        return await self._has_opened(opening, outcome.revision)

    async def _opened_unheard(self, opening: "_Opening") -> bool:
        """Was the session opened by a write whose answer never came? Before that is known, no other one is written: a
        node that is heard and hears nothing would be alive for the others, and run nothing."""
        try:
            snapshot = await self._env.database.read(self._session_key, timeout_s=self._timing.permit_s / 2)
        except Unavailable as error:
            self.why_not = f"the cluster database does not answer: {error}"
            return False
        self._unheard = None
        for entry in snapshot.entries:
            if entry.key == self._session_key and msgspec.json.decode(entry.value, type=Session) == opening.record:
                return await self._has_opened(opening, entry.revision)
        self.why_not = "its session was not opened"
        return False

    async def _has_opened(self, opening: "_Opening", revision: int) -> bool:
        """False when that took too long to be worth anything."""
        # What this node read before may be of the past: a group that it owned then is another one's by now.
        await self._store.reached(revision, self._timing.permit_s / 2)
        if self._store.revision < revision:
            self.why_not = "its picture of the cluster database is older than its session"
            return False
        self._took(opening.record, revision)
        self._attempt = (-1, 0.0)  # beats are counted anew: what was sent in another life is none of this one's
        self._uncertain = False
        if opening.continuing and self._env.hosts.permit.until_s() <= self._env.clock.now():
            self.why_not = "its run permit passed while its session was continued"
            return False
        if not self._acknowledged(opening.sent_at):
            self.why_not = "the cluster database answered too late"
            return False
        self._sent_at = opening.sent_at
        self.incarnation = opening.record.incarnation
        self.why_not = ""
        self.opened.set()
        return True

    async def _rival(self) -> bool:
        """Is another machine alive under this node's name? Waits to find out, if there may be one."""
        me = self._store.me
        present = self._store.sessions.get(me)
        if present is None or present.machine == self._record.machine or self.silenced():
            return False
        before = self._store.revision_of(self._session_key)
        await asyncio.sleep(self._timing.node_timeout_s)
        if self._store.revision_of(self._session_key) == before:
            return False
        self.why_not = f"another machine is a member under the name {me}; change `node` in outlast.toml on one of them"
        return True

    async def _pause(self) -> None:
        """Until the next renewal is due, counted from when the last one was sent: a slow answer costs no time."""
        due_in_s = self._sent_at + self._timing.renew_interval_s - self._env.clock.now()
        try:
            async with asyncio.timeout(max(0.0, due_in_s)):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()

    async def _was_written_unnoticed(self) -> bool:
        """Is a record of ours there whose acknowledgement was lost? Then go on from it.

        It extends the permit like any other, counted from when its beat was sent for the first time: whichever of the
        attempts was committed, it was not before that (rule 2).
        """
        snapshot = await self._env.database.read(self._session_key, timeout_s=self._attempt_s())
        for entry in snapshot.entries:
            if entry.key == self._session_key and entry.revision != self._revision:
                found = msgspec.json.decode(entry.value, type=Session)
                if found.incarnation == self._record.incarnation:
                    self._took(found, entry.revision)
                    beat, first_sent_at = self._attempt
                    return found.beat == beat and self._acknowledged(first_sent_at)
        return False

    def _attempt_s(self) -> float:
        """How long one attempt may take: the end of the permit must not be slept through."""
        left_s = (self._session.permit_until_s or 0.0) - self._env.clock.now()
        # A slow database is given more time: else every renewal would be given up just before its answer.
        patience_s = min(PATIENCE * self.answer_s, self._timing.permit_s / 2)
        return max(SHORTEST_ATTEMPT_S, min(max(self._timing.renew_timeout_s, patience_s), left_s))

    def _took(self, record: Session, revision: int) -> None:
        # What is told may have changed while the record was on its way; the newest is told next time.
        mine = self._record
        told = {"offers": mine.offers, "networks": mine.networks, "volumes": mine.volumes}
        self._record = msgspec.structs.replace(record, **told)
        self._revision = revision
        self._listed = frozenset(record.peers)  # what was sent before compares an older revision, and comes to nothing
        self._watchdog.told(record.watchdog_s)

    def _acknowledged(self, sent_at: float) -> bool:
        """A renewal sent at that time was acknowledged. False when that came too late to be worth anything."""
        now = self._env.clock.now()
        self.why_unwritable = ""
        self._store.observer.own_write_acknowledged(now)
        if self._left:
            return False
        self._session.renewed(sent_at)
        if not self._session.valid(now):
            return False
        self._permit_extended()
        return True

    def _permit_extended(self) -> None:
        assert self._session.permit_until_s is not None
        now = self._env.clock.now()
        if 0.0 < self._env.hosts.permit.until_s() <= now:
            self._session.lapsed(now)
        self._env.hosts.permit.extend(self._session.permit_until_s)
        self._watchdog.feed(self._session.permit_until_s)

    def _next_record(self, incarnation: str, beat: int) -> Session:
        """As this node is now."""
        silences = self._store.silences
        return msgspec.structs.replace(
            self._record,
            incarnation=incarnation,
            beat=beat,
            watchdog_s=self._watchdog.claim_s,
            watchdog=self._watchdog.strength,
            watchdog_problem=self._watchdog.problem,
            node_timeout_s=self._timing.node_timeout_s,
            peers=tuple(name for name in self._store.sessions if name != self._store.me and name not in silences),
            untold=self.untold(),
        )

    def _lost(self, why: str) -> str:
        self._session.closed()
        self.opened.clear()
        self.why_not = why
        return why
