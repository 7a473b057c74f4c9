"""A machine as libvirt's domain XML: with what the cluster needs to tell what happens to it."""

from xml.etree import ElementTree

import pytest

from outlast.core.importing.domain_xml import Cpu, Disk, Firmware, Machine, Nic, written


def tree(**changes: object) -> ElementTree.Element:
    return ElementTree.fromstring(written(Machine("web", 512, **changes)))  # type: ignore[arg-type]


def attributes(root: ElementTree.Element, path: str) -> dict[str, str]:
    found = root.find(path)
    assert found is not None, path
    return dict(found.attrib)


def test_every_vm_has_what_tells_crash_from_shutdown_and_running_from_answering() -> None:
    root = tree()
    assert root.findtext("on_crash") == "destroy"
    assert root.find("devices/panic") is not None
    assert attributes(root, "devices/channel/target")["name"] == "org.qemu.guest_agent.0"
    assert root.find("devices/serial") is not None
    assert root.find("devices/rng") is not None


def test_nothing_is_said_that_each_node_knows_better() -> None:
    root = tree(disks=(Disk("/a.img", "virtio"),))
    assert root.find("devices/emulator") is None
    assert root.find(".//address") is None


def test_scsi_and_sata_disks_share_their_letters() -> None:
    buses = ("scsi", "sata", "virtio", "ide", "scsi")
    root = tree(disks=tuple(Disk(f"/{number}.img", bus) for number, bus in enumerate(buses)))
    assert [target.get("dev") for target in root.iterfind("devices/disk/target")] == ["sda", "sdb", "vda", "hda", "sdc"]


def test_the_twenty_seventh_disk_has_two_letters() -> None:
    root = tree(disks=tuple(Disk(f"/{number}.img", "virtio") for number in range(28)))
    names = [target.get("dev") for target in root.iterfind("devices/disk/target")]
    assert names[25:] == ["vdz", "vdaa", "vdab"]


def test_a_block_device_is_no_file() -> None:
    root = tree(disks=(Disk("/dev/vg/web", "virtio"),))
    assert attributes(root, "devices/disk")["type"] == "block"
    assert attributes(root, "devices/disk/source") == {"dev": "/dev/vg/web"}


def test_a_disk_bypasses_the_host_s_cache_and_gives_back_what_is_free() -> None:
    root = tree(disks=(Disk("/a.qcow2", "scsi", format="qcow2", discard=True),))
    expected = {"name": "qemu", "type": "qcow2", "cache": "none", "discard": "unmap"}
    assert attributes(root, "devices/disk/driver") == expected
    assert attributes(root, "devices/controller") == {"type": "scsi", "index": "0", "model": "virtio-scsi"}


def test_a_drive_for_media_is_read_only_and_may_be_empty() -> None:
    root = tree(disks=(Disk("", "sata", "cdrom"),))
    assert root.find("devices/disk/source") is None
    assert root.find("devices/disk/readonly") is not None


def test_a_card_without_a_bridge_is_behind_its_node() -> None:
    assert attributes(tree(nics=(Nic(""),)), "devices/interface") == {"type": "user"}
    root = tree(nics=(Nic("br0", mac="bc:24:11:00:00:01", queues=4, mtu=9000, kbyte_per_s=100, link_down=True),))
    assert attributes(root, "devices/interface/source") == {"bridge": "br0"}
    assert attributes(root, "devices/interface/driver")["queues"] == "4"
    assert attributes(root, "devices/interface/bandwidth/inbound") == {"average": "100"}
    assert attributes(root, "devices/interface/link") == {"state": "down"}


def test_secure_boot_needs_the_keys_and_smm() -> None:
    root = tree(firmware=Firmware(uefi=True, secure_boot=True, variables="/v.fd"))
    assert attributes(root, "os") == {"firmware": "efi"}
    features = {one.get("name"): one.get("enabled") for one in root.iterfind("os/firmware/feature")}
    assert features == {"enrolled-keys": "yes", "secure-boot": "yes"}
    assert attributes(root, "features/smm") == {"state": "on"}
    assert root.findtext("os/nvram") == "/v.fd"
    assert tree().find("os/firmware") is None


def test_windows_gets_hyper_v_s_help_and_its_clock() -> None:
    root = tree(windows=True, local_time=True)
    assert root.find("features/hyperv/relaxed") is not None
    assert attributes(root, "clock") == {"offset": "localtime"}
    assert tree().find("features/hyperv") is None


def test_a_limit_of_processor_time_counts_for_all_of_them_together() -> None:
    root = tree(cpu=Cpu(sockets=2, cores=2, online=3, limit=1.5))
    assert (root.findtext("vcpu"), attributes(root, "vcpu")["current"]) == ("4", "3")
    assert root.findtext("cputune/global_quota") == "150000"


def test_no_screen_means_no_graphics_either() -> None:
    root = tree(video="")
    assert root.find("devices/graphics") is None
    assert attributes(root, "devices/video/model") == {"type": "none"}


@pytest.mark.parametrize("text", ["<&>\"'", "ü 漢"])
def test_what_a_source_says_is_text_and_never_markup(text: str) -> None:
    assert tree(description=text).findtext("description") == text
