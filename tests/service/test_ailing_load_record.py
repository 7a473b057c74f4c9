"""What keeps the load of a node may fail in every way: the cluster service goes on, and tells what it knows."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from fence_script import LoopClock

from outlast.core.membership.membership import Observer
from outlast.core.membership.timing import timing
from outlast.model.load import Load, NodeLoad, Reading
from outlast.service.load import NO_LINKS, UNKNOWN, Loads
from outlast.service.store import Store
from outlast.sim.loop import SimLoop


class Record:
    """Of a machine that has always as much to do: a quarter of its four processors."""

    def __init__(self, clock: LoopClock) -> None:
        self._clock = clock
        self.written: list[Load] = []
        self.read_fails: Exception | None = None
        self.kept_fails: Exception | None = None
        self.keeping: Callable[[], Awaitable[object]] | None = None
        """What is waited for before a minute is written."""

    def read(self) -> Reading:
        if self.read_fails is not None:
            raise self.read_fails
        return Reading(self._clock.now(), 4 * self._clock.now(), 1000, 8000, 4)

    async def kept(self) -> Sequence[Load]:
        if self.kept_fails is not None:
            raise self.kept_fails
        return ()

    async def keep(self, minute: Load) -> None:
        self.written.append(minute)
        if self.keeping is not None:
            await self.keeping()


Story = Callable[[Loads, Record], Awaitable[None]]


def tell(story: Story, *, with_record: bool = True) -> None:
    loop = SimLoop()

    async def play() -> None:
        clock = LoopClock()
        store = Store("n1", cast(Any, None), cast(Any, clock), Observer(timing(5.0), 0.0))
        record = Record(clock)
        loads = Loads(store, cast(Any, clock), record if with_record else None, None, lambda: 2)
        running = asyncio.ensure_future(loads.run())
        await story(loads, record)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    try:
        loop.run_until_complete(play())
        assert loop.problems == []
    finally:
        loop.close()


def minutes(found: NodeLoad) -> list[int]:
    return [step.at_s // 60 for step in found.steps]


def test_each_minute_is_written_once_when_it_is_over() -> None:
    async def story(loads: Loads, record: Record) -> None:
        await asyncio.sleep(310)
        found = loads.here(1)
        assert [minute.at_s // 60 for minute in record.written] == minutes(found)[:-1]
        assert len(minutes(found)) >= 5
        assert {step.cpu for step in found.steps} == {0.25}
        assert found.now is not None
        assert found.now.vms == 2

    tell(story)


def test_a_disk_that_hangs_holds_up_nothing_but_what_is_written_to_it() -> None:
    async def story(loads: Loads, record: Record) -> None:
        hangs = asyncio.Event()
        record.keeping = hangs.wait
        await asyncio.sleep(310)
        assert len(record.written) == 1
        assert len(minutes(loads.here(1))) >= 5
        hangs.set()
        await asyncio.sleep(130)
        assert len(record.written) >= 2

    tell(story)


def test_a_disk_that_refuses_is_no_reason_to_know_less() -> None:
    async def story(loads: Loads, record: Record) -> None:
        async def refuse() -> None:
            raise OSError("read-only file system")

        record.keeping, record.kept_fails = refuse, OSError("input/output error")
        await asyncio.sleep(310)
        found = loads.here(1)
        assert (found.why, len(minutes(found)) >= 5) == ("", True)
        assert len(record.written) >= 4, "it is tried again with each minute"

    tell(story)


def test_a_kernel_that_does_not_tell_is_the_reason_and_is_asked_again() -> None:
    async def story(loads: Loads, record: Record) -> None:
        record.read_fails = OSError("no /proc")
        await asyncio.sleep(20)
        assert loads.here(1) == NodeLoad("n1", why="it cannot tell what it has to do: no /proc")
        record.read_fails = None
        await asyncio.sleep(20)
        assert loads.here(1).why == ""

    tell(story)


def test_a_fault_of_ours_ends_no_cluster_service() -> None:
    async def story(loads: Loads, record: Record) -> None:
        record.read_fails = ZeroDivisionError("a fault")
        await loads.run()
        assert loads.here(1).why == UNKNOWN

    tell(story)


def test_without_a_record_or_links_that_is_what_is_told() -> None:
    async def story(loads: Loads, record: Record) -> None:
        await asyncio.sleep(10)
        assert await loads.of("n1", 1) == NodeLoad("n1", why=UNKNOWN)
        assert await loads.of("n2", 1) == NodeLoad("n2", why=NO_LINKS)
        assert record.written == []

    tell(story, with_record=False)
