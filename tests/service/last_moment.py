"""One node's picture of a cluster and what decides from it, on a database where something happens at the last moment.

`Scene` is n1, which coordinates, with the real store, observation and coordinator; the other nodes are only records.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import msgspec
from fence_script import LoopClock, Script, ScriptedFence, always
from fence_script import nobody as nobody_answers

from build import NODES, incarnation, node, session
from outlast.core.membership.certainty import Pledges
from outlast.core.membership.membership import Observer, Session
from outlast.core.membership.timing import timing
from outlast.model import keys
from outlast.model.group import Group
from outlast.model.node import Coordinator, Silence
from outlast.model.settings import Settings
from outlast.ports.database import Batch, Committed, Compare, Database, Put, Refused, Snapshot, Write
from outlast.ports.fence import Fence, FenceFailed
from outlast.ports.secrets import Secrets
from outlast.service.commands.context import Context
from outlast.service.coordinator import Coordinating
from outlast.service.deciding import Deciding
from outlast.service.fence.devices import FenceDevices
from outlast.service.fence.fencing import Fencing
from outlast.service.fence.hearing import Hearing
from outlast.service.fence.ladder import Means
from outlast.service.journal import Journal
from outlast.service.observation import Observation
from outlast.service.store import Store, put
from outlast.sim.database import SimDatabase
from outlast.sim.loop import SimLoop

BEAT_S = 0.5


class LastMoment:
    """A connection: just before the first write of `key` arrives, `happens` has been committed by somebody else."""

    def __init__(self, database: Database, key: str, happens: Callable[[], object]) -> None:
        self._database = database
        self._key = key
        self._happens: Callable[[], object] | None = happens

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        if self._happens is not None and any(write.key == self._key for write in writes):
            happens, self._happens = self._happens, None
            happens()
        return await self._database.transact(compares, writes, timeout_s=timeout_s)

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        return await self._database.read(prefix, timeout_s=timeout_s)

    def watch(self, prefix: str, after_revision: int) -> AsyncIterator[Batch]:
        return self._database.watch(prefix, after_revision)

    async def compact(self, revision: int, *, timeout_s: float) -> None:
        await self._database.compact(revision, timeout_s=timeout_s)

    async def close(self) -> None:
        await self._database.close()


class Scene:
    """`records` beside three healthy nodes, of which `away` have no session."""

    def __init__(
        self, *records: Put, away: Sequence[str] = (), fence: Fence | None = None, secrets: Secrets | None = None
    ) -> None:
        self.database = SimDatabase(latency_s=0.001)
        self.pledges = Pledges()
        self.fence = fence or ScriptedFence(fence_lab=Script([FenceFailed("no contact with the BMC")]))
        self.secrets = secrets
        members = [name for name in NODES if name not in away]
        self.commit(
            put(keys.CLUSTER, Settings()),
            put(keys.COORDINATOR, Coordinator("n1", incarnation("n1"), 1)),
            *(put(keys.NODES + name, node(name)) for name in NODES),
            *(put(keys.SESSIONS + name, session(name)) for name in members),
            *records,
        )

    def commit(self, *writes: Write) -> None:
        outcome = self.database.commit([], writes)
        assert isinstance(outcome, Committed)

    def play(self, story: Callable[["Scene"], Any], *, key: str, happens: Callable[[], object]) -> None:
        """Play an async story; `happens` just before n1 first writes `key`."""
        loop = SimLoop()
        try:
            loop.run_until_complete(self._play(story, key, happens))
            assert loop.problems == []
        finally:
            loop.close()

    async def _play(self, story: Callable[["Scene"], Any], key: str, happens: Callable[[], object]) -> None:
        clock, times, wake = LoopClock(), timing(5.0), asyncio.Event()
        self.observer, self.own = Observer(times, clock.now()), Session(times)
        self.store = Store("n1", LastMoment(self.database.connect("n1"), key, happens), clock, self.observer)
        pledges, journal = self.pledges, Journal("n1", clock)
        devices = FenceDevices(self.fence, self.secrets, self.store.database, journal)
        fencing = Fencing(Means(self.fence, clock, devices.to_prove, Hearing(nobody_answers, clock)), always, wake)
        observation = Observation(self.store, clock, self.observer, pledges, lambda: fencing.reports)
        self.coordinating = Coordinating(
            self.store, observation, fencing, self.own, journal, clock, wake, Deciding(self.store, pledges, clock)
        )
        self.coordinating.incarnation = incarnation("n1")
        nobody: Any = None
        self.context = Context(
            self.store,
            observation,
            self.coordinating,
            nobody,
            nobody,
            nobody,
            journal,
            cast(Any, clock),
            nobody,
            fencing=fencing,
            fence_devices=devices,
        )
        tasks = [asyncio.ensure_future(work) for work in (self.store.run(), self._beat(clock), devices.run(self.store))]
        await self.store.ready.wait()
        try:
            await story(self)
        finally:
            fencing.stop_all()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def coordinate(self, for_s: float) -> None:
        task = asyncio.ensure_future(self.coordinating.run())
        await asyncio.sleep(for_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _beat(self, clock: LoopClock) -> None:
        """n1's own renewals, all acknowledged."""
        while True:
            self.own.renewed(clock.now())
            self.observer.own_write_acknowledged(clock.now())
            self.observer.saw_record("n1", clock.now())
            await asyncio.sleep(BEAT_S)

    # -- what stands in the database ---------------------------------------------------------------------------

    def group(self, name: str) -> Group:
        return msgspec.json.decode(self._value(keys.GROUPS + name), type=Group)

    def silences(self) -> dict[str, Silence]:
        found = (msgspec.json.decode(entry.value, type=Silence) for entry in self.database.entries(keys.SILENCES))
        return {silence.node: silence for silence in found}

    def _value(self, key: str) -> bytes:
        return next(entry.value for entry in self.database.entries(key) if entry.key == key)
