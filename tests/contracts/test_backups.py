"""Backup and restore on the real databases: what is written back is what was there, whatever the engine."""

import asyncio
import itertools
import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from build import group, resource, session
from etcd_members import EtcdCluster
from outlast.adapters.backups import FileBackups
from outlast.adapters.clock import SystemClock
from outlast.adapters.etcd import Client, EtcdDatabase
from outlast.adapters.sqlite import SqliteDatabase
from outlast.core.backup import UNFINISHED
from outlast.core.membership.membership import Observer
from outlast.core.membership.timing import timing
from outlast.model import keys
from outlast.model.group import Definition, Group
from outlast.model.settings import Settings
from outlast.ports.database import Committed, Compare, Database, Refused, Uncertain, Write
from outlast.service.backup import Backing, CannotRestore
from outlast.service.journal import Journal
from outlast.service.store import Store, put

HANG_S = 60.0
VMS = 150
TIMEOUT_S = 10.0


class Cluster:
    """One node's picture of a database, and its place for backups."""

    def __init__(self, database: Database, place: Path) -> None:
        clock = SystemClock()
        self.database = database
        self.files = FileBackups(place)
        self.store = Store("n1", database, clock, Observer(timing(5.0), clock.now()))
        self.backing = Backing(self.store, self.files, Journal("n1", clock), clock)

    async def write(self, *writes: Write) -> None:
        assert isinstance(await self.database.transact([], writes, timeout_s=TIMEOUT_S), Committed)

    async def protect(self, name: str, *, epoch: int = 3) -> None:
        await self.write(
            put(keys.GROUPS + name, group(name, epoch=epoch)),
            put(keys.RESOURCES + name, resource(name)),
            put(keys.DEFINITIONS + name, Definition(name, f"<domain><name>{name}</name>{'x' * 8000}</domain>")),
        )

    async def entries(self, *prefixes: str) -> dict[str, bytes]:
        snapshot = await self.database.read("", timeout_s=TIMEOUT_S)
        return {entry.key: entry.value for entry in snapshot.entries if entry.key.startswith(prefixes)}

    async def restore(self, path: str) -> None:
        await self.backing.restore(*await self.backing.read(path))


Story = Callable[[Cluster, Cluster], Awaitable[None]]
"""Of a cluster that has something to lose, and of a new one."""


