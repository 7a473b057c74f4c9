"""What a machine had to do, kept over a restart of its service: one suite for the file and for the simulated one."""

import asyncio
from pathlib import Path

import pytest

from outlast.adapters.load import LINE, SIZE, FileLoadRecord, reading
from outlast.core.load import KEPT
from outlast.model.load import Load
from outlast.ports.load import LoadRecord
from outlast.sim.load import SimLoad
from outlast.sim.setup import Setup
from outlast.sim.world import World

NOON_S = 1_790_000_100


def minute(number: int) -> Load:
    return Load(NOON_S + 60 * number, 0.1234, 0.9, 123_456, 1_234_567, number % 100)


class LoadRecordContract:
    def record(self) -> LoadRecord:
        """Another one of the same machine with each call, as after a restart of the service."""
        raise NotImplementedError

    def test_what_was_kept_is_there_after_a_restart(self) -> None:
        async def story() -> None:
            assert list(await self.record().kept()) == []
            record = self.record()
            for number in range(3):
                await record.keep(minute(number))
            assert sorted(await self.record().kept(), key=lambda one: one.at_s) == [minute(0), minute(1), minute(2)]

        asyncio.run(story())

    def test_a_minute_takes_the_place_of_the_one_a_day_before(self) -> None:
        async def story() -> None:
            record = self.record()
            for number in (0, 1, KEPT):
                await record.keep(minute(number))
            assert sorted(one.at_s for one in await self.record().kept()) == [minute(1).at_s, minute(KEPT).at_s]

        asyncio.run(story())

    def test_a_machine_tells_what_it_has_and_never_works_more_than_it_could(self) -> None:
        record = self.record()
        first, last = record.read(), record.read()
        assert first.cpus > 0
        assert 0 < first.memory_used_mib < first.memory_mib
        assert first.busy <= last.busy
        assert last.busy - first.busy <= last.whole - first.whole


class TestFileLoadRecord(LoadRecordContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "state/load"

    def record(self) -> FileLoadRecord:
        return FileLoadRecord(self.path)

    def test_the_file_never_grows_and_a_person_can_read_it(self) -> None:
        async def story() -> None:
            for number in (0, 7, 3 * KEPT + 1):
                await self.record().keep(minute(number))
                assert self.path.stat().st_size == SIZE == 92_160

        asyncio.run(story())
        assert f"{NOON_S} cpu 0.1234 0.9000 MiB 123456 1234567 vms 0" in self.path.read_text()
        assert {len(line) for line in self.path.read_text().splitlines()} == {LINE - 1}

    @pytest.mark.parametrize("damage", [b"\xff" * 20, b"17", b"1790000100 cpu nan nan MiB 1 1 vms 0  "])
    def test_what_is_damaged_is_left_out_and_the_rest_is_there(self, damage: bytes) -> None:
        async def story() -> None:
            for number in range(3):
                await self.record().keep(minute(number))
            text = self.path.read_bytes()
            begin = text.index(str(minute(1).at_s).encode())
            self.path.write_bytes(text[:begin] + damage.ljust(LINE - 1) + text[begin + LINE - 1 :])
            assert sorted(await self.record().kept(), key=lambda one: one.at_s) == [minute(0), minute(2)]

        asyncio.run(story())

    def test_a_file_of_another_size_is_begun_anew(self) -> None:
        async def story() -> None:
            self.path.parent.mkdir()
            self.path.write_text("cut off")
            assert list(await self.record().kept()) == []
            await self.record().keep(minute(5))
            assert list(await self.record().kept()) == [minute(5)]

        asyncio.run(story())


class TestSimLoad(LoadRecordContract):
    @pytest.fixture(autouse=True)
    def _world(self) -> None:
        self.machine = World(Setup()).machines["n1"]
        self.file: dict[int, Load] = {}

    def record(self) -> SimLoad:
        return SimLoad(self.machine, self.file)


STAT = """cpu  400 100 200 3000 300 50 50 100 70 30
cpu0 200 50 100 1500 150 25 25 50 35 15
cpu1 200 50 100 1500 150 25 25 50 35 15
intr 1 2 3
ctxt 9
"""
MEMINFO = "MemTotal:        8192000 kB\nMemFree:  1000 kB\nMemAvailable:    6144000 kB\nHugePages_Total:       0\n"


def test_who_waits_for_a_disk_does_not_work_and_guests_are_counted_once() -> None:
    found = reading(STAT, MEMINFO)
    assert (found.whole, found.busy) == (4200.0, 900.0), "nor idle, nor iowait; guests are part of user and nice"
    assert (found.cpus, found.memory_mib, found.memory_used_mib) == (2, 8000, 2000)


@pytest.mark.parametrize(("stat", "meminfo"), [("", MEMINFO), (STAT, "MemTotal: 5 kB"), ("cpu a b c d e", MEMINFO)])
def test_what_no_kernel_says_is_refused(stat: str, meminfo: str) -> None:
    with pytest.raises(OSError, match="do not say what they should"):
        reading(stat, meminfo)
