"""The coordinator's loop: look, decide, carry out. Runs on every node; acts on the one that the database names.

Everything it writes compares the coordinator's record, so a coordinator of the past can write nothing (rule 1), and
the records that the decision was made from, so an outdated decision is refused and made again.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import get_args

from outlast.core.coordinator.election import claim, coordinates
from outlast.core.coordinator.failover import decide
from outlast.core.membership.membership import Session as OwnSession
from outlast.model import keys
from outlast.model.plan import Action, Assign, Fence, Plan, RecordProof, SwitchOn, Waiting, WishMove
from outlast.model.view import ClusterView, FenceReport
from outlast.ports.database import Committed, Compare, Unavailable, Write
from outlast.ports.environment import Clock
from outlast.service.deciding import Deciding, Promised
from outlast.service.fence.fencing import Fencing
from outlast.service.journal import Journal
from outlast.service.observation import Observation
from outlast.service.recording import Recording
from outlast.service.store import RETRY_S, Store, Subscription, put

GROUPS_PER_TRANSACTION = 40
"""Each costs up to three compares and three writes; a transaction holds 128 of either."""
DATABASE_TIMEOUT_S = 5.0
WRITTEN: tuple[type[Action], ...] = tuple(kind for kind in get_args(Action) if kind is not SwitchOn)
"""What is decided by a commit."""

Part = tuple[tuple[Action, ...], str, list[Compare], list[Write]]
"""What was decided; the node that is taken something from, or "" (`service/deciding.py`); and a transaction."""


class Coordinating:
    def __init__(
        self,
        store: Store,
        observation: Observation,
        fencing: Fencing,
        session: OwnSession,
        journal: Journal,
        clock: Clock,
        fence_wake: asyncio.Event,
        deciding: Deciding,
    ) -> None:
        self.incarnation = ""
        """Of this node's open session."""
        self._store = store
        self._observation = observation
        self._fencing = fencing
        self._session = session
        self._journal = journal
        self._clock = clock
        self._fence_wake = fence_wake
        self.deciding = deciding
        self._recording = Recording(store, journal, clock)
        self.decisions: Counter[type[Action]] = Counter(dict.fromkeys(WRITTEN, 0))
        """How often this node decided what, and wrote it down."""

    async def run(self) -> None:
        changes = self._store.subscribe(
            keys.CLUSTER, keys.COORDINATOR, keys.NODES, keys.SESSIONS, keys.SILENCES, keys.GROUPS, keys.RESOURCES,
            keys.RULES, keys.STATUS,
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forward_fence_reports(changes))
            wake_in_s: float | None = 0.0
            while True:
                await changes.wait(wake_in_s)
                try:
                    wake_in_s = await self._round()
                except Unavailable:
                    wake_in_s = RETRY_S

    def plan(self) -> tuple[Plan, ClusterView]:
        """What would be decided now, from what this node sees: anyone may ask, on any node."""
        view = self._observation.view()
        return decide(view), view

    def waiting(self) -> dict[str, Waiting]:
        plan, _ = self.plan()
        return {waiting.group: waiting for waiting in plan.waiting}

    async def _round(self) -> float | None:
        """One look, decision and execution. Returns in how many seconds to look again if nothing changes."""
        if not self._session.valid(self._clock.now()):
            return self._store.observer.timing.renew_interval_s  # a node without a session has no say
        await self.deciding.find_out()
        view = self._observation.view()
        if not coordinates(view, self.incarnation):  # and nobody asks what it would decide
            self._fencing.stop_all()
            claimed = claim(view, self.incarnation)
            if claimed is not None:
                record, why = claimed
                words = f"{record.node} coordinates (term {record.term}): {why}"
                await self._store.transact(
                    self._store.unchanged(keys.COORDINATOR),
                    [put(keys.COORDINATOR, record), self._journal.event("coordinator", words, about=record.node)],
                )
                return 0.0
            return self._observation.silence_in_s()
        plan = decide(view)
        # In the order of the plan, and not a set's: a run of the simulator repeats exactly.
        wanted = dict.fromkeys(action.node for action in plan.actions if isinstance(action, Fence))
        needed = wanted.keys() | {action.node for action in plan.actions if isinstance(action, RecordProof)}
        for node in self._fencing.under_way():
            # Also who was proven dead in another way, or for whom nobody waits any more: it may be on its way back.
            if node not in view.silences or (node in self._fencing.pursued() and node not in needed):
                self._fencing.stop(node)
        if not await self._carry_out(plan, view):
            return RETRY_S  # a session record that only beats wakes nobody, and may be what refused it
        for node in wanted:
            await self._start_fencing(node, view)
        for action in plan.actions:
            if isinstance(action, SwitchOn) and action.node in self._store.nodes:
                self._fencing.switch_on(self._store.nodes[action.node], action.incarnation, action.devices)
        waits = [seconds for seconds in (plan.wake_in_s, self._observation.silence_in_s()) if seconds is not None]
        return min(waits, default=None)

    async def _carry_out(self, plan: Plan, view: ClusterView) -> bool:
        """False when something had changed meanwhile, and it is to be decided anew."""
        recording = self._recording
        # The picture may change at each `await`: what is compared is what the decision saw.
        wishes = [action for action in plan.actions if isinstance(action, WishMove)]
        others = [action for action in plan.actions if not isinstance(action, WishMove)]
        parts = self._parts(others)
        assigns = [action for action in plan.actions if isinstance(action, Assign)]
        inputs, stored = recording.inputs(view) if assigns else ("", None)
        for start in range(0, len(assigns), GROUPS_PER_TRANSACTION):
            compares: list[Compare] = []
            writes: list[Write] = [stored] if stored is not None and start == 0 else []
            some = tuple(assigns[start : start + GROUPS_PER_TRANSACTION])
            for assign in some:
                more_compares, more_writes = recording.assign(assign, inputs)
                compares += more_compares
                writes += more_writes
            parts.append((some, "", compares, writes))
        # Last: what is to move somewhere may need the room of what was given away there.
        parts += self._parts(wishes)
        me = self._store.unchanged(keys.COORDINATOR)
        for actions, against, compares, writes in parts:
            if not await self._commit(against, [*me, *compares], writes):
                return False
            self.decisions.update(type(action) for action in actions)
        return True

    def _parts(self, actions: Iterable[Action]) -> list[Part]:
        made = ((action, self._recording.parts(action)) for action in actions)
        return [((action,), self._recording.against(action), *part) for action, part in made if part is not None]

    async def _commit(self, against: str, compares: Sequence[Compare], writes: Sequence[Write]) -> bool:
        """False when it was refused, by the database or by a promise of this node."""
        if not against:
            outcome = await self._store.transact(compares, writes, timeout_s=DATABASE_TIMEOUT_S)
            return isinstance(outcome, Committed)
        try:
            outcome = await self.deciding.transact(against, compares, writes, timeout_s=DATABASE_TIMEOUT_S)
        except Promised:
            return False
        return isinstance(outcome, Committed)

    async def _start_fencing(self, node: str, view: ClusterView) -> None:
        silence = self._store.silences.get(node)
        configured = self._store.nodes.get(node)
        if silence is not None and silence.proof is None and configured is not None:
            self._fencing.start(configured, silence.incarnation)

    async def _forward_fence_reports(self, changes: Subscription) -> None:
        """A new word of a fence device may be the proof that is waited for. Told once in each life of the node."""
        told: set[tuple[str, str, str]] = set()
        while True:
            await self._fence_wake.wait()
            self._fence_wake.clear()
            changes.wake()
            reports = list(self._fencing.reports.items())
            now = {(node, report.incarnation, words) for node, report in reports for words in self._news(node, report)}
            lives = {(node, report.incarnation) for node, report in reports}
            told = {known for known in told if known[:2] in lives}
            for node, life, words in sorted(now - told):
                if await self._tell(node, f"fencing {node}: {words}"):
                    told.add((node, life, words))

    def _news(self, node: str, report: FenceReport) -> list[str]:
        """What its devices have said, until its death is proven: then that is the news."""
        silence = self._store.silences.get(node)
        if silence is not None and silence.proof is not None:
            return []
        said = [f"{device}: {why}" for device, why in report.errors.items()]
        return [*said, report.confirmed] if report.confirmed else said

    async def _tell(self, node: str, words: str) -> bool:
        """False when it could not be written: it is tried again with the next word of a device."""
        try:
            me = self._store.unchanged(keys.COORDINATOR)
            await self._store.transact(me, [self._journal.event("fence", words, about=node)])
        except Unavailable:
            return False
        return True
