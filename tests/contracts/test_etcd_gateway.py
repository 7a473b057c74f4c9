"""What does the client make of answers that a well member does not give?"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
from database_steps import SOON_S, after, put, take
from etcd_gateway import FakeGateway, Said, event, header

from outlast.adapters.etcd import Client, EtcdDatabase, watches
from outlast.adapters.etcd.faults import fault_of
from outlast.ports.database import AnotherHistory, Batch, Change, Compacted, Put, Unavailable, Uncertain

HANG_S = 60.0

Story = Callable[[EtcdDatabase, FakeGateway], Awaitable[None]]


def stand_still() -> None:
    """All of the process, as a frozen one does."""
    time.sleep(0.75)


def play(story: Story) -> None:
    async def main() -> None:
        async with asyncio.timeout(HANG_S):
            gateway = FakeGateway()
            database = EtcdDatabase(Client([await gateway.start()]))
            try:
                await story(database, gateway)
            finally:
                await database.close()
                gateway.stop()

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"...","code":8,"message":"etcdserver: mvcc: database space exceeded"}',
        b'{"error":"...","grpc_code":8,"message":"etcdserver: mvcc: database space exceeded"}',
        b'{"code":8,"message":"etcdserver: mvcc: database space exceeded","details":[]}',
    ],
    ids=["3.4", "3.5", "3.6"],
)
def test_an_error_is_understood_in_the_words_of_every_version(body: bytes) -> None:
    fault = fault_of(429, body)
    assert fault.certain
    assert "it is full" in str(fault)


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":"etcdserver: request timed out","code":14}',
        b'{"message":"etcdserver: request timed out, possibly due to connection lost","code":14}',
        b'{"message":"etcdserver: server stopped","code":14}',
        b'{"message":"etcdserver: leader changed","code":14}',
        b'{"message":"context deadline exceeded","code":4}',
        b'{"message":"transport is closing","code":14}',
        b'{"message":"some proxy: not found","code":5}',
        b"<html>502 Bad Gateway</html>",
        b"",
    ],
)
def test_an_error_that_may_have_come_after_the_proposal_is_not_certain(body: bytes) -> None:
    assert not fault_of(503, body).certain


def test_an_error_that_leaves_it_open_makes_a_write_uncertain_and_it_is_not_sent_again() -> None:
    async def story(database: EtcdDatabase, gateway: FakeGateway) -> None:
        gateway.answers["/v3/kv/txn"] = lambda said: (503, {"message": "etcdserver: request timed out", "code": 14})
        with pytest.raises(Uncertain, match="too few members answered it in time"):
            await put(database, k=b"")
        assert len(gateway.calls("/v3/kv/txn")) == 1

    play(story)


def test_answers_that_arrive_byte_by_byte_are_whole_answers() -> None:
    async def story(database: EtcdDatabase, gateway: FakeGateway) -> None:
        gateway.piece_bytes = 1
        gateway.watched = [
            {"header": header(), "created": True},
            {"header": header(9), "events": [event("b", b"1", 5), event("a", None, 5), event("a", b"2", 7)]},
        ]
        assert await put(database, k=b"") == 1
        assert await take(database.watch("", 4), 2) == [
            Batch(5, (Change("a", None, 5), Change("b", b"1", 5))),
            Batch(7, (Change("a", b"2", 7),)),
        ]

    play(story)


def test_what_a_member_repeats_is_delivered_once() -> None:
    """Etcd before 3.4.24 / 3.4.25 can."""

    async def story(database: EtcdDatabase, gateway: FakeGateway) -> None:
        gateway.watched = [
            {"header": header(9), "events": [event("k", b"1", 5), event("k", b"2", 6)]},
            {"header": header(9), "events": [event("k", b"1", 5), event("k", b"2", 6), event("k", b"3", 7)]},
        ]
        batches = database.watch("", 4)
        assert [batch.revision for batch in await take(batches, 3)] == [5, 6, 7]

    play(story)


def test_a_watch_begins_anew_where_it_was_when_its_member_holds_a_commit_back() -> None:
    async def story(database: EtcdDatabase, gateway: FakeGateway) -> None:
        gateway.revision = 6
        gateway.answers["/v3/kv/range"] = lambda said: (
            200,
            {"header": header(6), "kvs": [event("k", b"", 6)["kv"]] if "min_mod_revision" in said else []},
        )
        gateway.watched = [{"header": header(5), "events": [event("k", b"1", 5)]}]
        batches = database.watch("", 4)
        assert (await after(batches)).revision == 5
        waiting = asyncio.ensure_future(anext(batches))
        await gateway.asked_for("/v3/kv/range", 2)
        gateway.watched.append({"header": header(6), "events": [event("k", b"2", 6)]})
        assert (await waiting).revision == 6
        assert gateway.calls("/v3/watch")[1]["create_request"]["start_revision"] == 5

    play(story)


def test_a_watch_whose_process_was_frozen_begins_anew_for_its_member_may_have_lost_what_it_could_not_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Etcd before 3.4.31 / 3.5.13 does, when a compaction passes meanwhile."""
    monkeypatch.setattr(watches, "STALL_S", 0.5)

    async def story(database: EtcdDatabase, gateway: FakeGateway) -> None:
        gateway.watched = [{"header": header(5), "events": [event("k", b"1", 5)]}]
        batches = database.watch("", 4)
        assert (await after(batches)).revision == 5
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        stand_still()
        await gateway.asked_for("/v3/watch", 2)
        assert gateway.calls("/v3/watch")[1]["create_request"]["start_revision"] == 5
        assert not gateway.calls("/v3/kv/range")  # and not because a probe found something
        waiting.cancel()

    play(story)


