"""The contract of the cluster database, kept by SQLite, by etcd, and by the simulated one."""

import asyncio
import itertools
import random
import tempfile
from pathlib import Path

import pytest
from database_contract import DatabaseContract, Story

from etcd_members import EtcdCluster
from outlast.adapters.etcd import Client, EtcdDatabase
from outlast.adapters.sqlite import SqliteDatabase
from outlast.ports.database import Database
from outlast.sim.database import SimDatabase
from outlast.sim.loop import SimLoop

HANG_S = 60.0


class TestSqlite(DatabaseContract):
    def play(self, story: Story) -> None:
        async def main(path: str) -> None:
            opened: list[SqliteDatabase] = []

            async def connect() -> Database:
                opened.append(SqliteDatabase.open(path))
                return opened[-1]

            try:
                async with asyncio.timeout(HANG_S):
                    await story(connect)
            finally:
                for database in opened:
                    await database.close()

        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(main(str(Path(directory) / "cluster.db")))


class TestEtcd(DatabaseContract):
    """On three real members; each story under a prefix of its own, each connection with another member first."""

    prefixes = itertools.count(1)

    @pytest.fixture(autouse=True)
    def _members(self, etcd: EtcdCluster) -> None:
        self.urls = etcd.urls

    def play(self, story: Story) -> None:
        prefix = f"story-{next(self.prefixes)}/"

        async def main() -> None:
            opened: list[EtcdDatabase] = []

            async def connect() -> Database:
                first = len(opened) % len(self.urls)
                opened.append(EtcdDatabase(Client(self.urls[first:] + self.urls[:first], prefix=prefix)))
                return opened[-1]

            try:
                async with asyncio.timeout(HANG_S):
                    await story(connect)
            finally:
                for database in opened:
                    await database.close()

        asyncio.run(main())


class TestSimulated(DatabaseContract):
    def store(self) -> SimDatabase:
        return SimDatabase(latency_s=0.002)

    def play(self, story: Story) -> None:
        store = self.store()
        nodes = iter(f"n{number}" for number in range(1, 100))

        async def connect() -> Database:
            return store.connect(next(nodes))

        loop = SimLoop()
        loop.run_until_complete(story(connect))
        problems = loop.problems
        loop.close()
        assert problems == []


class TestSimulatedWithDrawnLatency(TestSimulated):
    def store(self) -> SimDatabase:
        chance = random.Random(7)
        return SimDatabase(latency_s=lambda: chance.expovariate(1 / 0.01))
