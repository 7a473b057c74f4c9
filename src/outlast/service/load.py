"""Keeps what this machine had to do in the last day, and tells the other nodes.

It is kept on this node, in a file of fixed size, and never in the cluster database: a healthy idle cluster writes
session records and nothing else. So whoever wants to know it of another node asks that one, over the links between the
services.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated

import msgspec
import structlog

from outlast.core.load import MINUTE_S, READ_EVERY_S, LastDay, Meter, Moment, rolled, rolled_up
from outlast.model.load import Load, NodeLoad, Reading
from outlast.ports.environment import Clock
from outlast.ports.load import LoadRecord
from outlast.ports.peers import NotAnswered, Peers, PeerUnreachable
from outlast.service.store import Store

log = structlog.get_logger()

TOPIC = "load"
ANSWER_S = 3.0
NO_LINKS = "the services of this cluster have no links to each other; ask that node itself"
UNKNOWN = "it keeps no record of its load"


class Wanted(msgspec.Struct, frozen=True):
    """The question that goes over a link."""

    step_min: Annotated[int, msgspec.Meta(ge=1)]


class Loads:
    def __init__(
        self, store: Store, clock: Clock, record: LoadRecord | None, peers: Peers | None, vms: Callable[[], int]
    ) -> None:
        """`vms`: how many VMs of the cluster are online here."""
        self._store = store
        self._clock = clock
        self._record = record
        self._peers = peers
        self._vms = vms
        self._meter = Meter()
        self._day = LastDay()
        self._reading: Reading | None = None
        self._problem = ""
        self._keeping: asyncio.Task[None] | None = None

    def register(self, peers: Peers) -> None:
        peers.answer(TOPIC, self._answer)

    async def run(self) -> None:
        """Whatever is wrong with it, the cluster service goes on: nobody's VM ends for a figure that people look at."""
        if self._record is None:
            return
        try:
            await self._follow(self._record)
        except Exception as error:  # noqa: BLE001 - see above
            log.error("a fault in keeping the load of this node", why=repr(error))

    async def _follow(self, record: LoadRecord) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._remember(record))
            while True:
                over = self._look(record)
                # A disk that hangs holds up one minute; those after it are known until this service ends.
                if over is not None and (self._keeping is None or self._keeping.done()):
                    self._keeping = tasks.create_task(self._keep(record, over))
                await asyncio.sleep(READ_EVERY_S)

    def here(self, step_min: int) -> NodeLoad:
        """Of this node."""
        if self._record is None or self._reading is None:
            return NodeLoad(self._store.me, why=self._problem or UNKNOWN)
        wall_s = self._clock.wall()
        minutes = self._day.minutes(wall_s)
        so_far = self._meter.so_far()
        if so_far is not None:
            minutes = (*(one for one in minutes if one.at_s < so_far.at_s), so_far)
        last = minutes[-1] if minutes and minutes[-1].at_s > wall_s - 2 * MINUTE_S else None
        return NodeLoad(
            node=self._store.me,
            at_s=wall_s,
            step_min=step_min,
            cpus=self._reading.cpus,
            memory_mib=self._reading.memory_mib,
            now=last,
            day=rolled(minutes, minutes[0].at_s) if minutes else None,
            steps=rolled_up(minutes, step_min),
        )

    async def of(self, node: str, step_min: int) -> NodeLoad:
        """As that node tells it; why it does not, if it does not."""
        if node == self._store.me:
            return self.here(step_min)
        if self._peers is None:
            return NodeLoad(node, why=NO_LINKS)
        record = self._store.nodes.get(node)
        question = msgspec.json.encode(Wanted(step_min))
        try:
            answer = await self._peers.ask(
                node, record.address if record else node, TOPIC, question, timeout_s=ANSWER_S
            )
            return msgspec.json.decode(answer, type=NodeLoad)
        except (PeerUnreachable, NotAnswered, msgspec.DecodeError) as error:
            return NodeLoad(node, why=str(error))

    async def _answer(self, asker: str, question: bytes) -> bytes:
        try:
            wanted = msgspec.json.decode(question, type=Wanted)
        except msgspec.DecodeError as error:
            raise NotAnswered(f"it does not understand the question: {error}") from error
        return msgspec.json.encode(self.here(wanted.step_min))

    def _look(self, record: LoadRecord) -> Load | None:
        """The minute that is over, if one is."""
        try:
            self._reading = record.read()
        except OSError as error:
            self._complain(f"it cannot tell what it has to do: {error}")
            return None
        over = self._meter.saw(Moment(self._reading, self._vms(), self._clock.now(), self._clock.wall()))
        if over is not None:
            self._day.put(over)
        return over

    async def _remember(self, record: LoadRecord) -> None:
        try:
            self._day.remember(await record.kept())
        except OSError as error:
            self._complain(f"what it had to do before this service was started cannot be read: {error}")

    async def _keep(self, record: LoadRecord, minute: Load) -> None:
        try:
            await record.keep(minute)
        except OSError as error:
            self._complain(f"what it has to do is not kept over a restart of the service: {error}")

    def _complain(self, problem: str) -> None:
        """Once, however often it happens."""
        if problem != self._problem:
            self._problem = problem
            log.warning("the load of this node", why=problem)