class BackupContract:
    def play(self, story: Story) -> None:
        raise NotImplementedError

    async def run(self, story: Story, databases: list[Database]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            old, new = (Cluster(database, Path(directory) / str(i)) for i, database in enumerate(databases))
            await old.write(put(keys.CLUSTER, Settings(name="prod", id="c1")))
            await new.write(put(keys.CLUSTER, Settings(name="prod", id="c2")))
            pictures = [asyncio.create_task(cluster.store.run()) for cluster in (old, new)]
            try:
                async with asyncio.timeout(HANG_S):
                    await asyncio.gather(old.store.ready.wait(), new.store.ready.wait())
                    await story(old, new)
            finally:
                for picture in pictures:
                    picture.cancel()
                await asyncio.gather(*pictures, return_exceptions=True)
                for database in databases:
                    await database.close()

    def test_a_new_cluster_gets_all_groups_as_they_were_and_a_hold(self) -> None:
        async def story(old: Cluster, new: Cluster) -> None:
            for number in range(VMS):
                await old.protect(f"vm{number}")
            row = await old.backing.take()
            await new.restore(row.path)
            kinds = (keys.RESOURCES, keys.DEFINITIONS)
            assert await new.entries(*kinds) == await old.entries(*kinds)
            groups = {
                key: msgspec.json.decode(value, type=Group) for key, value in (await new.entries(keys.GROUPS)).items()
            }
            assert len(groups) == VMS
            assert {(one.owner, one.epoch) for one in groups.values()} == {("n1", 4)}
            settings = new.store.settings
            assert (settings.id, settings.name) == ("c2", "prod")
            assert settings.hold.startswith("the database was restored from the backup of")

        self.play(story)

    def test_all_of_it_is_of_one_moment(self) -> None:
        """While it is taken, two groups are written in turn, always with the same epoch."""

        async def story(old: Cluster, new: Cluster) -> None:
            done = asyncio.Event()

            async def change() -> None:
                for epoch in itertools.count(1):
                    pair = [put(keys.GROUPS + name, group(name, epoch=epoch)) for name in ("a", "z")]
                    await old.write(*pair)
                    if done.is_set():
                        return

            changing = asyncio.create_task(change())
            for _ in range(20):
                row = await old.backing.take("again.backup")
                _, kept = await old.backing.read(row.path)
                found = [msgspec.json.decode(one.value, type=Group) for one in kept if one.key.startswith(keys.GROUPS)]
                assert len({one.epoch for one in found}) <= 1
            done.set()
            await changing

        self.play(story)

    def test_what_ended_half_way_holds_everything_and_can_be_done_again(self) -> None:
        async def story(old: Cluster, new: Cluster) -> None:
            for number in range(VMS):
                await old.protect(f"vm{number}")
            row = await old.backing.take()
            failing = Failing(new.database, commits=2)
            new.store.database = failing
            with pytest.raises(Uncertain):
                await new.restore(row.path)
            assert new.store.settings.hold.startswith(UNFINISHED)
            assert len(await new.entries(keys.GROUPS)) < VMS
            new.store.database = new.database
            await new.restore(row.path)
            assert len(await new.entries(keys.GROUPS)) == VMS
            assert not new.store.settings.hold.startswith(UNFINISHED)

        self.play(story)

    def test_it_does_not_say_of_another_restore_that_is_under_way_that_it_has_ended(self) -> None:
        """Then half a database could be confirmed, and VMs started by it."""

        async def story(old: Cluster, new: Cluster) -> None:
            await old.protect("web")
            row = await old.backing.take()
            another = Settings(name="prod", id="c2", hold=f"{UNFINISHED}, the one of another day")
            new.store.database = Interrupted(new.database, put(keys.CLUSTER, another))
            with pytest.raises(CannotRestore, match="another day"):
                await new.restore(row.path)
            (settings,) = (await new.entries(keys.CLUSTER)).values()
            assert msgspec.json.decode(settings, type=Settings).hold == another.hold

        self.play(story)

    def test_over_a_living_cluster_it_forgets_what_was_not_there_and_raises_every_epoch(self) -> None:
        async def story(old: Cluster, _: Cluster) -> None:
            await old.protect("web")
            row = await old.backing.take()
            await old.protect("web", epoch=20)
            await old.protect("db")
            await old.write(put(keys.SESSIONS + "n1", session("n1")))
            await old.restore(row.path)
            assert set(await old.entries(keys.GROUPS, keys.RESOURCES, keys.DEFINITIONS)) == {
                f"{prefix}web" for prefix in (keys.GROUPS, keys.RESOURCES, keys.DEFINITIONS)
            }
            record = msgspec.json.decode((await old.entries(keys.GROUPS))[keys.GROUPS + "web"], type=Group)
            assert record.epoch == 21
            assert await old.entries(keys.SESSIONS), "who lives now is no matter of the past"

        self.play(story)

    def test_what_lies_in_the_place_for_backups_is_listed_with_what_is_wrong(self) -> None:
        async def story(old: Cluster, _: Cluster) -> None:
            await old.protect("web")
            whole = await old.backing.take()
            await old.files.write("broken.backup", (await old.files.read(whole.path))[:-3])
            rows = {row.path: row.problem for row in await old.backing.rows()}
            assert rows.pop(whole.path) == ""
            (problem,) = rows.values()
            assert "cut off or changed" in problem
            assert (await asyncio.to_thread(os.stat, whole.path)).st_mode & 0o777 == 0o600

        self.play(story)


class Failing:
    """A database that is gone after so many commits."""

    def __init__(self, database: Database, *, commits: int) -> None:
        self._database = database
        self._left = commits
        self.read = database.read
        self.watch = database.watch
        self.compact = database.compact
        self.close = database.close

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        if not self._left:
            raise Uncertain("gone")
        self._left -= 1
        return await self._database.transact(compares, writes, timeout_s=timeout_s)


class Interrupted(Failing):
    """Somebody else writes this after the first commit."""

    def __init__(self, database: Database, write: Write) -> None:
        super().__init__(database, commits=1000)
        self._write: Write | None = write

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        outcome = await super().transact(compares, writes, timeout_s=timeout_s)
        if self._write is not None:
            write, self._write = self._write, None
            await super().transact([], [write], timeout_s=timeout_s)
        return outcome


class TestSqlite(BackupContract):
    def play(self, story: Story) -> None:
        async def main(directory: str) -> None:
            databases: list[Database] = [SqliteDatabase.open(f"{directory}/{name}.db") for name in ("old", "new")]
            await self.run(story, databases)

        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(main(directory))


class TestEtcd(BackupContract):
    prefixes = itertools.count(1)

    @pytest.fixture(autouse=True)
    def _members(self, etcd: EtcdCluster) -> None:
        self.urls = etcd.urls

    def play(self, story: Story) -> None:
        number = next(self.prefixes)

        async def main() -> None:
            prefixes = (f"backup-{number}-{name}/" for name in ("old", "new"))
            databases: list[Database] = [EtcdDatabase(Client(self.urls, prefix=prefix)) for prefix in prefixes]
            await self.run(story, databases)

        asyncio.run(main())
