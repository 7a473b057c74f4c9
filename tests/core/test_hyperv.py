"""Hyper-V VMs: converted disks, devices that every system knows, and a report of the rest."""

from xml.etree import ElementTree

import msgspec
import pytest

from importing_samples import level, of, sample
from outlast.core.importing import hyperv
from outlast.core.importing.places import NotImportable, Places
from outlast.model.imported import Imported, Level

JSON = Places(disks={"files.vhdx": "/s/files.qcow2", "scsi0:1": "/s/data.raw"}, bridges={"External.20": "br20"})
XML = Places(disks={"old.vhdx": "/s/old.qcow2", "data.vhd": "/s/data.raw"}, bridges={"External": "br0"})


def files(**changes: object) -> Imported:
    vm = {**msgspec.json.decode(sample("files.json")), **changes}
    return hyperv.convert(msgspec.json.encode(vm).decode(), JSON).vms[0]


def old() -> Imported:
    return hyperv.convert(sample("old.xml"), XML).vms[0]


def test_generation_2_is_uefi_and_generation_1_a_bios() -> None:
    second, first = ElementTree.fromstring(files().definition), ElementTree.fromstring(old().definition)
    assert second.find("os[@firmware='efi']") is not None
    assert first.find("os[@firmware='efi']") is None
    assert [one.get("bus") for one in second.iterfind("devices/disk/target")] == ["sata", "sata", "sata"]
    assert [one.get("bus") for one in first.iterfind("devices/disk/target")] == ["ide", "ide", "sata"]


def test_a_guest_gets_a_card_that_it_has_a_driver_for() -> None:
    card = ElementTree.fromstring(files().definition).find("devices/interface")
    assert card is not None
    assert [dict(child.attrib) for child in card] == [
        {"address": "00:15:5d:01:02:03"},
        {"bridge": "br20"},
        {"type": "e1000e"},
    ]
    assert level(files(), "Old") is Level.LOST  # connected to nothing


def test_dynamic_memory_becomes_its_maximum_unless_nobody_chose_one() -> None:
    def memory(vm: Imported) -> str | None:
        return ElementTree.fromstring(vm.definition).findtext("memory")

    assert memory(files()) == "2048"  # its maximum was the default of a terabyte
    assert memory(files(MemoryMaximum=8 * 2**30)) == "8192"
    assert memory(files(DynamicMemoryEnabled=False, MemoryMaximum=8 * 2**30)) == "2048"
    assert level(files(), "dynamic memory") is Level.CHANGED


def test_a_disk_without_a_place_is_refused_with_the_command_that_makes_it() -> None:
    with pytest.raises(NotImportable) as refusal:
        hyperv.convert(sample("files.json"), Places())
    assert "qemu-img convert -p -O qcow2 files.vhdx PATH, then --disk files.vhdx=PATH" in str(refusal.value)
    assert '--bridge "External.20=BRIDGE"' in str(refusal.value)
    assert "merge it first" in str(refusal.value)
    assert "win.iso" not in str(refusal.value)


def test_a_vhdx_cannot_be_run_from_at_all() -> None:
    places = msgspec.structs.replace(JSON, disks={**JSON.disks, "files.vhdx": "/s/files.vhdx"})
    with pytest.raises(NotImportable, match="qemu-img convert"):
        hyperv.convert(sample("files.json"), places)


def test_a_medium_without_a_place_leaves_its_drive_empty() -> None:
    assert level(files(), "scsi0:2") is Level.CHANGED


@pytest.mark.parametrize(("action", "wanted"), [(4, True), ("Start", True), (3, False), (2, False), (None, False)])
def test_only_what_is_always_started_is_wanted_online(action: object, wanted: bool) -> None:
    assert files(AutomaticStartAction=action).wanted_online is wanted


def test_checkpoints_clusters_and_services_are_in_the_report() -> None:
    vm = files()
    assert level(vm, "checkpoint before update") is Level.LOST
    assert level(vm, "cluster") is Level.LOST
    assert "guest agent" in of(vm, "integration services")[0].words


def test_every_key_of_get_vm_is_used_or_reported() -> None:
    told = " ".join(f"{finding.what} {finding.words}" for finding in files(NewThing=7).findings)
    assert "NewThing" in told
    assert "AutomaticStartDelay" in told
    assert "Uptime" in told


def test_one_of_several_is_chosen_by_its_name_and_the_only_one_is_renamed() -> None:
    one = msgspec.json.decode(sample("files.json"))
    both = msgspec.json.encode([one, {**one, "Name": "other"}]).decode()
    assert [vm.name for vm in hyperv.convert(both, JSON).vms] == ["files", "other"]
    assert [vm.name for vm in hyperv.convert(both, JSON, name="other").vms] == ["other"]
    with pytest.raises(NotImportable, match="files, other"):
        hyperv.convert(both, JSON, name="third")
    assert hyperv.convert(sample("files.json"), JSON, name="new").vms[0].name == "new"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_powershell_s_encodings_are_understood(encoding: str) -> None:
    assert hyperv.decoded("früh".encode(encoding)) == "früh"


@pytest.mark.parametrize("data", [b"\x01\x80\xff\xfe binary", b"\xff\xfe\x00"])
def test_a_binary_configuration_is_refused_with_what_to_do_instead(data: bytes) -> None:
    with pytest.raises(NotImportable, match="ConvertTo-Json -Depth 5"):
        hyperv.decoded(data)
    with pytest.raises(NotImportable, match="ConvertTo-Json -Depth 5"):
        hyperv.convert("vmcx...", Places())
