"""The simulated loop: asyncio on a clock that jumps, with processes that freeze and die."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from outlast.sim.loop import SimLoop, Spinning, Stuck
from outlast.sim.process import Process


@pytest.fixture
def loop() -> Iterator[SimLoop]:
    loop = SimLoop()
    yield loop
    loop.close()


def play(main: Callable[[], Awaitable[object]]) -> SimLoop:
    loop = SimLoop()
    loop.run_until_complete(main())
    assert loop.problems == []
    loop.close()
    return loop


def test_an_hour_of_sleep_takes_no_time_and_moves_the_clock() -> None:
    async def main() -> None:
        await asyncio.sleep(3600)

    assert play(main).time() == 3600


def test_asyncio_tools_work_on_it() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        event = asyncio.Event()

        async def fill() -> None:
            for number in range(5):
                await queue.put(number)
            event.set()

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(fill())
            assert [await queue.get() for _ in range(5)] == [0, 1, 2, 3, 4]
            await event.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(9), 1.5)
        assert loop.time() == 4.0

    play(main)


def test_timers_due_together_run_in_the_order_they_were_set(loop: SimLoop) -> None:
    heard: list[int] = []
    for number in range(50):
        loop.call_at(1.0, heard.append, number)
    loop.run_until(1.0)
    assert heard == list(range(50))


def test_run_until_plays_the_last_moment_too_and_stops_there(loop: SimLoop) -> None:
    heard: list[str] = []
    loop.call_later(2.0, heard.append, "due")
    loop.call_later(2.001, heard.append, "later")
    loop.run_until(2.0)
    assert (heard, loop.time()) == (["due"], 2.0)


def test_waiting_for_what_can_no_longer_happen_is_stuck() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        play(main)


def test_callbacks_that_never_pause_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outlast.sim.loop._ROUNDS_WITHOUT_A_PAUSE", 1000)

    async def main() -> None:
        while True:  # noqa: ASYNC110  it is what the test is about
            await asyncio.sleep(0)

    with pytest.raises(Spinning):
        play(main)


def test_work_takes_time_so_a_wait_rounded_down_to_nothing_ends() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + 1e-5
        while loop.time() < until_s:  # noqa: ASYNC110  it is what the test is about
            await asyncio.sleep(0)

    assert play(main).time() == pytest.approx(1e-5)


def test_a_callback_that_raises_is_a_problem_that_the_run_reports(loop: SimLoop) -> None:
    loop.call_soon(lambda: 1 // 0)
    loop.run_until(1)
    assert len(loop.problems) == 1
    assert "ZeroDivisionError" in loop.problems[0]


def test_cancelled_timers_do_not_pile_up(loop: SimLoop) -> None:
    for _ in range(10_000):
        loop.call_later(1000.0, print, "never").cancel()
    assert len(loop._timers) < 1000


def test_sweeping_out_cancelled_timers_keeps_the_others_in_order(loop: SimLoop) -> None:
    heard: list[int] = []
    timers = [loop.call_later(float(number % 7), heard.append, number) for number in range(2000)]
    kept = [number for number in range(2000) if number % 10 == 0]
    for number, timer in enumerate(timers):
        if number % 10:
            timer.cancel()
    loop.run_until(10)
    assert heard == sorted(kept, key=lambda number: (number % 7, number))


def spawned(loop: SimLoop, name: str, main: Callable[[], Awaitable[None]]) -> Process:
    process = Process(name)

    async def run() -> None:
        await main()

    process.context.run(loop.create_task, run())
    return process


def test_a_frozen_process_does_nothing_until_it_is_thawed_and_then_goes_on_in_order(loop: SimLoop) -> None:
    heard: list[tuple[float, str]] = []

    async def main() -> None:
        for number in range(4):
            await asyncio.sleep(1)
            heard.append((loop.time(), f"frozen one {number}"))

    async def other() -> None:
        await asyncio.sleep(2.5)
        heard.append((loop.time(), "the other"))

    process = spawned(loop, "p", main)
    spawned(loop, "q", other)
    loop.run_until(1.5)
    process.freeze()
    loop.run_until(10)
    assert heard == [(1, "frozen one 0"), (2.5, "the other")]
    loop.thaw(process)
    loop.run_until(20)
    assert heard[2:] == [(10, "frozen one 1"), (11, "frozen one 2"), (12, "frozen one 3")]


def test_a_process_frozen_twice_needs_to_be_thawed_twice(loop: SimLoop) -> None:
    process = Process("p")
    process.freeze()
    process.freeze()
    loop.thaw(process)
    assert not process.runs
    loop.thaw(process)
    assert process.runs


def test_no_finally_runs_in_a_process_that_lost_power(loop: SimLoop) -> None:
    heard: list[str] = []

    @contextlib.asynccontextmanager
    async def resource() -> AsyncIterator[None]:
        try:
            yield
        finally:
            heard.append("tidied up")

    async def child() -> None:
        async with resource():
            await asyncio.Event().wait()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())

    process = spawned(loop, "p", main)
    loop.run_until(1)
    loop.kill(process)
    loop.run_until(100)
    assert heard == []
    loop.close()
    assert loop.problems == []


def test_thawing_a_dead_process_brings_nothing_back(loop: SimLoop) -> None:
    heard: list[str] = []

    async def main() -> None:
        await asyncio.sleep(1)
        heard.append("alive")

    process = spawned(loop, "p", main)
    process.freeze()
    loop.run_until(2)
    loop.kill(process)
    loop.thaw(process)
    loop.run_until(3)
    assert heard == []


def test_what_a_process_starts_belongs_to_it(loop: SimLoop) -> None:
    heard: list[str] = []

    async def main() -> None:
        loop.call_later(5, heard.append, "timer of the dead")
        asyncio.create_task(asyncio.sleep(5)).add_done_callback(lambda _: heard.append("task of the dead"))
        await asyncio.sleep(100)

    process = spawned(loop, "p", main)
    loop.run_until(1)
    loop.kill(process)
    loop.run_until(10)
    assert heard == []


def test_closing_the_loop_ends_coroutines_that_await_while_they_end(loop: SimLoop) -> None:
    heard: list[str] = []

    async def main() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)
            heard.append("never reached: there is no time left")

    spawned(loop, "p", main)
    loop.run_until(1)
    loop.close()
    assert heard == []
    assert loop.problems == []


def test_an_abandoned_generator_is_closed() -> None:
    heard: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            heard.append("closed")

    async def main() -> None:
        async for _ in numbers():
            break
        await asyncio.sleep(1)

    play(main)
    assert heard == ["closed"]
