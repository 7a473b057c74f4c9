"""Carries out who votes. The decision is `core/quorum/voting.py`'s; only the coordinator's node acts on it.

A change of the members is safe whoever makes it, since a majority of those that vote commits it. So nothing here is
compared with the coordinator's record: two that both believe to coordinate would do the same.

Every node besides tells its keeper what the picture of the database says about the other machines, and writes down what
happened to its own member while nobody could write.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import assert_never

import msgspec
import structlog

from outlast.core.membership.membership import Session
from outlast.core.quorum.voting import AddLearner, HandOver, Promote, Remove, Step, decide_votes
from outlast.model import keys
from outlast.ports.database import Committed, Unavailable
from outlast.ports.environment import Clock
from outlast.ports.members import Members, NotReady
from outlast.service.journal import Journal
from outlast.service.observation import Observation
from outlast.service.quorum.member_keeper import MemberKeeper
from outlast.service.quorum.members import Quorum
from outlast.service.store import Store, put

log = structlog.get_logger()

ROUND_S = 3.0
NEXT_S = 0.5
"""After a step the next one may be due."""
CHANGE_S = 5.0
TELL_S = 1.0
CERTAIN_S = 15.0
"""Whoever decided to take the vote of this node before it opened its session has done so by then: a decision rests on a
picture that is no older than `NEXT_S`, and a change is waited for no longer than `CHANGE_S`."""


class Voting:
    def __init__(
        self,
        quorum: Quorum,
        members: Members,
        store: Store,
        observation: Observation,
        journal: Journal,
        coordinates: Callable[[], bool],
        session: Session,
        clock: Clock,
    ) -> None:
        self.words: tuple[str, ...] = ()
        """What is to be said of the last decision, for people; empty on nodes that do not coordinate."""
        self._quorum = quorum
        self._members = members
        self._store = store
        self._observation = observation
        self._journal = journal
        self._coordinates = coordinates
        self._session = session
        self._clock = clock
        self._session_since: float | None = None
        self._refused = ""

    async def run(self) -> None:
        self._quorum.calls.words_for = self._words_for
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._decide())
            if self._quorum.keeper is not None:
                tasks.create_task(self._keep_informed(self._quorum.keeper))

    async def _decide(self) -> None:
        while True:
            pause_s = ROUND_S
            self.words = ()
            # Without records of machines that carry it, the database is somebody else's.
            if self._store.members and self._coordinates():
                try:
                    if await self._round():
                        pause_s = NEXT_S
                except Unavailable as error:
                    log.debug("who votes cannot be looked at", why=str(error))
            await asyncio.sleep(pause_s)

    async def _round(self) -> bool:
        """One look, decision and step. True when something was changed."""
        view = await self._quorum.look(NEXT_S)
        if not self._quorum.agreed:
            return False
        self._observation.voters = tuple(member.name for member in view.members if member.name and not member.learner)
        plan = decide_votes(view)
        self.words = plan.words
        if plan.step is None:
            return False
        try:
            words = await self._carry_out(plan.step)
        except NotReady:
            return False
        except ValueError as error:
            if str(error) != self._refused:
                self._refused = str(error)
                log.warning("a change of the votes was refused", why=self._refused)
            return False
        self._refused = ""
        await self._store.transact([], [self._journal.event("vote", words, about=plan.step.name)])
        return True

    async def _carry_out(self, step: Step) -> str:
        members = self._members
        match step:
            case AddLearner():
                await members.add_learner([step.peer_url], timeout_s=CHANGE_S)
                return f"{step.name} joins the members of the database: {step.why}"
            case Promote():
                await members.promote(step.id, timeout_s=CHANGE_S)
                return f"{step.name} votes: it has caught up"
            case Remove():
                await members.remove(step.id, timeout_s=CHANGE_S)
                return f"{step.name or 'a member'} votes no more: {step.why}"
            case HandOver():
                await members.move_leader(step.id, timeout_s=CHANGE_S)
                return f"{step.name} leads the database: {step.why}"
            case _:
                assert_never(step)

    async def _keep_informed(self, keeper: MemberKeeper) -> None:
        while True:
            store = self._store
            addresses = {name: record.address for name, record in store.members.items() if record.address}
            addresses |= {name: node.address for name, node in store.nodes.items() if node.address}
            addresses.pop(store.me, None)
            keeper.know(addresses, self._quorum.witnesses(), store.settings.generation)
            self._note_certain(keeper)
            if keeper.follows and (keeper.story or keeper.noted.generation > store.settings.generation):
                try:
                    await self._write_down(keeper)
                except Unavailable as error:
                    log.debug("what happened to the own member cannot be written down yet", why=str(error))
            await asyncio.sleep(TELL_S)

    def _note_certain(self, keeper: MemberKeeper) -> None:
        """With a session its vote is only taken when its death is proven."""
        now = self._clock.now()
        if not self._session.valid(now):
            self._session_since = None
            return
        self._session_since = now if self._session_since is None else self._session_since
        look = keeper.look()
        votes = look is not None and bool(look.leader) and look.i_vote
        if keeper.noted.may_be_out and votes and now - self._session_since >= CERTAIN_S:
            with suppress(OSError):
                keeper.may_be_out(False)

    async def _write_down(self, keeper: MemberKeeper) -> None:
        told, store = list(keeper.story), self._store
        settings = msgspec.structs.replace(store.written_settings, generation=keeper.noted.generation)
        events = [self._journal.event("vote", words, about=store.me) for words in told]
        writes = [put(keys.CLUSTER, settings), *events]
        outcome = await store.transact(store.unchanged(keys.CLUSTER), writes, timeout_s=TELL_S)
        if isinstance(outcome, Committed):
            del keeper.story[: len(told)]

    def _words_for(self, name: str) -> str:
        return "; ".join(words for words in self.words if name in words)
