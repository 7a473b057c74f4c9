"""The faults of the simulated database: what the calls and watches of a node see, and what the store holds."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from database_steps import contents, put, take

from outlast.ports.database import Committed, Compacted, Compare, Database, Put, Refused, Unavailable, Uncertain
from outlast.sim.database import Fate, Outage, SimDatabase
from outlast.sim.loop import SimLoop
from outlast.sim.process import Process

LATENCY_S = 0.01
TIMEOUT_S = 1.0


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = SimLoop()
    loop.run_until_complete(story())
    problems = loop.problems
    loop.close()
    assert problems == []


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def outcome_of(database: Database, key: str = "k") -> tuple[str, float]:
    """How a put ended, and how long it took."""
    started_s = now_s()
    try:
        await database.transact([], [Put(key, b"")], timeout_s=TIMEOUT_S)
        ended = "committed"
    except Unavailable as error:
        ended = type(error).__name__
    return ended, round(now_s() - started_s, 6)


def test_a_call_takes_its_latency_and_news_half_of_it() -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=LATENCY_S)
        writer, reader = store.connect("n1"), store.connect("n2")
        batches = reader.watch("", 0)
        news = asyncio.create_task(take(batches, 1))
        await asyncio.sleep(1)
        assert await outcome_of(writer) == ("committed", LATENCY_S)
        await news
        assert round(now_s(), 6) == 1 + LATENCY_S

    play(story)


def test_a_node_that_is_cut_off_gets_no_answer_and_the_others_notice_nothing() -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=LATENCY_S)
        cut, other = store.connect("n1"), store.connect("n2")
        store.cut("n1")
        assert await outcome_of(cut) == ("Uncertain", TIMEOUT_S)
        started_s = now_s()
        with pytest.raises(Unavailable) as caught:
            await cut.read("", timeout_s=TIMEOUT_S)
        assert not isinstance(caught.value, Uncertain)
        assert now_s() - started_s == TIMEOUT_S
        assert await contents(other) == {}
        assert await outcome_of(other) == ("committed", LATENCY_S)
        store.mend("n1")
        assert await outcome_of(cut) == ("committed", LATENCY_S)

    play(story)


def test_a_node_whose_connections_are_refused_knows_at_once_that_nothing_was_written() -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=LATENCY_S)
        database = store.connect("n1")
        store.cut("n1", Outage.REFUSED)
        assert await outcome_of(database) == ("Unavailable", LATENCY_S / 2)
        assert store.entries() == ()

    play(story)


@pytest.mark.parametrize(
    ("cut_after_s", "committed"),
    [(LATENCY_S * 0.25, False), (LATENCY_S * 0.75, True)],
    ids=["on the way there", "on the way back"],
)
def test_a_write_that_is_cut_off_on_its_way_is_uncertain(cut_after_s: float, committed: bool) -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=LATENCY_S)
        asyncio.get_running_loop().call_later(cut_after_s, store.cut, "n1")
        assert await outcome_of(store.connect("n1")) == ("Uncertain", TIMEOUT_S)
        assert bool(store.entries("k")) is committed

    play(story)


@pytest.mark.parametrize(("fate", "committed"), [(Fate.LOST, False), (Fate.UNHEARD, True)])
def test_a_write_can_be_made_uncertain_committed_or_not(fate: Fate, committed: bool) -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=LATENCY_S)
        database = store.connect("n1")
        store.next_write("n1", fate)
        assert await outcome_of(store.connect("n2"), "other") == ("committed", LATENCY_S)
        assert await outcome_of(database) == ("Uncertain", TIMEOUT_S)
        assert bool(store.entries("k")) is committed
        assert await outcome_of(database) == ("committed", LATENCY_S)

    play(story)


def test_fates_can_be_drawn_for_every_write_and_reads_are_spared() -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=LATENCY_S)
        chance = random.Random(1)
        store.fate_of = lambda node: chance.choice(list(Fate))
        database = store.connect("n1")
        ends = [(await outcome_of(database, f"{number}"))[0] for number in range(60)]
        there = len(await contents(database))
        assert ends.count("committed") > 10
        assert ends.count("Uncertain") > 20
        assert ends.count("committed") < there < 60

    play(story)


def test_a_write_slower_than_its_caller_waits_commits_all_the_same() -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=3 * TIMEOUT_S)
        assert await outcome_of(store.connect("n1")) == ("Uncertain", TIMEOUT_S)
        assert store.entries() == ()
        await asyncio.sleep(TIMEOUT_S)
        assert [entry.key for entry in store.entries()] == ["k"]

    play(story)


def test_a_watch_hears_nothing_while_cut_off_and_everything_afterwards() -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=LATENCY_S)
        writer, reader = store.connect("n1"), store.connect("n2")
        batches = reader.watch("", 0)
        await put(writer, k=b"0")
        await take(batches, 1)
        store.cut("n2")
        waiting = asyncio.create_task(take(batches, 4))
        for number in range(1, 4):
            await put(writer, k=b"%d" % number)
        await asyncio.sleep(5)
        assert not waiting.done()
        store.mend("n2")
        await put(writer, k=b"4")
        assert [batch.revision for batch in await waiting] == [2, 3, 4, 5]

    play(story)


def test_news_that_are_on_their_way_to_a_node_when_it_is_cut_off_come_after_it_is_mended() -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=LATENCY_S)
        writer, reader = store.connect("n1"), store.connect("n2")
        waiting = asyncio.create_task(take(reader.watch("", 0), 1))
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_later(LATENCY_S * 0.75, store.cut, "n2")
        await put(writer, k=b"")
        await asyncio.sleep(1)
        assert not waiting.done()
        store.mend("n2")
        await waiting

    play(story)


def test_a_watch_cut_off_for_longer_than_history_is_kept_is_told_so() -> None:
    async def story() -> None:
        store = SimDatabase(latency_s=0.001, keep_revisions=10)
        writer, reader = store.connect("n1"), store.connect("n2")
        concerned = asyncio.create_task(take(reader.watch("k", 0), 1))
        not_concerned = asyncio.create_task(take(reader.watch("other", 0), 1))
        await asyncio.sleep(1)
        store.cut("n2")
        for _ in range(2000):
            await put(writer, k=b"")
        store.mend("n2")
        with pytest.raises(Compacted):
            await concerned
        last = await put(writer, other=b"")
        assert [batch.revision for batch in await not_concerned] == [last]

    play(story)


def test_news_never_overtake_each_other_however_the_latency_is_drawn() -> None:
    async def story() -> None:
        chance = random.Random(2)
        store = SimDatabase(latency_s=lambda: chance.uniform(0, 1))
        batches = store.connect("n1").watch("", 0)
        writers = [store.connect(f"w{number}") for number in range(3)]
        await asyncio.gather(*(put(writers[number % 3], k=b"%d" % number) for number in range(100)))
        assert [batch.revision for batch in await take(batches, 100)] == list(range(1, 101))

    play(story)


def test_a_request_on_its_way_arrives_though_its_sender_dies_and_its_news_reach_the_others() -> None:
    loop = SimLoop()
    store = SimDatabase(latency_s=LATENCY_S)
    sender, reader = store.connect("n1"), store.connect("n2")
    process = Process("n1")
    heard: list[int] = []

    async def send() -> None:
        await sender.transact([], [Put("k", b"")], timeout_s=TIMEOUT_S)
        heard.append(-1)

    async def listen() -> None:
        async for batch in reader.watch("", 0):
            heard.append(batch.revision)

    async def story() -> None:
        listening = asyncio.create_task(listen())
        await asyncio.sleep(1)
        process.context.run(asyncio.get_running_loop().create_task, send())
        await asyncio.sleep(LATENCY_S / 4)
        loop.kill(process)
        await asyncio.sleep(1)
        listening.cancel()

    loop.run_until_complete(story())
    problems = loop.problems
    loop.close()
    assert problems == []
    assert heard == [1]


def test_a_run_repeats_exactly() -> None:
    def run() -> list[object]:
        chance = random.Random(3)
        seen: list[object] = []

        async def story() -> None:
            store = SimDatabase(latency_s=lambda: chance.expovariate(100))
            store.fate_of = lambda node: chance.choices(list(Fate), [8, 1, 1])[0]

            async def watch(database: Database, name: str) -> None:
                async for batch in database.watch("", 0):
                    seen.append((now_s(), name, batch))

            async def work(database: Database, name: str) -> None:
                for number in range(50):
                    compares = [Compare("shared", number)] if number % 3 else []
                    try:
                        outcome: object = await database.transact(
                            compares, [Put("shared", name.encode()), Put(name, b"")], timeout_s=0.1
                        )
                    except Uncertain as error:
                        outcome = str(error)
                    seen.append((now_s(), name, outcome))

            connections = {name: store.connect(name) for name in ("n1", "n2", "n3")}
            watching = [asyncio.create_task(watch(each, name)) for name, each in connections.items()]
            await asyncio.gather(*(work(each, name) for name, each in connections.items()))
            for task in watching:
                task.cancel()

        play(story)
        return seen

    first = run()
    assert {type(event[2]) for event in first if isinstance(event, tuple)} >= {Committed, Refused, str}
    assert run() == first
