"""Takes the last one's step, where `core/quorum/last_one.py` says so: fences the other voter, and goes on alone.

All of it works without the database: from the last picture, the own member, the peer links and the fence devices. While
it lasts, this node's VMs run on because nothing can be decided without its own vote (`core/membership/certainty.py`).
"""

import asyncio
from contextlib import suppress

import structlog

from outlast.core.fence.agents import proving
from outlast.core.membership.membership import Session
from outlast.core.quorum.last_one import FenceOther, GoAlone, Idle, LastOneView, Step, last_one
from outlast.core.quorum.leaderless import Look
from outlast.model.group import Wanted
from outlast.model.member import Part
from outlast.model.roll import Stage
from outlast.model.view import FenceReport
from outlast.ports.environment import Clock
from outlast.service.fence.fencing import Fencing
from outlast.service.quorum.member_keeper import MemberKeeper
from outlast.service.store import Store

log = structlog.get_logger()

LOOK_S = 1.0
AGAIN_S = 5.0
"""Before the next attempt after all fence devices have failed."""
ALONE_AGAIN_S = 60.0
"""Before the next attempt to go on alone after one has failed; its member runs as before until then."""


class LastOne:
    def __init__(self, keeper: MemberKeeper, store: Store, fencing: Fencing, session: Session, clock: Clock) -> None:
        self.words = ""
        """Why this node does not go on alone, or could not if it had to; "" while all is well."""
        self._keeper = keeper
        self._store = store
        self._fencing = fencing
        self._session = session
        self._clock = clock
        self._pair = ""
        self._pair_at = 0.0
        """Since when these two have been all that vote, as the own member saw it while there was a leader."""
        self._had_session = self._session_until_loss = False
        """When its member saw a leader last; and these two had been all that vote for long enough."""
        self._report = FenceReport("")
        self._fence: asyncio.Task[None] | None = None
        self._failed_at = float("-inf")

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._keeper.changed.wait()
            self._keeper.changed.clear()
            await self._round()
            await asyncio.sleep(0.05)

    async def _round(self) -> None:
        look = self._keeper.look()
        if look is not None and look.leader:
            self._all_is_well(look)
            return
        if self._keeper.stage is Stage.EMPTY:
            # The other one was told so, and may go on at once. Were the data to come back, they would be of the past.
            self._had_session = self._session_until_loss = False
        if self._clock.now() - self._failed_at < ALONE_AGAIN_S:
            return
        step = last_one(self._view(look))
        waits = not isinstance(step, GoAlone) and step.why
        self.words = f"{self._store.me} does not go on alone; it waits for {waits}" if waits else ""
        if isinstance(step, FenceOther):
            self._start_fencing(step)
        elif not isinstance(step, GoAlone):
            self._stop_fencing()
        else:
            await self._go_alone(step)

    def _all_is_well(self, look: Look) -> None:
        now, observer = self._clock.now(), self._store.observer
        self._stop_fencing()
        self._report = FenceReport("")
        self._failed_at = float("-inf")
        if look.pair != self._pair:
            self._pair, self._pair_at = look.pair, now
        # A write that was sent after that time: no attempt to renew lasts longer than half a permit.
        renewed_since_s = now - observer.unheard_s(now) - self._pair_at
        long_enough = renewed_since_s > observer.timing.permit_s / 2
        self._had_session = self._session.valid(now)
        self._session_until_loss = bool(look.pair) and self._had_session and long_enough
        self.words = self.not_yet(look.pair) if look.pair else ""

    def not_yet(self, other: str) -> str:
        """Why this node could not go on if that one, the only other voter, were lost now; "" if it could.

        Who votes is known to the database a second or so before this node's own member is asked for it again."""
        if self._session_until_loss and other == self._pair:
            return ""
        why = "only they vote since a moment ago" if self._had_session else f"{self._store.me} has no session"
        return f"{self._store.me} could not go on without {other} yet: {why}"

    def _view(self, look: Look | None) -> LastOneView:
        store, keeper = self._store, self._keeper
        other = look.pair if look is not None else ""
        machine, node = store.members.get(other), store.nodes.get(other)
        answer = keeper.calls.answers().get(other)
        owners = [group.owner for group in store.groups.values() if group.wanted is Wanted.ONLINE]
        counts = self._report.incarnation == self._incarnation(other)
        off = counts and other in keeper.proven_off
        return LastOneView(
            me=store.me,
            look=look,
            other_is_witness=machine is not None and machine.part is Part.WITNESS,
            session_until_loss=self._session_until_loss and other == self._pair,
            had_session=self._had_session,
            unheard_s=keeper.calls.unheard_s(other),
            other_stage=answer.mine.stage if answer is not None else None,
            node_timeout_s=store.observer.timing.node_timeout_s,
            my_vms=owners.count(store.me),
            others_vms=owners.count(other),
            fence_devices=node is not None and bool(proving(node.fence)),
            armed=store.settings.armed,
            confirmed_off=self._report.confirmed if off else "",
            last_error="; ".join(self._report.errors.values()) if counts else "",
        )

    def _incarnation(self, node: str) -> str:
        session = self._store.sessions.get(node)
        return session.incarnation if session is not None else ""

    # --- fencing --------------------------------------------------------------------------------------------------

    def _start_fencing(self, step: FenceOther) -> None:
        if self._fence is None or self._fence.done():
            log.warning("the other voter is fenced", node=step.other, why=step.why)
            self._keeper.story.append(f"{self._store.me} fences {step.other}: {step.why}")
            self._fence = asyncio.get_running_loop().create_task(
                self._pursue(step.other), name=f"last one {step.other}"
            )

    def _stop_fencing(self) -> None:
        if self._fence is not None:
            self._fence.cancel()
            self._fence = None

    async def _pursue(self, other: str) -> None:
        node = self._store.nodes[other]
        while True:
            self._report = await self._fencing.prove_off(node, self._incarnation(other), allowed=self._allowed)
            if self._report.confirmed:
                self._keeper.proven_off[other] = self._clock.now()
            self._keeper.changed.set()
            if self._report.confirmed:
                return
            log.warning("the other voter is not confirmed off", node=other, why=dict(self._report.errors))
            await asyncio.sleep(AGAIN_S)

    async def _allowed(self, node: str, incarnation: str) -> bool:
        """Asked before each attempt: who was frozen meanwhile must not switch off a node that is back."""
        look = self._keeper.look()
        fresh = look is not None and self._clock.now() - look.at_s <= LOOK_S
        return fresh and isinstance(self._judged(look), FenceOther)

    def _judged(self, look: Look | None) -> Step:
        if look is None or look.leader:
            return Idle()
        return last_one(self._view(look))

    # --- the step -------------------------------------------------------------------------------------------------

    async def _go_alone(self, step: GoAlone) -> None:
        me = self._store.me
        self._stop_fencing()
        failed = await self._keeper.go_alone(whole_log=True)
        if failed:
            self._failed_at = self._clock.now()
            self.words = f"{me} cannot go on alone: {failed}. If it must: outlast cluster force-quorum"
            log.error("this node cannot go on alone", why=failed)
            if self._keeper.story[-1:] != [self.words]:
                self._keeper.story.append(self.words)
            return
        self._session_until_loss = False
        self._keeper.story.append(f"{me} goes on alone, as the only one that votes: {step.why}")
