"""A Proxmox VM's firmware, what it says, and what it boots."""

from outlast.core.importing.places import Places
from outlast.core.importing.proxmox_system import boot_order, firmware, smbios


def test_smbios_values_may_be_in_base64_but_the_uuid_is_not() -> None:
    found = smbios("uuid=3f1e9a7c-4b5d-4e6f-8a9b-0c1d2e3f4a5b,manufacturer=QUNNRQ==,base64=1")
    assert found == {"uuid": "3f1e9a7c-4b5d-4e6f-8a9b-0c1d2e3f4a5b", "manufacturer": "ACME"}
    assert smbios("manufacturer=ACME")["manufacturer"] == "ACME"
    assert smbios("manufacturer=%%,base64=1")["manufacturer"] == "%%"


def test_the_boot_order_of_today_names_devices() -> None:
    config = {"boot": "order=scsi1;net0;gone0", "scsi1": "x", "net0": "y"}
    assert boot_order(config) == {"scsi1": 1, "net0": 2}


def test_the_boot_order_of_old_has_letters() -> None:
    devices = {"scsi0": "x", "ide2": "iso,media=cdrom", "net0": "y"}
    assert boot_order({"boot": "dc", "bootdisk": "scsi0", **devices}) == {"ide2": 1, "scsi0": 2}
    assert boot_order(devices) == {"scsi0": 1, "ide2": 2, "net0": 3}


def test_secure_boot_takes_the_machine_type_that_can_do_it() -> None:
    config = {"bios": "ovmf", "efidisk0": "/x.raw,pre-enrolled-keys=1"}
    assert firmware(config, Places(), q35=True)[0].secure_boot
    found, findings, _ = firmware(config, Places(), q35=False)
    assert (found.uefi, found.secure_boot) == (True, False)
    assert any("Secure Boot" in finding.words for finding in findings)


def test_a_bios_has_no_variables() -> None:
    assert firmware({"efidisk0": "nfs:x"}, Places(), q35=True) == (firmware({}, Places(), q35=True)[0], [], [])