def test_a_history_that_went_back_is_noticed_by_readers_writers_and_watches() -> None:
    """A backup was restored, or the survivor of a lost majority goes on with less."""

    async def story(database: EtcdDatabase, gateway: FakeGateway) -> None:
        gateway.revision = 100
        gateway.watched = [{"header": header(100), "events": [event("k", b"1", 100)]}]
        assert (await database.read("", timeout_s=SOON_S)).revision == 100
        batches = database.watch("", 99)
        assert (await after(batches)).revision == 100
        gateway.revision = 50
        with pytest.raises(Uncertain, match="went back from revision 100 to 50"):
            await database.transact([], [Put("k", b"")], timeout_s=SOON_S)
        with pytest.raises(AnotherHistory, match="is at revision 50, and has been at 100"):
            await after(batches)
        assert (await database.read("", timeout_s=SOON_S)).revision == 50

    play(story)


@pytest.mark.parametrize(
    "instead",
    [[event("k", b"other", 5), event("k", b"3", 7)], [event("k", b"3", 7)]],
    ids=["something else was written at that revision", "nothing was"],
)
def test_a_history_that_went_back_and_has_passed_the_old_one_since_is_noticed_by_what_it_repeats(
    instead: Sequence[Said],
) -> None:
    async def story(database: EtcdDatabase, gateway: FakeGateway) -> None:
        gateway.watched = [{"header": header(5), "events": [event("k", b"2", 4), event("k", b"1", 5)]}]
        batches = database.watch("", 3)
        assert [batch.revision for batch in await take(batches, 2)] == [4, 5]
        gateway.revision = 7
        gateway.watched = [{"header": header(7), "events": list(instead)}]
        gateway.cut()
        with pytest.raises(AnotherHistory, match="is another one than what was seen there"):
            await after(batches)

    play(story)


@pytest.mark.parametrize(
    ("delivered", "instead"),
    [
        ([event("k", None, 5)], [event("k", b"3", 7)]),
        ([event("a", b"1", 5), event("k", None, 5)], [event("a", b"1", 5)]),
    ],
    ids=["nothing but deletes", "a put stays"],
)
def test_a_delete_that_is_just_forgotten_is_no_other_history(
    delivered: Sequence[Said], instead: Sequence[Said]
) -> None:
    """Etcd forgets it as soon as its own revision is compacted. Nothing was lost."""

    async def story(database: EtcdDatabase, gateway: FakeGateway) -> None:
        gateway.watched = [{"header": header(5), "events": list(delivered)}]
        batches = database.watch("", 4)
        assert (await after(batches)).revision == 5
        gateway.revision = 7
        gateway.watched = [{"header": header(7), "events": list(instead)}]
        gateway.cut()
        with pytest.raises(Compacted, match="just forgotten") as caught:
            await after(batches)
        assert caught.type is Compacted

    play(story)


def test_a_server_that_is_not_etcd_is_told_apart() -> None:
    async def story(database: EtcdDatabase, gateway: FakeGateway) -> None:
        gateway.answers.clear()
        with pytest.raises(Unavailable, match="does not answer as etcd's gateway does"):
            await database.read("", timeout_s=0.5)
        with pytest.raises(Unavailable) as refused:
            await database.transact([], [Put("k", b"")], timeout_s=0.5)
        assert refused.type is Unavailable
        assert not gateway.calls("/v3/kv/txn")

    play(story)
