"""How fast is the cluster database on one machine, and what does an idle cluster cost?

Prints one JSON line per figure. `python bench/database.py [DIRECTORY]`; the directory decides which disk is measured.
"""

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from outlast.adapters.sqlite import SqliteDatabase
from outlast.ports.database import Committed, Compare, Database, Put
from outlast.sim.database import SimDatabase
from outlast.sim.loop import SimLoop

ROUNDS = 1000
WATCHED_PUTS = 300
PUTS_PER_S = 50

PROCESSES = 3
RENEWAL_S = 5.0 / 6  # of a session, with the default node_timeout
IDLE_S = 30.0
WARM_UP_S = 3.0

SEEDS = 10
SEED_S = 600.0

TIMEOUT_S = 10.0
SESSION = b"x" * 200


def main(directory: str) -> None:
    asyncio.run(calls(f"{directory}/calls.db"))
    asyncio.run(watching(f"{directory}/watching.db"))
    idle(f"{directory}/idle.db")
    simulated()


async def calls(path: str) -> None:
    database = SqliteDatabase.open(path)
    await figure("put", lambda: database.transact([], [Put("control/n1", SESSION)], timeout_s=TIMEOUT_S))
    await figure("compare and set", increment(database))
    await figure("read of one key", lambda: database.read("control/n1", timeout_s=TIMEOUT_S))
    for number in range(100):
        await database.transact([], [Put(f"groups/{number}", SESSION)], timeout_s=TIMEOUT_S)
    await figure("read of 100 keys", lambda: database.read("groups/", timeout_s=TIMEOUT_S))
    await database.close()


def increment(database: Database) -> Callable[[], Awaitable[object]]:
    revision = 0

    async def once() -> None:
        nonlocal revision
        writes = [Put("count", SESSION)]
        outcome = await database.transact([Compare("count", revision)], writes, timeout_s=TIMEOUT_S)
        assert isinstance(outcome, Committed)
        revision = outcome.revision

    return once


async def figure(name: str, call: Callable[[], Awaitable[object]]) -> None:
    took_s = []
    for _ in range(ROUNDS):
        started_s = time.monotonic()
        await call()
        took_s.append(time.monotonic() - started_s)
    say_latency(name, took_s)


async def watching(path: str) -> None:
    """From the start of a put in another process to the change in the hands of a watch here."""
    database = SqliteDatabase.open(path)
    writer = start("write", path)
    took_s = []
    async for batch in database.watch("control/", 0):
        took_s.append(time.monotonic() - float(batch.changes[0].value or b"nan"))
        if len(took_s) == WATCHED_PUTS:
            break
    writer.wait(TIMEOUT_S)
    say_latency("put to watch in another process", took_s)
    await database.close()


async def write(path: str) -> None:
    database = SqliteDatabase.open(path)
    for _ in range(WATCHED_PUTS):
        await database.transact([], [Put("control/n1", b"%.9f" % time.monotonic())], timeout_s=TIMEOUT_S)
        await asyncio.sleep(1 / PUTS_PER_S)
    await database.close()


def idle(path: str) -> None:
    """Each process renews its session and watches those of all."""
    for name, what in [("an idle cluster of 3, per process", "node"), ("the same without a database", "nothing")]:
        processes = [start(what, path, f"n{number}") for number in range(PROCESSES)]
        shares = [float(process.communicate(timeout=IDLE_S * 3)[0]) for process in processes]
        say(f"CPU of {name}", "% of a core", mean=100 * statistics.mean(shares), most=100 * max(shares))


async def node(path: str, name: str) -> None:
    database = SqliteDatabase.open(path)
    heard = 0

    async def watch() -> None:
        nonlocal heard
        async for _ in database.watch("control/", 0):
            heard += 1

    async def renew() -> None:
        await database.transact([], [Put(f"control/{name}", SESSION)], timeout_s=TIMEOUT_S)

    watching = asyncio.create_task(watch())
    share = await cpu_share(renew)
    assert heard >= (PROCESSES - 1) * IDLE_S / RENEWAL_S
    watching.cancel()
    await database.close()
    print(share)


async def nothing() -> None:
    async def renew() -> None:
        pass

    print(await cpu_share(renew))


async def cpu_share(renew: Callable[[], Awaitable[None]]) -> float:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while loop.time() < began_s + WARM_UP_S:
        await renew()
        await asyncio.sleep(RENEWAL_S)
    began_s, used_s = loop.time(), cpu_s()
    while loop.time() < began_s + IDLE_S:
        await renew()
        await asyncio.sleep(RENEWAL_S)
    return (cpu_s() - used_s) / (loop.time() - began_s)


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def simulated() -> None:
    """What the database takes of a seed: 3 nodes that renew their sessions and watch them for ten minutes."""
    started_s = time.process_time()
    for _ in range(SEEDS):
        loop = SimLoop()
        loop.run_until_complete(simulated_cluster())
        loop.close()
    say("a simulated cluster of 3 for 600 s", "ms of CPU", mean=1000 * (time.process_time() - started_s) / SEEDS)


async def simulated_cluster() -> None:
    store = SimDatabase()
    heard = 0

    async def watch(database: Database) -> None:
        nonlocal heard
        async for _ in database.watch("control/", 0):
            heard += 1

    async def renew(database: Database, name: str) -> None:
        for _ in range(int(SEED_S / RENEWAL_S)):
            await database.transact([], [Put(f"control/{name}", SESSION)], timeout_s=TIMEOUT_S)
            await asyncio.sleep(RENEWAL_S)

    nodes = {name: store.connect(name) for name in ("n1", "n2", "n3")}
    watching = [asyncio.create_task(watch(database)) for database in nodes.values()]
    await asyncio.gather(*(renew(database, name) for name, database in nodes.items()))
    assert heard == 3 * store.revision
    for task in watching:
        task.cancel()


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(Path(__file__)), "--as", *arguments], stdout=subprocess.PIPE)


def say_latency(name: str, took_s: list[float]) -> None:
    parts = statistics.quantiles(took_s, n=100)
    say(name, "ms", p50=1000 * parts[49], p99=1000 * parts[98], most=1000 * max(took_s))


def say(name: str, unit: str, **values: float) -> None:
    print(
        json.dumps({"figure": name, "unit": unit} | {key: round(value, 3) for key, value in values.items()}), flush=True
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--as", "write", path]:
            asyncio.run(write(path))
        case ["--as", "node", path, name]:
            asyncio.run(node(path, name))
        case ["--as", "nothing", *_]:
            asyncio.run(nothing())
        case []:
            with tempfile.TemporaryDirectory(dir=".") as here:
                main(here)
        case [directory]:
            with tempfile.TemporaryDirectory(dir=directory) as there:
                main(there)
        case _:
            sys.exit("usage: python bench/database.py [DIRECTORY]")
