"""What must every cluster database do, whatever it is made of?

A class with a test per promise of `outlast.ports.database`. An adapter joins with a subclass that says how a story
is played on it: `play` gives the story a function that opens one more connection to the same, empty store.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from database_steps import SOON_S, after, collect, contents, delete, follow, generator, put, settle, take

from outlast.ports.database import (
    Batch,
    Change,
    Committed,
    Compacted,
    Compare,
    Database,
    Delete,
    Entry,
    Put,
    Refused,
    Unavailable,
)

Connect = Callable[[], Awaitable[Database]]
Story = Callable[[Connect], Coroutine[Any, Any, None]]


class DatabaseContract:
    def play(self, story: Story) -> None:
        raise NotImplementedError

    # Reading

    def test_an_empty_database_has_no_entries(self) -> None:
        async def story(connect: Connect) -> None:
            snapshot = await (await connect()).read("", timeout_s=SOON_S)
            assert snapshot.entries == ()
            assert snapshot.revision >= 0

        self.play(story)

    def test_what_was_put_is_read_in_order_of_keys_with_the_revisions_of_the_commits(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            first = await put(database, b=b"1", a=b"2")
            second = await put(database, c=b"3")
            snapshot = await database.read("", timeout_s=SOON_S)
            assert snapshot.revision == second
            assert snapshot.entries == (Entry("a", b"2", first), Entry("b", b"1", first), Entry("c", b"3", second))

        self.play(story)

    def test_a_prefix_is_compared_letter_by_letter_and_a_whole_key_is_a_prefix_of_itself(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            keys = ["a", "a/", "a/b", "a/b/c", "a0", "ab", "b", "é", "éa", "\ud7ff1", "\U0010ffff", "\U0010ffffz"]
            await put(database, **{key: b"" for key in keys})
            for prefix in ["", "a", "a/", "a/b", "b", "x", "é", "\ud7ff", "\U0010ffff"]:
                found = [entry.key for entry in (await database.read(prefix, timeout_s=SOON_S)).entries]
                assert found == [key for key in keys if key.startswith(prefix)]

        self.play(story)

    def test_a_value_is_any_bytes_also_none_at_all(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            values = {"all": bytes(range(256)), "large": b"x" * 500_000, "none": b""}
            await put(database, **values)
            assert await contents(database) == values

        self.play(story)

    def test_every_connection_reads_what_any_connection_has_committed(self) -> None:
        async def story(connect: Connect) -> None:
            databases = [await connect() for _ in range(3)]
            for number in range(30):
                await put(databases[number % 3], key=b"%d" % number)
                for database in databases:
                    assert await contents(database) == {"key": b"%d" % number}

        self.play(story)

    # Committing

    def test_a_key_that_must_not_exist_is_created_only_once(self) -> None:
        async def story(connect: Connect) -> None:
            database, other = await connect(), await connect()
            created = await database.transact([Compare("k", 0)], [Put("k", b"mine")], timeout_s=SOON_S)
            assert isinstance(created, Committed)
            refused = await other.transact([Compare("k", 0)], [Put("k", b"yours")], timeout_s=SOON_S)
            assert refused == Refused(created.revision)
            assert await contents(database) == {"k": b"mine"}

        self.play(story)

    def test_one_compare_that_does_not_hold_refuses_everything(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            a = await put(database, a=b"1")
            b = await put(database, b=b"1")
            wrong = [
                [Compare("a", a), Compare("b", a)],
                [Compare("a", a), Compare("b", 0)],
                [Compare("a", a), Compare("b", b), Compare("c", 1)],
                [Compare("a", a + 1000)],
            ]
            for compares in wrong:
                refused = await database.transact(compares, [Put("a", b"2"), Delete("b")], timeout_s=SOON_S)
                assert refused == Refused(b)
            assert await contents(database) == {"a": b"1", "b": b"1"}
            right = [Compare("a", a), Compare("b", b), Compare("c", 0)]
            assert await database.transact(right, [Put("c", b"1")], timeout_s=SOON_S) == Committed(b + 1)

        self.play(story)

    def test_a_key_that_was_deleted_and_made_again_does_not_match_what_was_read_before(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            before = await put(database, k=b"1")
            deleted = await delete(database, "k")
            gone = await database.transact([Compare("k", before)], [Put("k", b"2")], timeout_s=SOON_S)
            assert gone == Refused(deleted)
            absent = await database.transact([Compare("k", 0)], [Put("k", b"1")], timeout_s=SOON_S)
            assert isinstance(absent, Committed)
            again = await database.transact([Compare("k", before)], [Put("k", b"2")], timeout_s=SOON_S)
            assert again == Refused(absent.revision)

        self.play(story)

    def test_each_commit_makes_the_revision_one_higher_and_gives_it_to_all_its_keys(self) -> None:
        async def story(connect: Connect) -> None:
            database, other = await connect(), await connect()
            start = await put(database, a=b"")
            assert await put(other, b=b"", c=b"", d=b"") == start + 1
            assert await delete(database, "a", "b") == start + 2
            outcome = await other.transact([], [Put("c", b"new"), Delete("d"), Put("e", b"")], timeout_s=SOON_S)
            assert outcome == Committed(start + 3)
            snapshot = await database.read("", timeout_s=SOON_S)
            assert snapshot.revision == start + 3
            assert snapshot.entries == (Entry("c", b"new", start + 3), Entry("e", b"", start + 3))

        self.play(story)

    def test_a_commit_that_changes_nothing_makes_no_revision(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            start = await put(database, a=b"")
            assert await database.transact([], [], timeout_s=SOON_S) == Committed(start)
            assert await database.transact([Compare("a", start)], [], timeout_s=SOON_S) == Committed(start)
            assert await delete(database, "x", "y") == start
            batches = database.watch("", start - 1)
            assert await put(database, a=b"2") == start + 1
            assert [batch.revision for batch in await take(batches, 2)] == [start, start + 1]

        self.play(story)

    def test_putting_the_value_that_is_there_already_is_a_commit(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            start = await put(database, a=b"same")
            assert await put(database, a=b"same") == start + 1
            assert (await database.read("a", timeout_s=SOON_S)).entries == (Entry("a", b"same", start + 1),)

        self.play(story)

    def test_128_compares_and_128_writes_are_possible_and_more_are_an_error_of_the_caller(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            compares = [Compare(f"{number:03}", 0) for number in range(129)]
            writes = [Put(f"{number:03}", b"") for number in range(129)]
            with pytest.raises(ValueError, match="129"):
                await database.transact(compares, [], timeout_s=SOON_S)
            with pytest.raises(ValueError, match="129"):
                await database.transact([], writes, timeout_s=SOON_S)
            assert await contents(database) == {}
            outcome = await database.transact(compares[:128], writes[:128], timeout_s=SOON_S)
            assert isinstance(outcome, Committed)
            [batch] = await take(database.watch("", outcome.revision - 1), 1)
            assert [change.key for change in batch.changes] == [write.key for write in writes[:128]]

        self.play(story)

    @pytest.mark.parametrize(
        "writes",
        [
            [Put("k", b"1"), Put("k", b"2")],
            [Put("k", b"1"), Delete("k")],
            [Delete("k"), Delete("k")],
            [Put("", b"1")],
            [Put("k", b"x" * 1024 * 1024)],
        ],
        ids=["put twice", "put and deleted", "deleted twice", "no key", "too large"],
    )
    def test_a_transaction_that_no_database_could_carry_is_an_error_of_the_caller(
        self, writes: list[Put | Delete]
    ) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            with pytest.raises(ValueError, match="cannot commit"):
                await database.transact([], writes, timeout_s=SOON_S)
            assert await contents(database) == {}

        self.play(story)

    def test_of_many_who_create_the_same_key_at_once_exactly_one_wins(self) -> None:
        async def story(connect: Connect) -> None:
            databases = [await connect() for _ in range(4)]

            async def create(number: int) -> Committed | Refused:
                writes = [Put("k", b"%d" % number)]
                return await databases[number % 4].transact([Compare("k", 0)], writes, timeout_s=SOON_S)

            outcomes = await asyncio.gather(*(create(number) for number in range(20)))
            winners = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Committed)]
            assert len(winners) == 1
            assert await contents(databases[0]) == {"k": b"%d" % winners[0]}

        self.play(story)

    def test_no_increment_by_compare_and_set_is_lost_among_overlapping_calls(self) -> None:
        async def story(connect: Connect) -> None:
            databases = [await connect() for _ in range(3)]
            await put(databases[0], count=b"0")

            async def increment(database: Database) -> None:
                while True:
                    [entry] = (await database.read("count", timeout_s=SOON_S)).entries
                    writes = [Put("count", b"%d" % (int(entry.value) + 1))]
                    compares = [Compare("count", entry.revision)]
                    if isinstance(await database.transact(compares, writes, timeout_s=SOON_S), Committed):
                        return

            await asyncio.gather(*(increment(databases[number % 3]) for number in range(30)))
            assert await contents(databases[0]) == {"count": b"30"}

        self.play(story)

    def test_a_caller_that_is_cancelled_leaves_a_connection_that_works(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            calls = [asyncio.create_task(put(database, **{f"k{number}": b""})) for number in range(10)]
            await asyncio.sleep(0)
            for call in calls[::2]:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert {f"k{number}" for number in range(1, 10, 2)} <= (await contents(database)).keys()
            await put(database, after=b"")

        self.play(story)

    # Watching

    def test_a_watch_from_an_old_revision_delivers_each_commit_since_whole_and_in_order(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            start = await put(database, **{"a/1": b"old"})
            await put(database, **{"a/2": b"2", "a/1": b"1", "b": b"-"})
            await put(database, b=b"not watched")
            await database.transact([], [Delete("a/1"), Put("a/3", b"3"), Delete("a/none")], timeout_s=SOON_S)
            assert await take(database.watch("a/", start), 2) == [
                Batch(start + 1, (Change("a/1", b"1", start + 1), Change("a/2", b"2", start + 1))),
                Batch(start + 3, (Change("a/1", None, start + 3), Change("a/3", b"3", start + 3))),
            ]
            revisions = [batch.revision for batch in await take(database.watch("", start - 1), 4)]
            assert revisions == [start, start + 1, start + 2, start + 3]

        self.play(story)

    def test_a_watch_delivers_later_commits_of_all_connections_also_its_own(self) -> None:
        async def story(connect: Connect) -> None:
            database, other = await connect(), await connect()
            start = await put(database, k=b"")
            async with contextlib.aclosing(generator(database.watch("", start))) as batches:
                for number in range(20):
                    revision = await put(database if number % 2 else other, k=b"%d" % number)
                    assert await after(batches) == Batch(revision, (Change("k", b"%d" % number, revision),))

        self.play(story)

    def test_a_snapshot_and_the_watch_that_follows_it_miss_nothing_among_concurrent_writers(self) -> None:
        async def story(connect: Connect) -> None:
            reader, *writers = [await connect() for _ in range(4)]

            async def write(number: int) -> None:
                for step in range(60):
                    name = f"{number}/{step % 7}"
                    await writers[number].transact(
                        [], [Put(name, b"%d" % step) if step % 5 else Delete(name), Put("all", b"")], timeout_s=SOON_S
                    )

            async with asyncio.TaskGroup() as tasks:
                for number in range(3):
                    tasks.create_task(write(number))
                await asyncio.sleep(0.01)
                snapshot = await reader.read("", timeout_s=SOON_S)
                followed = {entry.key: entry.value for entry in snapshot.entries}
                batches = reader.watch("", snapshot.revision)
            last = (await reader.read("", timeout_s=SOON_S)).revision
            for expected in range(snapshot.revision + 1, last + 1):
                batch = await after(batches)
                assert batch.revision == expected
                follow(followed, batch)
            assert followed == await contents(reader)

        self.play(story)

    def test_a_watch_from_a_revision_to_come_is_silent_until_after_it(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            start = await put(database, k=b"")
            first = asyncio.create_task(take(database.watch("", start + 3), 1))
            await settle(database)
            for _ in range(5):
                await put(database, k=b"")
            assert [batch.revision for batch in await first] == [start + 4]

        self.play(story)

    def test_several_watches_of_one_connection_get_each_its_own(self) -> None:
        async def story(connect: Connect) -> None:
            database, other = await connect(), await connect()
            start = (await database.read("", timeout_s=SOON_S)).revision
            watches = {prefix: database.watch(prefix, start) for prefix in ["", "a", "a/", "b"]}
            takers = {prefix: asyncio.create_task(take(watch, 3)) for prefix, watch in watches.items()}
            await settle(database)
            for _ in range(3):
                await put(other, a=b"")
                await put(other, **{"a/x": b""})
                await put(other, b=b"", c=b"")
            keys = {
                prefix: [tuple(change.key for change in batch.changes) for batch in await taker]
                for prefix, taker in takers.items()
            }
            assert keys == {
                "": [("a",), ("a/x",), ("b", "c")],
                "a": [("a",), ("a/x",), ("a",)],
                "a/": [("a/x",)] * 3,
                "b": [("b",)] * 3,
            }

        self.play(story)

    def test_a_reader_that_is_slow_loses_nothing(self) -> None:
        async def story(connect: Connect) -> None:
            database, other = await connect(), await connect()
            start = await put(database, k=b"")
            batches = database.watch("k", start)
            first = asyncio.create_task(take(batches, 1))
            await settle(database)
            await put(other, k=b"")
            assert [batch.revision for batch in await first] == [start + 1]
            for _ in range(1500):
                await put(other, k=b"")
            revisions = [batch.revision for batch in await take(batches, 1500)]
            assert revisions == list(range(start + 2, start + 1502))

        self.play(story)

    def test_a_watch_that_ends_leaves_nothing_and_disturbs_no_other(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            others = asyncio.all_tasks()
            start = await put(database, k=b"")
            stays = database.watch("", start)
            closed = generator(database.watch("", start))
            cancelled = asyncio.create_task(take(database.watch("k", start), 100))
            revision = await put(database, k=b"")
            assert [(await after(watch)).revision for watch in (stays, closed)] == [revision, revision]
            await closed.aclose()
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert [batch async for batch in closed] == []
            revision = await put(database, k=b"")
            assert (await after(stays)).revision == revision
            await generator(stays).aclose()
            await settle(database)
            assert asyncio.all_tasks() == others

        self.play(story)

    # Forgetting

    def test_a_watch_of_history_that_is_gone_says_so_and_one_of_the_rest_works(self) -> None:
        async def story(connect: Connect) -> None:
            database, other = await connect(), await connect()
            start, *_ = [await put(database, k=b"%d" % number) for number in range(10)]
            await other.compact(start + 5, timeout_s=SOON_S)
            for gone in (start - 1, start, start + 4):
                with pytest.raises(Compacted):
                    await take(database.watch("", gone), 1)
                with pytest.raises(Compacted):
                    await take(other.watch("nothing of it", gone), 1)
            rest = await take(database.watch("", start + 5), 4)
            assert [batch.revision for batch in rest] == [start + 6, start + 7, start + 8, start + 9]

        self.play(story)

    def test_compacting_changes_neither_what_is_there_nor_the_revision(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            await put(database, a=b"1", b=b"2")
            last = await delete(database, "b")
            before = await database.read("", timeout_s=SOON_S)
            await database.compact(last, timeout_s=SOON_S)
            assert await database.read("", timeout_s=SOON_S) == before
            assert await put(database, c=b"3") == last + 1

        self.play(story)

    def test_compacting_what_is_compacted_already_does_no_harm(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            revisions = [await put(database, k=b"") for _ in range(5)]
            await database.compact(revisions[3], timeout_s=SOON_S)
            await database.compact(revisions[3], timeout_s=SOON_S)
            await database.compact(revisions[1], timeout_s=SOON_S)
            with pytest.raises(Compacted):
                await take(database.watch("", revisions[2]), 1)
            assert (await after(database.watch("", revisions[3]))).revision == revisions[4]

        self.play(story)

    def test_compacting_the_future_is_an_error_of_the_caller(self) -> None:
        async def story(connect: Connect) -> None:
            database = await connect()
            last = await put(database, k=b"")
            with pytest.raises(ValueError, match="cannot compact"):
                await database.compact(last + 1, timeout_s=SOON_S)

        self.play(story)

    def test_a_watch_that_is_up_to_date_notices_no_compaction(self) -> None:
        async def story(connect: Connect) -> None:
            database, other = await connect(), await connect()
            start = await put(database, k=b"")
            batches = database.watch("k", start)
            await put(other, k=b"")
            assert (await after(batches)).revision == start + 1
            waiting = asyncio.create_task(take(batches, 1))
            for _ in range(20):
                await put(other, other=b"")
            await settle(database)
            await other.compact(start + 21, timeout_s=SOON_S)
            await put(other, k=b"now")
            [batch] = await waiting
            assert batch == Batch(start + 22, (Change("k", b"now", start + 22),))

        self.play(story)

    # Closing

    def test_closing_ends_the_watches_and_later_calls_are_unavailable(self) -> None:
        async def story(connect: Connect) -> None:
            before = asyncio.all_tasks()
            database, other = await connect(), await connect()
            start = await put(database, k=b"")
            batches = database.watch("", start - 1)
            assert (await after(batches)).revision == start
            watching = asyncio.create_task(collect(batches))
            idle = database.watch("", start)
            await settle(database)
            await database.close()
            await database.close()
            assert await asyncio.wait_for(watching, SOON_S) == []
            assert await collect(idle) == []
            with pytest.raises(Unavailable):
                await database.read("", timeout_s=SOON_S)
            with pytest.raises(Unavailable):
                await put(database, k=b"")
            assert await put(other, k=b"") == start + 1
            await other.close()
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == before

        self.play(story)
