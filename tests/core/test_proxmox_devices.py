"""Proxmox disks and network cards: volumes get paths, VLANs get bridges, and nothing is guessed."""

import pytest

from outlast.core.importing.places import Places
from outlast.core.importing.proxmox_devices import Devices, devices, options, path_of
from outlast.model.imported import Level

NOWHERE = Places()


def made(key: str, text: str, places: Places = NOWHERE, *, q35: bool = False) -> Devices:
    return devices({key: text}, places, {}, q35=q35)


@pytest.mark.parametrize(
    ("volume", "path"),
    [
        ("nfs:100/vm-100-disk-0.qcow2", "/srv/nfs/images/100/vm-100-disk-0.qcow2"),
        ("nfs:iso/debian.iso", "/srv/nfs/template/iso/debian.iso"),
        ("lvm:vm-100-disk-0", "/dev/pve/vm-100-disk-0"),
        ("/dev/disk/by-id/x", "/dev/disk/by-id/x"),
        ("other:vm-100-disk-0", ""),
    ],
)
def test_a_volume_lies_where_it_lies_on_proxmox_below_its_storage(volume: str, path: str) -> None:
    places = Places({"nfs": "/srv/nfs/", "lvm": "/dev/pve"})
    assert path_of("scsi0", volume, places) == path


def test_a_disk_s_own_place_counts_more_than_its_storage_s() -> None:
    places = Places({"nfs": "/srv/nfs"}, {"scsi0": "/new.qcow2"})
    assert path_of("scsi0", "nfs:100/x.raw", places) == "/new.qcow2"


def test_options_without_a_name_are_the_first() -> None:
    assert options("nfs:x,size=1G", "file") == {"file": "nfs:x", "size": "1G"}
    assert options("1", "enabled") == {"enabled": "1"}


def test_a_disk_without_a_place_is_missing_and_a_medium_is_left_out() -> None:
    assert made("virtio0", "nfs:1/x.raw").missing
    medium = made("ide2", "nfs:iso/x.iso,media=cdrom")
    assert (medium.missing, medium.disks[0].path, medium.findings[0].level) == ((), "", Level.CHANGED)


def test_a_cloud_init_drive_is_not_taken_along() -> None:
    found = made("ide2", "nfs:100/vm-100-cloudinit.qcow2,media=cdrom")
    assert (found.disks, found.findings[0].level) == ((), Level.LOST)


def test_without_ide_in_the_machine_its_drives_are_sata() -> None:
    assert made("ide2", "none,media=cdrom").disks[0].bus == "ide"
    found = made("ide2", "none,media=cdrom", q35=True)
    assert (found.disks[0].bus, found.findings[0].level) == ("sata", Level.CHANGED)


def test_a_cache_that_may_lose_what_was_flushed_is_not_kept() -> None:
    found = made("virtio0", "/dev/sdb,cache=unsafe")
    assert found.disks[0].cache == "none"
    assert "cache=unsafe becomes none" in found.findings[1].words
    assert made("virtio0", "/dev/sdb,cache=writeback").disks[0].cache == "writeback"


def test_options_that_nobody_knows_are_reported() -> None:
    words = " ".join(finding.words for finding in made("virtio0", "/dev/sdb,mbps_rd=5,new_thing=1").findings)
    assert "mbps_rd=5, new_thing=1" in words


def test_a_vlan_s_traffic_never_goes_untagged_into_a_bridge() -> None:
    tagged = "virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=20"
    assert made("net0", tagged, Places(bridges={"vmbr0": "br0"})).missing
    found = made("net0", tagged, Places(bridges={"vmbr0.20": "br20"}))
    assert (found.nics[0].bridge, found.nics[0].mac) == ("br20", "bc:24:11:00:00:01")


def test_a_bridge_without_another_word_has_the_same_name() -> None:
    found = made("net0", "model=e1000,macaddr=BC:24:11:00:00:01,bridge=vmbr0")
    assert (found.nics[0].bridge, found.nics[0].model, found.findings[0].level) == ("vmbr0", "e1000", Level.KEPT)


def test_the_rate_of_a_card_is_in_another_unit() -> None:
    assert made("net0", "virtio=BC:24:11:00:00:01,bridge=b,rate=1.5").nics[0].kbyte_per_s == 1500


def test_devices_are_in_the_order_of_their_numbers() -> None:
    config = {f"scsi{number}": f"/dev/s{number}" for number in (10, 2, 0)}
    assert [disk.path for disk in devices(config, Places(), {}, q35=False).disks] == ["/dev/s0", "/dev/s2", "/dev/s10"]
