"""What does a client of etcd make of members that die, freeze and come back?"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest
from database_steps import SOON_S, after, contents, generator, put, settle, surely_put, take

from etcd_members import EtcdCluster, EtcdMember, etcd_cluster
from outlast.adapters.etcd import Client, EtcdDatabase
from outlast.ports.database import Batch, Committed, Compacted, Delete, Put, Unavailable, Uncertain

HANG_S = 90.0
WRITE_WITHIN_S = 0.5
PREFIXES = (f"failures-{number}/" for number in itertools.count(1))

Story = Callable[[EtcdDatabase], Awaitable[None]]


def play(story: Story, urls: list[str], prefix: str = "") -> None:
    async def main() -> None:
        async with asyncio.timeout(HANG_S):
            database = EtcdDatabase(Client(urls, prefix=prefix or next(PREFIXES)))
            try:
                await story(database)
            finally:
                await database.close()

    asyncio.run(main())


def first(member: EtcdMember, cluster: EtcdCluster) -> list[str]:
    return [member.url, *(url for url in cluster.urls if url != member.url)]


@pytest.mark.parametrize("how", ["kill", "freeze"])
@pytest.mark.parametrize("which", ["leader", "follower"])
def test_writes_and_watches_outlive_the_member_that_they_use_and_nothing_is_lost_or_done_twice(
    etcd: EtcdCluster, how: str, which: str
) -> None:
    victim = etcd.leader() if which == "leader" else etcd.followers()[0]

    async def story(database: EtcdDatabase) -> None:
        start = (await database.read("", timeout_s=SOON_S)).revision
        seen: list[Batch] = []
        acknowledged: list[bytes] = []
        uncertain: list[bytes] = []

        async def follow() -> None:
            async for batch in database.watch("", start):
                seen.append(batch)
                if batch.changes[0].value == b"end":
                    return

        async def write(count: int) -> None:
            done = 0
            while done < count:
                value = b"%d" % (len(acknowledged) + len(uncertain))
                try:
                    await database.transact([], [Put("k", value)], timeout_s=WRITE_WITHIN_S)
                    acknowledged.append(value)
                    done += 1
                except Uncertain:
                    uncertain.append(value)

        following = asyncio.create_task(follow())
        await write(20)
        getattr(victim, how)()
        await write(50)
        victim.thaw()
        await write(20)
        await surely_put(database, k=b"end")
        await following
        values = [batch.changes[0].value for batch in seen[:-1]]
        assert [batch.revision for batch in seen] == list(range(start + 1, start + 1 + len(seen)))
        assert len(values) == len(set(values))  # each transaction was carried out once at most
        assert [value for value in values if value in set(acknowledged)] == acknowledged
        assert set(values) <= {*acknowledged, *uncertain}

    play(story, first(victim, etcd))


def test_a_transaction_without_an_answer_is_uncertain_and_never_sent_again(etcd: EtcdCluster) -> None:
    async def story(database: EtcdDatabase) -> None:
        start = await put(database, k=b"")
        for member in etcd.members[1:]:
            member.freeze()
        outcomes = []
        for number in range(4):
            try:
                await database.transact([], [Put("k", b"%d" % number)], timeout_s=WRITE_WITHIN_S)
            except Unavailable as error:
                outcomes.append(type(error))
        assert outcomes[0] is Uncertain
        assert len(outcomes) == 4
        for member in etcd.members:
            member.thaw()
        end = await surely_put(database, end=b"")
        batches = await take(database.watch("", start), end - start)
        written = [batch.changes[0].value for batch in batches if batch.changes[0].key == "k"]
        assert len(written) == len(set(written)) <= 4

    play(story, etcd.urls)


def test_without_a_majority_reads_are_unavailable_and_say_of_each_member_what_ails_it(etcd: EtcdCluster) -> None:
    async def story(database: EtcdDatabase) -> None:
        await put(database, k=b"")
        etcd.members[0].kill()
        etcd.members[1].freeze()
        while True:
            with pytest.raises(Unavailable) as refused:
                await database.read("", timeout_s=1.0)
            words = str(refused.value)
            if "sees no leader" in words:  # the one that is well has noticed
                break
        assert "cannot reach the cluster database" in words
        assert "does not run there" in words
        assert "it does not answer" in words

    play(story, etcd.urls)


def test_nothing_is_sent_to_a_member_of_another_cluster(etcd: EtcdCluster) -> None:
    with etcd_cluster(1) as other:

        async def story(database: EtcdDatabase) -> None:
            await put(database, k=b"ours")
            for member in etcd.members:
                member.freeze()
            words = ""
            while "belongs to another etcd cluster" not in words:
                with pytest.raises(Unavailable) as refused:
                    await database.transact([], [Put("k", b"lost")], timeout_s=WRITE_WITHIN_S)
                words = str(refused.value)

        async def look(database: EtcdDatabase) -> None:
            assert await contents(database) == {}

        play(story, [*etcd.urls, *other.urls], "same/")
        play(look, other.urls, "same/")


def test_a_watch_resumes_after_compaction_of_what_it_has_delivered_and_says_so_when_it_has_not(
    etcd: EtcdCluster,
) -> None:
    """On whichever member it resumes: the one that carried it is gone."""
    victim = etcd.followers()[0]

    async def story(database: EtcdDatabase) -> None:
        start = await put(database, k=b"")
        async with aclosing(generator(database.watch("", start))) as batches:
            middle = await put(database, k=b"middle")
            assert (await after(batches)).revision == middle
            await database.compact(middle, timeout_s=SOON_S)
            victim.kill()
            later = await surely_put(database, k=b"later")
            assert (await after(batches)).revision <= later
        with pytest.raises(Compacted):
            await take(database.watch("", start), 1)

    play(story, first(victim, etcd))


def test_a_watch_that_catches_up_loses_nothing_when_its_member_dies_on_the_way(etcd: EtcdCluster) -> None:
    """Etcd sends history in portions of a thousand commits, with the present revision in each header."""
    victim = etcd.followers()[0]

    async def story(database: EtcdDatabase) -> None:
        start = await put(database, k=b"")

        async def write() -> None:
            for _ in range(100):
                await put(database, k=b"x" * 1000)

        await asyncio.gather(*(write() for _ in range(30)))
        async with aclosing(generator(database.watch("", start))) as batches:
            revisions = [batch.revision for batch in await take(batches, 500)]
            victim.kill()
            revisions += [batch.revision for batch in await take(batches, 2500)]
        assert revisions == list(range(start + 1, start + 3001))

    play(story, first(victim, etcd))


def test_a_watch_whose_delete_was_compacted_while_it_was_away_never_misses_it_silently(etcd: EtcdCluster) -> None:
    """Etcd before 3.4.36 forgets a delete at the very revision that is compacted, and says nothing."""

    async def story(database: EtcdDatabase) -> None:
        start = await put(database, k=b"")
        outcome = await database.transact([], [Put("other", b"")], timeout_s=SOON_S)
        assert isinstance(outcome, Committed)
        gone = await database.transact([], [Delete("k")], timeout_s=SOON_S)
        assert isinstance(gone, Committed)
        await database.compact(gone.revision, timeout_s=SOON_S)
        for position in (start, outcome.revision):
            with pytest.raises(Compacted):
                await take(database.watch("", position), 1)

    play(story, etcd.urls)


def test_members_that_come_and_go_are_learnt_and_the_best_one_is_used_again(etcd: EtcdCluster) -> None:
    async def story(database: EtcdDatabase) -> None:
        client = database._client
        await put(database, k=b"")
        while len(client.order()) < 3:
            await settle(database)
        assert {endpoint.url for endpoint in client.order()} == set(etcd.urls)
        etcd.members[0].kill()
        await surely_put(database, k=b"elsewhere")
        assert client.order()[0].url != etcd.members[0].url
        etcd.members[0].restart()
        while client.order()[0].url != etcd.members[0].url:
            await settle(database)
        await surely_put(database, k=b"at home")

    play(story, etcd.urls[:1])


def test_a_silent_watch_finds_out_by_itself_that_its_member_is_frozen(etcd: EtcdCluster) -> None:
    """No call of its own tells it."""
    victim = etcd.followers()[0]
    prefix = next(PREFIXES)

    async def story(database: EtcdDatabase) -> None:
        start = await put(database, k=b"")
        batches = database.watch("k", start)
        await put(database, k=b"1")
        assert (await after(batches)).changes[0].value == b"1"
        victim.freeze()
        other = EtcdDatabase(Client([url for url in etcd.urls if url != victim.url], prefix=prefix))
        await surely_put(other, k=b"2")
        await other.close()
        assert (await after(batches)).changes[0].value == b"2"

    play(story, first(victim, etcd), prefix)
