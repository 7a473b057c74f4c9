"""The file behind the SQLite database: damaged, full, read-only, foreign, replaced; and how large it grows."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from database_steps import SOON_S, contents, put, take

from outlast.adapters.sqlite import SqliteDatabase
from outlast.adapters.sqlite.place import file_system_of
from outlast.adapters.sqlite.store import Store
from outlast.adapters.sqlite.worker import Begin
from outlast.ports.database import Compacted, Put, Unavailable, Uncertain

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "cluster.db")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_the_database_is_for_its_owner_only(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        await put(database, k=b"secret")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in Path(path).parent.iterdir()}
        side_files = ["", "-wal", "-shm", "-lock", "-bell"]
        assert modes == {f"cluster.db{side}": 0o600 for side in side_files}
        await database.close()

    before = os.umask(0)
    try:
        asyncio.run(main())
    finally:
        os.umask(before)


def test_what_was_committed_is_there_after_reopening_and_revisions_go_on(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        await put(database, k=b"1")
        last = await put(database, k=b"2")
        await database.compact(last, timeout_s=SOON_S)
        await database.close()
        again = SqliteDatabase.open(path)
        assert await contents(again) == {"k": b"2"}
        assert await put(again, k=b"3") == last + 1
        with pytest.raises(Compacted):
            await take(again.watch("", last - 1), 1)
        await again.close()

    asyncio.run(main())


def test_commits_are_forced_to_the_disk_one_by_one(path: str) -> None:
    store = Store(path, 100)
    full = 2
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (full,)
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_history_and_file_do_not_grow_for_ever(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path, keep_revisions=200)
        sizes = []
        for _ in range(4):
            for _ in range(300):
                last = await put(database, k=b"x" * 20_000)
            sizes.append(size_of(path) + size_of(f"{path}-wal"))
        assert sizes[-1] < 1.3 * sizes[1]
        assert sizes[-1] < 300 * 25_000 + 8_000_000
        with pytest.raises(Compacted):
            await take(database.watch("", last - 300), 1)
        assert len(await take(database.watch("", last - 200), 200)) == 200
        await database.close()

    asyncio.run(main())


def test_a_damaged_file_is_called_damaged(path: str) -> None:
    Path(path).write_bytes(b"no database" * 1000)
    with pytest.raises(Unavailable, match=f"cannot open the cluster database {path}: the file is damaged"):
        SqliteDatabase.open(path)


def test_a_file_that_is_damaged_while_it_is_open_is_called_damaged(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        await put(database, **{f"k{number:03}": b"x" * 2000 for number in range(100)})
        await database.close()
        damage(path)
        again = SqliteDatabase.open(path)
        with pytest.raises(Unavailable, match=r"cannot read .* is damaged: stop all nodes and restore"):
            await again.read("", timeout_s=SOON_S)
        with pytest.raises(Unavailable, match=r"cannot write to .* is damaged") as caught:
            await put(again, k=b"")
        assert not isinstance(caught.value, Uncertain)
        await again.close()

    asyncio.run(main())


@root_only
def test_a_full_disk_is_called_full_loses_nothing_and_heals_when_there_is_space(small_disk: Path) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(str(small_disk / "cluster.db"))
        written = 0

        async def fill() -> None:
            nonlocal written
            while written < 1000:
                await put(database, **{f"k{written}": b"x" * 10_000})
                written += 1

        with pytest.raises(Unavailable, match=r"cannot write to .*: its disk is full: free some space") as caught:
            await fill()
        assert not isinstance(caught.value, Uncertain)
        assert 10 < written < 1000
        assert len(await contents(database)) == written
        remount(small_disk, "size=4m")
        assert await put(database, again=b"") == written + 1
        assert len(await take(database.watch("", 0), written + 1)) == written + 1
        await database.close()

    asyncio.run(main())


@root_only
def test_a_full_disk_of_others_is_no_reason_to_fail_reads(small_disk: Path) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(str(small_disk / "cluster.db"))
        await put(database, k=b"1")
        fill_up(small_disk / "filler")
        assert await contents(database) == {"k": b"1"}
        with pytest.raises(Unavailable, match="disk is full"):
            await put(database, k=b"x" * 500_000)
        (small_disk / "filler").unlink()
        assert await put(database, k=b"2") == 2
        await database.close()

    asyncio.run(main())


@root_only
def test_a_read_only_place_is_called_read_only(small_disk: Path) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(str(small_disk / "cluster.db"))
        await put(database, k=b"1")
        await database.close()

    asyncio.run(main())
    remount(small_disk, "ro")
    with pytest.raises(Unavailable, match=r"cannot open the cluster database .*: Read-only file system"):
        SqliteDatabase.open(str(small_disk / "cluster.db"))


def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "cluster.db"
    with pytest.raises(Unavailable, match=f"cannot open the cluster database {path}: No such file or directory"):
        SqliteDatabase.open(str(path))


def test_the_database_of_another_program_is_not_touched(path: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE precious (thing)")
    before = Path(path).read_bytes()
    with pytest.raises(Unavailable, match="database of another program"):
        SqliteDatabase.open(path)
    assert Path(path).read_bytes() == before


def test_a_layout_of_another_version_is_refused_with_the_versions(path: str) -> None:
    Store(path, 100).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(Unavailable, match=r"layout 99 .* knows 1"):
        SqliteDatabase.open(path)


def test_a_file_replaced_while_it_is_open_is_used_no_more(path: str) -> None:
    async def main() -> None:
        database = SqliteDatabase.open(path)
        await put(database, k=b"")
        shutil.copy(path, f"{path}.backup")
        os.replace(f"{path}.backup", path)
        with pytest.raises(Unavailable, match="was replaced by another one"):
            await put(database, k=b"")
        os.unlink(path)
        with pytest.raises(Unavailable, match="is gone"):
            await database.read("", timeout_s=SOON_S)
        await database.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/outlast/cluster.db", "ext4"),
        ("/srv/shared/cluster.db", "nfs4"),
        ("/srv/shared pool/a", "fuse.glusterfs"),
        ("/srv/sharedness", "ext4"),
        ("/run/x", "tmpfs"),
        ("/run/hidden", "xfs"),
    ],
)
def test_the_file_system_under_a_path_is_that_of_the_longest_and_latest_mount(path: str, kind: str) -> None:
    mounts = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:26 / /run rw - tmpfs tmpfs rw
31 30 0:27 / /run/hidden rw - tmpfs tmpfs rw
32 31 8:1 / /run/hidden rw shared:7 master:2 - xfs /dev/sda1 rw
40 22 0:44 / /srv/shared rw - nfs4 filer:/pool rw
41 22 0:45 / /srv/shared\\040pool rw - fuse.glusterfs vol rw
"""
    assert file_system_of(path, mounts) == kind


