"""What stands still in a lab must not stand in the middle of a write to the file that all its nodes share."""

import sqlite3
from pathlib import Path

import pytest

from outlast.lab.freezing import stand_still


class Writer:
    """Somebody who is in the middle of a write in the moments that are named, by number, when he is frozen."""

    def __init__(self, database: Path, *writes_at: int) -> None:
        self.connection = sqlite3.connect(database, isolation_level=None)
        self.connection.execute("CREATE TABLE told (words)")
        self.writes_at = writes_at
        self.frozen = 0
        self.thawed = 0

    def freeze(self) -> None:
        self.frozen += 1
        if self.frozen in self.writes_at:
            self.connection.execute("BEGIN IMMEDIATE")

    def thaw(self) -> None:
        self.thawed += 1
        self.connection.execute("COMMIT")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "cluster.db"


def test_who_is_frozen_between_two_writes_stays_so(database: Path) -> None:
    writer = Writer(database)
    assert stand_still(writer.freeze, writer.thaw, database)
    assert (writer.frozen, writer.thawed) == (1, 0)


def test_who_is_frozen_in_the_middle_of_a_write_goes_on_and_is_frozen_in_another_moment(database: Path) -> None:
    writer = Writer(database, 1, 2)
    assert stand_still(writer.freeze, writer.thaw, database)
    assert (writer.frozen, writer.thawed) == (3, 2)
    assert not writer.connection.in_transaction


def test_without_a_common_file_every_moment_will_do(database: Path) -> None:
    told: list[str] = []
    assert stand_still(lambda: told.append("freeze"), lambda: told.append("thaw"), database)
    assert told == ["freeze"]
