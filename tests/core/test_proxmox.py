"""Proxmox VMs: what a file says is mapped or reported."""

from xml.etree import ElementTree

import pytest

from importing_samples import level, of, sample
from outlast.core.importing import proxmox
from outlast.core.importing.places import NotImportable, Places
from outlast.model.imported import Imported, Level

PLACES = Places(
    {"shared-nfs": "/srv/nfs", "local-lvm": "/dev/pve"}, {"efidisk0": "/srv/nfs/web.fd"}, {"vmbr0.20": "br20"}
)
SMALL = "name: web\nmemory: 512\nscsi0: nfs:100/vm-100-disk-0.raw,size=1G\n"


def small(more: str = "", **changes: str) -> Imported:
    return proxmox.convert(SMALL + more, Places({"nfs": "/srv/nfs"}), **changes).vms[0]


def web() -> Imported:
    return proxmox.convert(sample("web.conf"), PLACES).vms[0]


def test_every_key_of_the_file_is_in_the_report() -> None:
    told = {finding.what for finding in web().findings}
    keys = set(proxmox.read(sample("web.conf")).config)
    assert len(keys) > 35
    assert keys - told == set()


def test_the_machine_is_what_the_file_says() -> None:
    root = ElementTree.fromstring(web().definition)
    assert root.findtext("name") == "web"
    assert root.findtext("uuid") == "3f1e9a7c-4b5d-4e6f-8a9b-0c1d2e3f4a5b"
    assert root.findtext("memory") == "4096"
    assert root.findtext("vcpu") == "4"
    assert root.findtext("os/nvram") == "/srv/nfs/web.fd"
    assert root.findtext("description") == "Web server of the shop: ask Ann\nsecond line"
    assert root.findtext("sysinfo/system/entry") == "ACME"


def test_what_the_cluster_does_with_it_is_set() -> None:
    vm = web()
    assert (vm.wanted_online, vm.offline_timeout_s, vm.group) == (True, 90.0, {"priority": "high"})


def test_no_secret_is_told() -> None:
    vm = web()
    assert of(vm, "cipassword")
    assert not [finding for finding in vm.findings if "hunter2" in finding.words]
    assert "hunter2" not in vm.definition


def test_a_snapshot_s_values_do_not_become_the_vm_s() -> None:
    vm = web()
    assert level(vm, "[before]") is level(vm, "[PENDING]") is Level.LOST
    assert ElementTree.fromstring(vm.definition).findtext("memory") == "4096"


def test_what_has_no_place_here_is_refused_with_the_whole_list() -> None:
    with pytest.raises(NotImportable) as refusal:
        proxmox.convert(sample("web.conf"), Places())
    for part in ("scsi0", "--storage local-lvm=", "efidisk0", "--bridge vmbr0.20=BRIDGE"):
        assert part in str(refusal.value)
    assert "ide2" not in str(refusal.value)  # a medium is no part of the VM: its drive is left empty


def test_a_vm_that_is_not_started_by_itself_is_taken_in_offline() -> None:
    assert not small().wanted_online
    assert not small("onboot: 0\n").wanted_online
    assert level(small(), "onboot") is Level.CHANGED
    assert small("onboot: 1\n").wanted_online


def test_a_name_comes_from_the_user_then_from_the_file_then_from_its_number() -> None:
    assert small(name="other").name == "other"
    assert small(fallback="vm100").name == "web"
    unnamed = "memory: 512\n"
    assert proxmox.convert(unnamed, Places(), fallback="vm100").vms[0].name == "vm100"
    with pytest.raises(NotImportable, match="--name"):
        proxmox.convert(unnamed, Places())


def test_a_template_is_no_vm() -> None:
    with pytest.raises(NotImportable, match="qm clone"):
        small("template: 1\n")


@pytest.mark.parametrize("text", ["", "# only a remark\n", "<domain/>\n", "{}\n"])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(NotImportable):
        proxmox.convert(text, Places(), name="x")


def test_uefi_s_variables_are_used_only_from_a_raw_file() -> None:
    uefi = "bios: ovmf\nefidisk0: nfs:100/vm-100-disk-1.{},efitype=4m,pre-enrolled-keys=1\n"
    raw = ElementTree.fromstring(small(uefi.format("raw")).definition)
    assert raw.findtext("os/nvram") == "/srv/nfs/images/100/vm-100-disk-1.raw"
    other = small(uefi.format("qcow2"))
    assert ElementTree.fromstring(other.definition).find("os/nvram") is None
    assert level(other, "efidisk0") is Level.LOST


def test_a_machine_type_of_one_version_becomes_the_newest_of_its_kind() -> None:
    vm = small("machine: pc-q35-8.1+pve0\n")
    machine = ElementTree.fromstring(vm.definition).find("os/type")
    assert machine is not None
    assert (machine.get("machine"), level(vm, "machine")) == ("q35", Level.CHANGED)
    assert level(small("machine: q35\n"), "machine") is Level.KEPT


def test_memory_may_be_written_in_two_ways() -> None:
    for written in ("memory: 2048", "memory: current=2048"):
        vm = proxmox.convert(f"name: x\n{written}\n", Places()).vms[0]
        assert ElementTree.fromstring(vm.definition).findtext("memory") == "2048"


def test_a_serial_screen_is_no_screen() -> None:
    root = ElementTree.fromstring(small("vga: serial0\nserial0: socket\n").definition)
    assert root.find("devices/graphics") is None


def test_cdrom_is_another_word_for_ide2() -> None:
    vm = small("cdrom: none\n")
    assert level(vm, "ide2") is Level.KEPT


def test_what_is_off_there_and_here_is_kept() -> None:
    assert level(small("protection: 0\n"), "protection") is Level.KEPT
    assert level(small("protection: 1\n"), "protection") is Level.LOST