class HangingStore(Store):
    """A store on a disk that does not answer until it is told to."""

    def __init__(self, path: str, *, hangs_in_commit: bool) -> None:
        super().__init__(path, 100)
        self.hangs = threading.Event()
        self.answers = threading.Event()
        self._hangs_in_commit = hangs_in_commit

    def _commit(self, begin: Begin) -> None:
        if self._hangs_in_commit:
            begin()
        self.hangs.set()
        self.answers.wait(SOON_S)
        super()._commit(begin)


def test_a_commit_the_disk_does_not_answer_is_uncertain_and_what_waits_behind_it_was_never_begun(path: str) -> None:
    async def main() -> None:
        store = HangingStore(path, hangs_in_commit=True)
        database = SqliteDatabase(store)
        first = asyncio.create_task(database.transact([], [Put("first", b"")], timeout_s=0.3))
        await asyncio.to_thread(store.hangs.wait, SOON_S)
        second = asyncio.create_task(database.transact([], [Put("second", b"")], timeout_s=0.1))
        reading = asyncio.create_task(database.read("", timeout_s=0.1))
        outcomes = await asyncio.gather(first, second, reading, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Uncertain, Unavailable, Unavailable]
        store.answers.set()
        assert await contents(database) == {"first": b""}
        await database.close()

    asyncio.run(main())


def test_a_write_whose_time_is_over_before_its_commit_is_taken_back(path: str) -> None:
    async def main() -> None:
        store = HangingStore(path, hangs_in_commit=False)
        database = SqliteDatabase(store)
        with pytest.raises(Unavailable) as caught:
            await database.transact([], [Put("late", b"")], timeout_s=0.1)
        assert not isinstance(caught.value, Uncertain)
        store.answers.set()
        assert await contents(database) == {}
        assert await put(database, k=b"") == 1
        await database.close()

    asyncio.run(main())


def size_of(path: str) -> int:
    return os.stat(path).st_size


def damage(path: str) -> None:
    """All but the first page, so that it can still be opened."""
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size_of(path) - 4096))


def fill_up(path: Path) -> None:
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)
