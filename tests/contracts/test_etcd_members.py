"""Who votes in etcd, and changes of that, through the members' port; on a cluster that is the test's own."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest
from database_steps import SOON_S, contents, put, settle

from etcd_members import EtcdCluster, EtcdMember, etcd_cluster
from outlast.adapters.etcd import Client, EtcdDatabase, EtcdMembers
from outlast.ports.database import Put, Unavailable, Uncertain
from outlast.ports.members import Member, NotReady

HANG_S = 90.0


@pytest.fixture
def cluster() -> Iterator[EtcdCluster]:
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd on this machine; install the package etcd-server")
    with etcd_cluster() as cluster:
        yield cluster


def play(story: Callable[[EtcdMembers, EtcdDatabase], Awaitable[None]], cluster: EtcdCluster) -> None:
    async def main() -> None:
        async with asyncio.timeout(HANG_S):
            client = Client(cluster.urls, prefix="members/")
            database = EtcdDatabase(client)
            try:
                await story(EtcdMembers(client), database)
            finally:
                await database.close()

    asyncio.run(main())


def start_as_learner(cluster: EtcdCluster, member: EtcdMember) -> None:
    member.start(",".join(f"{one.name}={one.peer_url}" for one in cluster.members), state="existing")


async def patiently_added(members: EtcdMembers, new: EtcdMember) -> Member:
    while True:
        try:
            return await members.add_learner([new.peer_url], timeout_s=SOON_S)
        except ValueError as error:
            if "in contact for five seconds" not in str(error):
                raise
            await asyncio.sleep(0.1)


async def remove(members: EtcdMembers, id: str) -> None:
    """What was sent to a leader that leaves is lost: it is asked again, as whoever uses the port does."""
    while True:
        with suppress(Unavailable):
            return await members.remove(id, timeout_s=1.0)


async def by_name(members: EtcdMembers) -> dict[str, Member]:
    return {member.name: member for member in await members.list(timeout_s=SOON_S)}


def test_a_member_joins_as_learner_votes_when_it_has_caught_up_and_leaves(cluster: EtcdCluster) -> None:
    """Also a member that leads, and the one that the client prefers."""

    async def story(members: EtcdMembers, database: EtcdDatabase) -> None:
        await put(database, k=b"1")
        new = cluster.add("m4")
        added = await patiently_added(members, new)
        assert added == Member(id=added.id, name="", peer_urls=(new.peer_url,), learner=True)
        with pytest.raises(NotReady):
            await members.promote(added.id, timeout_s=SOON_S)
        with pytest.raises(ValueError, match="cannot add a member"):
            await members.add_learner([new.peer_url], timeout_s=SOON_S)
        start_as_learner(cluster, new)
        while (await by_name(members)).get("m4", added).name == "":
            await settle(database)
        assert (await by_name(members))["m4"].learner
        while True:
            try:
                await members.promote(added.id, timeout_s=SOON_S)
                break
            except NotReady:
                await settle(database)
        assert (await by_name(members))["m4"] == Member(added.id, "m4", (new.peer_url,), (new.url,))

        await members.move_leader(added.id, timeout_s=SOON_S)
        assert (await members.status(new.url, timeout_s=SOON_S)).leader == added.id
        await remove(members, added.id)
        await remove(members, added.id)
        await remove(members, (await by_name(members))["m1"].id)
        assert set(await by_name(members)) == {"m2", "m3"}
        while await contents(database) != {"k": b"2"}:
            with suppress(Uncertain):  # m1 may take one write along into its end
                await database.transact([], [Put("k", b"2")], timeout_s=0.5)

    play(story, cluster)


def test_each_member_says_of_itself_how_it_is_also_without_the_others(cluster: EtcdCluster) -> None:
    leader, (one, other) = cluster.leader(), cluster.followers()

    async def story(members: EtcdMembers, database: EtcdDatabase) -> None:
        revision = await put(database, k=b"1")
        ids = {name: member.id for name, member in (await by_name(members)).items()}
        before = await members.status(one.url, timeout_s=SOON_S)
        assert before.id == ids[one.name]
        assert before.leader == ids[leader.name]
        assert before.version.startswith("3.")
        assert before.database_bytes > 0
        assert before.problems == ()
        assert before.index >= revision
        leader.kill()
        other.kill()
        status = before
        while status.leader != "":
            status = await members.status(one.url, timeout_s=SOON_S)
        known = await members.known_to(one.url, timeout_s=SOON_S)
        assert {member.name: member.id for member in known} == ids
        with pytest.raises(Unavailable, match="does not run there"):
            await members.status(other.url, timeout_s=SOON_S)
        with pytest.raises(Unavailable, match="cannot learn the members"):
            await members.list(timeout_s=1.0)
        with pytest.raises(Unavailable):
            await members.remove(ids[other.name], timeout_s=1.0)

    play(story, cluster)


def test_a_removal_that_would_take_the_majority_away_is_refused_with_etcds_words(cluster: EtcdCluster) -> None:
    leader, (one, other) = cluster.leader(), cluster.followers()

    async def story(members: EtcdMembers, database: EtcdDatabase) -> None:
        other.kill()
        known = await by_name(members)
        with pytest.raises(ValueError, match="cannot remove member"):
            await members.remove(known[one.name].id, timeout_s=SOON_S)
        with pytest.raises(ValueError, match="cannot make member"):
            await members.move_leader(known[other.name].id, timeout_s=SOON_S)
        await members.remove(known[other.name].id, timeout_s=SOON_S)
        assert set(await by_name(members)) == {leader.name, one.name}

    play(story, cluster)
