"""The contract of the cluster database, kept by SQLite and by the simulated one."""

import asyncio
import random
import tempfile
from pathlib import Path

from database_contract import DatabaseContract, Story

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
