"""How fast is etcd through our client, and how long is nothing acknowledged when a member dies or freezes?

Three members on loopback, their data in memory (a disk adds its own fsync), 50 ms heartbeat, 500 ms election, pre-vote.
Writes have the time limit that a session's renewal has. Prints one JSON line per figure.
"""

import asyncio
import itertools
import json
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from outlast.adapters.etcd import Client, EtcdDatabase
from outlast.core.membership.timing import timing
from outlast.ports.database import Committed, Compare, Put, Unavailable

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from etcd_members import EtcdCluster, EtcdMember, etcd_cluster

CALLS = 1000
WARM_UP = 50
RUNS = 3
PUTS_PER_S = 50
BEFORE_S = 1.0
AFTER_S = 5.0
TIMEOUT_S = 10.0
SESSION = b"x" * 200


def main() -> None:
    with etcd_cluster() as cluster:
        asyncio.run(calls(cluster))
        for node_timeout_s in (5.0, 2.0):
            for how, which in itertools.product(("kill", "freeze"), ("follower", "leader")):
                losses(cluster, how, which, node_timeout_s)


async def calls(cluster: EtcdCluster) -> None:
    database = EtcdDatabase(Client(cluster.urls, prefix="bench/"))
    revision = 0

    async def compare_and_set() -> None:
        nonlocal revision
        outcome = await database.transact([Compare("c", revision)], [Put("c", SESSION)], timeout_s=TIMEOUT_S)
        assert isinstance(outcome, Committed)
        revision = outcome.revision

    await figure("put", lambda: database.transact([], [Put("k", SESSION)], timeout_s=TIMEOUT_S))
    await figure("compare and set", compare_and_set)
    await figure("read of one key", lambda: database.read("k", timeout_s=TIMEOUT_S))
    batches = database.watch("c", revision)

    async def seen() -> None:
        await compare_and_set()
        await anext(batches)

    await figure("compare and set, until a watch has it", seen)
    await database.close()


async def figure(name: str, call: Callable[[], Awaitable[object]]) -> None:
    for _ in range(WARM_UP):
        await call()
    took_s = []
    used_s = cpu_s()
    for _ in range(CALLS):
        started_s = time.monotonic()
        await call()
        took_s.append(time.monotonic() - started_s)
    parts = statistics.quantiles(took_s, n=100)
    say(name, "ms", p50=1000 * parts[49], p99=1000 * parts[98], cpu=1000 * (cpu_s() - used_s) / CALLS)


def losses(cluster: EtcdCluster, how: str, which: str, node_timeout_s: float) -> None:
    """The member is the one that the client prefers."""
    writes, watched = [], []
    for _ in range(RUNS):
        cluster.put_in_order()
        victim = cluster.leader() if which == "leader" else cluster.followers()[0]
        write_gap_s, watch_gap_s = asyncio.run(loss(cluster, victim, how, timing(node_timeout_s).renew_timeout_s))
        writes.append(write_gap_s)
        watched.append(watch_gap_s)
    cluster.put_in_order()
    name = f"{how} the {which} that is asked, node_timeout {node_timeout_s:g} s"
    say(f"{name}: longest gap of acknowledged writes", "s", median=statistics.median(writes), most=max(writes))
    say(f"{name}: longest gap of watched writes", "s", median=statistics.median(watched), most=max(watched))


async def loss(cluster: EtcdCluster, victim: EtcdMember, how: str, timeout_s: float) -> tuple[float, float]:
    urls = [victim.url, *(url for url in cluster.urls if url != victim.url)]
    database = EtcdDatabase(Client(urls, prefix="bench/"))
    snapshot = await database.read("", timeout_s=TIMEOUT_S)
    acknowledged_s, watched_s = [], []

    async def watch() -> None:
        async for _ in database.watch("k", snapshot.revision):
            watched_s.append(time.monotonic())

    async def write() -> None:
        while True:
            try:
                await database.transact([], [Put("k", SESSION)], timeout_s=timeout_s)
                acknowledged_s.append(time.monotonic())
            except Unavailable:
                pass
            await asyncio.sleep(1 / PUTS_PER_S)

    tasks = [asyncio.create_task(watch()), asyncio.create_task(write())]
    await asyncio.sleep(BEFORE_S)
    getattr(victim, how)()
    await asyncio.sleep(AFTER_S)
    for task in tasks:
        task.cancel()
    await database.close()
    return longest_gap_s(acknowledged_s), longest_gap_s(watched_s)


def longest_gap_s(times_s: list[float]) -> float:
    return max(later - earlier for earlier, later in itertools.pairwise([*times_s, time.monotonic()]))


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def say(name: str, unit: str, **values: float) -> None:
    rounded = {key: round(value, 3) for key, value in values.items()}
    print(json.dumps({"figure": name, "unit": unit} | rounded), flush=True)


if __name__ == "__main__":
    main()
