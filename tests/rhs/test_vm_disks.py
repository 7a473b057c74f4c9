"""What the vm type tells of a VM's disks: which are there, what identifies a block device, and that storage that hangs
holds nobody up. Without libvirt."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outlast.plugin import Refusal
from outlast.resources.vm import looking, verbs
from outlast.resources.vm.devices import of_number
from outlast.resources.vm.looking import look

NOT_ASKED: Any = None
"""No libvirt: nothing here needs one."""


def definition(*disks: str) -> str:
    return f"<domain type='kvm'><name>web</name><devices>{''.join(disks)}</devices></domain>"


def disk(path: Path, *, device: str = "disk", more: str = "") -> str:
    return f"<disk type='file' device='{device}'><source file='{path}'/><target dev='vda'/>{more}</disk>"


def told(*disks: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = verbs.carry_out(NOT_ASKED, "disks", {"definition": definition(*disks)})
    return found


# -- disks ------------------------------------------------------------------------------------------------------------


def test_each_disk_is_told_with_whether_it_is_there_and_written(tmp_path: Path) -> None:
    there, gone = tmp_path / "web.img", tmp_path / "gone.iso"
    there.touch()
    assert told(disk(there), disk(gone, device="cdrom", more="<readonly/>")) == [
        {"source": str(there), "path": str(there), "written": True, "there": True, "block": False, "ids": {}},
        {"source": str(gone), "path": str(gone), "written": False, "there": False},
    ]


def test_a_disk_that_other_vms_may_have_too_is_written_and_one_that_is_only_read_is_not(tmp_path: Path) -> None:
    path = tmp_path / "web.img"
    path.touch()
    assert [one["written"] for one in told(disk(path, more="<shareable/>"), disk(path, more="<readonly/>"))] == [
        True,
        False,
    ]


def test_what_is_not_on_this_node_by_nature_is_not_told() -> None:
    assert told("<disk type='network'><source protocol='rbd' name='pool/web'/></disk>", "<disk device='cdrom'/>") == []


# -- block devices ----------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Of a machine with a disk at 8:16, a partition of it at 8:18, and a mapped device at 253:0."""
    whole = tmp_path / "sys/devices/pci/block/sdb"
    write(whole / "dev", "8:16")
    write(whole / "sdb2/dev", "8:18")
    write(whole / "sdb2/partition", "2")
    mapped = tmp_path / "sys/devices/virtual/block/dm-0"
    write(mapped / "dev", "253:0")
    numbers = tmp_path / "sys/dev/block"
    numbers.mkdir(parents=True)
    for number, device in (("8:16", whole), ("8:18", whole / "sdb2"), ("253:0", mapped)):
        os.symlink(device, numbers / number)
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def test_a_disk_tells_its_world_wide_identifier_and_its_serial_number(root: Path) -> None:
    write(root / "sys/devices/pci/block/sdb/device/wwid", "naa.600508b1001c")
    write(root / "run/udev/data/b8:16", "S:disk/by-id/x\nE:ID_SERIAL=3600508b1001c\nE:ID_WWN_WITH_EXTENSION=0x600508b1")
    assert of_number(8, 16, root) == {"wwid": "naa.600508b1001c", "serial": "3600508b1001c", "wwn": "0x600508b1"}


def test_a_virtual_disk_tells_the_serial_number_that_it_was_given(root: Path) -> None:
    write(root / "sys/devices/pci/block/sdb/serial", "data-1")
    assert of_number(8, 16, root) == {"serial": "data-1"}


def test_a_partition_is_its_disk_and_its_number(root: Path) -> None:
    write(root / "sys/devices/pci/block/sdb/wwid", "eui.0025")
    assert of_number(8, 18, root) == {"wwid": "eui.0025-part2"}


def test_a_logical_volume_tells_its_uuid_and_a_multipath_device_the_disk_behind_it(root: Path) -> None:
    uuid = root / "sys/devices/virtual/block/dm-0/dm/uuid"
    write(uuid, "LVM-abc")
    assert of_number(253, 0, root) == {"dm": "LVM-abc"}
    write(uuid, "mpath-3600508b1001c")
    assert of_number(253, 0, root) == {"serial": "3600508b1001c"}


def test_a_device_that_tells_nothing_has_no_identity(root: Path) -> None:
    assert of_number(8, 16, root) == of_number(7, 0, root) == {}


# -- storage that hangs -----------------------------------------------------------------------------------------------


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """Looks hang until it is set."""
    held = threading.Event()
    yield held
    held.set()


def test_a_look_that_hangs_is_given_up_and_nobody_else_begins_one_there(hanging: threading.Event) -> None:
    with pytest.raises(Refusal, match="the storage of /away does not answer"):
        look("/away/web.img", hanging.wait, limit_s=0.01)
    begun = threading.Event()
    with pytest.raises(Refusal, match="does not answer"):
        look("/away/db.img", begun.set)
    assert not begun.is_set()
    assert look("/here/web.img", lambda: "seen") == "seen"


def test_when_it_hangs_no_more_it_is_looked_at_again(hanging: threading.Event) -> None:
    with pytest.raises(Refusal):
        look("/back/web.img", hanging.wait, limit_s=0.01)
    late = looking._hanging["/back"]
    hanging.set()
    late.join()
    assert look("/back/web.img", lambda: "seen") == "seen"


def test_what_a_look_raises_is_raised() -> None:
    with pytest.raises(FileNotFoundError):
        look("/here/web.img", lambda: os.stat("/here/web.img"))
