"""A database that is full, slow, on a broken disk, or damaged: what is said, and that no answer is wrong."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from database_steps import SOON_S, after, contents, put, surely_put

from etcd_members import EtcdCluster, EtcdMember, etcd_cluster
from outlast.adapters.etcd import Client, EtcdDatabase, EtcdMembers, EtcdUpkeep
from outlast.core.quorum.upkeep import CallOff, Forget, Reclaim
from outlast.ports.database import Compacted, Delete, Put, Unavailable, Uncertain, Unwritable
from outlast.service.quorum.upkeep import one_round

HANG_S = 120.0
QUOTA_BYTES = 8 * 1024 * 1024
PREFIX = "states/"


def play(story: Callable[[EtcdDatabase], Awaitable[None]], cluster: EtcdCluster) -> None:
    async def main() -> None:
        async with asyncio.timeout(HANG_S):
            database = EtcdDatabase(Client(cluster.urls, prefix=PREFIX))
            try:
                await story(database)
            finally:
                await database.close()

    asyncio.run(main())


@pytest.fixture
def small() -> Iterator[EtcdCluster]:
    """Three members whose database is soon full."""
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd on this machine; install the package etcd-server")
    with etcd_cluster(extra=[f"--quota-backend-bytes={QUOTA_BYTES}"]) as cluster:
        yield cluster


@contextmanager
def disk_of(member: EtcdMember, fault: str) -> Iterator[None]:
    """Every fsync of the member meets that fault."""
    if os.geteuid() != 0 or shutil.which("strace") is None:
        pytest.skip("to break a disk takes root and strace")
    assert member.process
    tracer = subprocess.Popen(
        ["strace", "-f", "-q", "-o", os.devnull, "-p", str(member.process.pid)]
        + [word for call in ("fsync", "fdatasync") for word in ("-e", f"inject={call}:{fault}")],
        stderr=subprocess.DEVNULL,
    )
    try:
        while not is_traced(member):
            assert tracer.poll() is None, "strace ended"
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(HANG_S)


async def fill(database: EtcdDatabase) -> None:
    while True:
        await put(database, filler=b"x" * 200_000)


def is_traced(member: EtcdMember) -> bool:
    """All threads of it: strace takes them one after the other, and any of them may write."""
    assert member.process
    statuses = Path(f"/proc/{member.process.pid}/task").glob("*/status")
    return all("TracerPid:\t0\n" not in status.read_text() for status in statuses)


def test_a_full_database_says_so_goes_on_answering_and_is_mended_by_the_upkeep(small: EtcdCluster) -> None:
    async def story(database: EtcdDatabase) -> None:
        client = database._client
        members, upkeep = EtcdMembers(client), EtcdUpkeep(client)
        kept = await put(database, kept=b"1", gone=b"1")
        batches = database.watch("", kept)
        with pytest.raises(Unavailable, match=r"^cannot write to the cluster database: it is full") as refused:
            await fill(database)
        assert refused.type is Unwritable  # and not Uncertain
        assert (await contents(database))["kept"] == b"1"
        await database.transact([], [Delete("gone")], timeout_s=SOON_S)
        while (await after(batches)).changes[0].key != "gone":
            pass
        assert "quota is reached" in (await members.status(small.urls[0], timeout_s=SOON_S)).problems[0]

        assert await one_round(upkeep, database, coordinates=False) != []
        await put(database, kept=b"2")
        assert (await contents(database))["kept"] == b"2"
        assert (await members.status(small.urls[0], timeout_s=SOON_S)).problems == ()
        with pytest.raises(Compacted):
            await after(database.watch("", kept))

    play(story, small)


def test_the_upkeep_of_a_full_database_forgets_then_reclaims_everywhere_then_calls_off(small: EtcdCluster) -> None:
    async def story(database: EtcdDatabase) -> None:
        upkeep = EtcdUpkeep(database._client)
        assert await one_round(upkeep, database, coordinates=True) == []
        with pytest.raises(Unavailable):
            await fill(database)
        before = {size.url: size.total_bytes for size in await upkeep.sizes(timeout_s=SOON_S)}
        first, *reclaimed, last = await one_round(upkeep, database, coordinates=False)
        assert isinstance(first, Forget)
        assert isinstance(last, CallOff)
        assert {step.url for step in reclaimed if isinstance(step, Reclaim)} == set(small.urls)
        leader = small.leader().url
        assert [getattr(step, "url", "") for step in reclaimed][-1] == leader
        for size in await upkeep.sizes(timeout_s=SOON_S):
            assert size.total_bytes < before[size.url] / 4
            assert not size.full

    play(story, small)


def test_a_disk_that_takes_a_second_for_each_write_makes_writes_slow_or_uncertain_and_loses_nothing() -> None:
    with etcd_cluster(1) as cluster:

        async def story(database: EtcdDatabase) -> None:
            start = await put(database, k=b"start")
            batches = database.watch("", start)
            with disk_of(cluster.members[0], "delay_enter=1000000"):
                disk_s, slow = await asyncio.gather(
                    EtcdMembers(database._client).disk_s(cluster.urls[0], within_s=3.0), put(database, k=b"slow")
                )
                assert disk_s > 0.9
                words = ""
                while "a slow disk" not in words:
                    with pytest.raises(Unavailable) as late:
                        await database.transact([], [Put("k", b"impatient")], timeout_s=0.3)
                    assert late.type is Uncertain  # it is on its way to the disk
                    try:
                        await database.read("", timeout_s=0.1)
                    except Unavailable as error:
                        words = str(error)
            last = await put(database, k=b"last")
            delivered = [await after(batches)]
            assert delivered[0].revision == slow
            while delivered[-1].revision < last:
                delivered.append(await after(batches))
            assert [batch.revision for batch in delivered] == list(range(slow, last + 1))
            assert await contents(database) == {"k": b"last"}

        play(story, cluster)


def test_a_member_whose_disk_reports_errors_ends_and_the_others_go_on(etcd: EtcdCluster) -> None:
    """Etcd rather ends than go on without its disk."""
    victim = etcd.leader()

    async def story(database: EtcdDatabase) -> None:
        await surely_put(database, k=b"before")
        with disk_of(victim, "error=EIO"):
            while victim.runs:
                with suppress(Unavailable):
                    await database.transact([], [Put("k", b"on")], timeout_s=0.5)
        await database.read("", timeout_s=SOON_S)
        last = await surely_put(database, k=b"after")
        assert (await database.read("k", timeout_s=SOON_S)).entries[0].revision == last
        with pytest.raises(Unavailable, match="does not run there"):
            await EtcdMembers(database._client).status(victim.url, timeout_s=SOON_S)

    play(story, etcd)


@pytest.mark.parametrize("part", ["wal/*.wal", "snap/db"])
def test_a_member_with_damaged_data_does_not_start_and_the_others_go_on(part: str) -> None:
    with etcd_cluster() as cluster:
        victim = cluster.followers()[0]

        async def story(database: EtcdDatabase) -> None:
            for number in range(20):
                await put(database, k=b"%d" % number)
            victim.kill()
            file = max((victim.data / "member").glob(part))
            content = file.read_bytes()
            file.write_bytes(content[:20] + b"\xff" * 8000 + content[8020:])
            victim.restart()
            assert victim.process
            assert await asyncio.to_thread(victim.process.wait, HANG_S) != 0
            await put(database, k=b"after")
            assert await contents(database) == {"k": b"after"}

        play(story, cluster)
