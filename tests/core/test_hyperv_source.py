"""A Hyper-V VM's drives and cards, by the names that options use."""

from outlast.core.importing.hyperv_source import Adapter, Drive


def test_a_drive_is_named_by_its_file_or_its_slot() -> None:
    drive = Drive("E:\\VMs\\web.vhdx", "scsi", 0, 1)
    assert (drive.file, drive.slot, drive.is_difference) == ("web.vhdx", "scsi0:1", False)
    assert Drive("E:\\VMs\\web_1.AVHDX", "scsi", 0, 1).is_difference


def test_a_switch_with_a_vlan_is_another_source() -> None:
    assert Adapter("LAN", "External").source == "External"
    assert Adapter("LAN", "External", vlan=20).source == "External.20"
