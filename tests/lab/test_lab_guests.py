"""The guests, and the checker that is told by them whether one ever ran twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outlast.lab import beacon, linux
from outlast.lab.beacon import BeaconDisk, Clash, Run
from outlast.lab.checker import Copy, Writers, check_disk, find_doubles
from outlast.lab.errors import WrongInput
from outlast.lab.lab import Lab
from outlast.lab.sightings import Sightings, resets


def run(number: int, start: str, end: str) -> Run:
    return Run(f"{number:08X}", number, 5, start, end)


def test_runs_one_after_the_other_are_no_finding() -> None:
    disk = BeaconDisk("b", (run(1, "10:00:00", "10:00:05"), run(2, "10:00:05", "10:00:09")), None)
    assert check_disk(disk) == ()


def test_runs_across_midnight_are_no_finding() -> None:
    disk = BeaconDisk("b", (run(1, "23:59:50", "23:59:59"), run(2, "00:00:01", "00:00:09")), None)
    assert check_disk(disk) == ()


def test_a_run_that_began_before_the_last_beat_of_the_one_before_is_a_finding() -> None:
    disk = BeaconDisk("b", (run(1, "10:00:00", "10:00:09"), run(2, "10:00:05", "10:00:12")), None)
    assert "before the last beat" in check_disk(disk)[0].words


def test_a_clash_on_the_disk_is_a_finding() -> None:
    disk = BeaconDisk("b", (run(1, "10:00:00", "10:00:09"),), Clash("A", "B", 7, 3))
    assert "met the writing of run B" in check_disk(disk)[0].words


def test_a_live_migration_has_two_processes_and_a_double_start_is_none() -> None:
    source, target = Copy("vm", "n1", 10, incoming=False), Copy("vm", "n2", 20, incoming=True)
    assert find_doubles([source, target, Copy("other", "n3", 30, incoming=False)]) == ()
    second = Copy("vm", "n3", 30, incoming=False)
    assert len(find_doubles([source, second])) == 1
    assert len(find_doubles([source, target, second])) == 1


def test_modules_are_loaded_after_what_they_need() -> None:
    listed = "k/a.ko: k/b.ko k/c.ko\nk/b.ko: k/c.ko\nk/c.ko:\n"
    assert linux.load_order(listed, ("a", "b", "built-in")) == ("k/c.ko", "k/b.ko", "k/a.ko")


def test_a_serial_log_that_ends_in_the_middle_of_a_line_is_read_up_to_there(tmp_path: Path) -> None:
    log = tmp_path / "b.log"
    log.write_text("b 0000ABCD 00000000\nb 0000ABCD 0000000F\nb 0000AB")
    assert [beat.beat for beat in beacon.read_log(log)] == [0, 15]


@contextmanager
def running(lab: Lab, node: str, xml: str, name: str) -> Iterator[None]:
    file = lab.paths.shared / f"{name}.xml"
    file.write_text(xml)
    lab.virsh(node, "create", str(file))
    try:
        yield
    finally:
        lab.run(node, "virsh", "destroy", name)


@pytest.mark.lab
def test_a_beacon_says_who_it_is_and_counts_in_each_of_its_lives(lab: Lab) -> None:
    xml = lab.create_guest("beacon", "b1")
    with running(lab, "n1", xml, "b1"):
        lab.wait(lambda: len(lab.guest_log("n1", "b1")) >= 3, 20, "three beats")
    with running(lab, "n2", xml, "b1"):
        lab.wait(lambda: len(lab.guest_log("n2", "b1")) >= 2, 20, "two beats")
    first, second = lab.guest_log("n1", "b1"), lab.guest_log("n2", "b1")
    assert [beat.beat for beat in first[:3]] == [0, 1, 2]
    assert {beat.name for beat in first + second} == {"b1"}
    assert first[0].boot_id != second[0].boot_id
    disk = beacon.read_disk(lab.paths.images / "b1.img")
    assert [(r.boot_id, r.boot_number) for r in disk.runs] == [(first[0].boot_id, 0), (second[0].boot_id, 1)]
    assert lab.check_disks() == ()


@pytest.mark.lab
def test_two_copies_on_one_disk_are_found_by_the_disk_and_by_the_watcher(lab: Lab) -> None:
    xml = lab.create_guest("beacon", "twice", image_lock=False)
    with lab.watcher() as watcher, running(lab, "n1", xml, "twice"):
        lab.wait(lambda: len(lab.guest_log("n1", "twice")) >= 2, 20)
        assert watcher.rounds > 5
        assert not watcher.findings
        with running(lab, "n2", xml, "twice"):
            lab.wait(lambda: len(lab.check_disks()) > 0, 20, "the disk tells of the clash")
    assert [finding.guest for finding in watcher.findings] == ["twice"]
    assert "n1" in watcher.findings[0].words
    assert "n2" in watcher.findings[0].words
    assert lab.check_disks()[0].guest == "twice"


@pytest.mark.lab
def test_the_image_lock_stops_a_second_copy_unless_it_is_switched_off(lab: Lab) -> None:
    xml = lab.create_guest("beacon", "locked")
    with running(lab, "n1", xml, "locked"):
        done = lab.run("n2", "virsh", "create", "/dev/stdin", stdin=xml)
        assert done.returncode == 1
        assert 'Failed to get "write" lock' in done.stderr


@pytest.mark.lab
def test_a_guest_is_not_made_twice_and_its_name_is_checked(lab: Lab) -> None:
    lab.create_guest("beacon", "once")
    with pytest.raises(WrongInput, match="exists already"):
        lab.create_guest("beacon", "once")
    with pytest.raises(WrongInput, match="cannot use"):
        lab.create_guest("beacon", "a/b")


@pytest.mark.lab
def test_a_local_disk_is_seen_on_its_node_only(lab: Lab) -> None:
    xml = lab.create_guest("beacon", "alone", on_node="n1")
    with running(lab, "n1", xml, "alone"):
        assert lab.run("n2", "virsh", "create", "/dev/stdin", stdin=xml).returncode == 1


@pytest.mark.lab
def test_a_linux_guest_shuts_down_when_its_power_button_or_its_agent_is_asked_to(lab: Lab) -> None:
    guests = {"button": "acpi", "agent": "agent"}
    for name in guests:
        file = lab.paths.shared / f"{name}.xml"
        file.write_text(lab.create_guest("linux", name))
        lab.virsh("n1", "create", str(file))
    for name, mode in guests.items():
        shut_down(lab, name, mode)


def shut_down(lab: Lab, name: str, mode: str) -> None:
    lab.wait(lambda: len(lab.guest_log("n1", name)) >= 2, 120, f"{name} counts")
    lab.wait(lambda: agent_answers(lab, name), 60, f"the agent of {name} answers")
    lab.virsh("n1", "shutdown", name, "--mode", mode)
    lab.wait(lambda: name not in lab.virsh("n1", "list", "--name"), 60, f"{name} is off")


def agent_answers(lab: Lab, name: str) -> bool:
    return lab.run("n1", "virsh", "qemu-agent-command", name, '{"execute":"guest-ping"}').returncode == 0


@pytest.mark.lab
def test_a_guest_that_is_reset_is_seen_from_outside_and_one_that_is_started_again_is_none(lab: Lab) -> None:
    xml = lab.create_guest("beacon", "again", image_lock=False)
    image = lab.paths.images / "again.img"

    def writes(known: int) -> bool:
        return len({relay.after for relay in writers.relays}) == known and beacon.last_writer(image) is not None

    with Writers(lab.paths.images) as writers, Sightings([lab.node(name) for name in ("n1", "n2")]) as seen:
        with running(lab, "n1", xml, "again"):
            lab.wait(lambda: writes(0), 30, "it writes")
        with running(lab, "n2", xml, "again"):
            lab.wait(lambda: writes(1), 30, "it was started again, and writes")
            assert list(resets(writers.relays, seen.guests)) == []
            lab.virsh("n2", "reset", "again")
            lab.wait(lambda: writes(2), 30, "it was reset, and writes")
        (found,) = resets(writers.relays, seen.guests)
    assert "it was reset" in found.words
    assert writers.findings == seen.findings == ()
