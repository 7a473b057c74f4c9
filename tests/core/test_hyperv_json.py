"""Get-VM as JSON, by numbers and by words."""

from typing import Any

import msgspec
import pytest

from importing_samples import sample
from outlast.core.importing import hyperv_json
from outlast.core.importing.hyperv_source import Drive, Source
from outlast.core.importing.places import NotImportable


def source(**changes: Any) -> Source:
    vm = {**msgspec.json.decode(sample("files.json")), **changes}
    return hyperv_json.read(msgspec.json.encode(vm).decode())[0]


def test_memory_is_in_bytes_there() -> None:
    found = source()
    assert (found.memory_mib, found.minimum_mib, found.maximum_mib) == (2048, 512, 1048576)


def test_enumerations_may_be_numbers_or_words() -> None:
    words = {"AutomaticStartAction": "StartIfRunning", "AutomaticStopAction": "ShutDown"}
    assert (source().start, source().stop) == ("always", "save")
    assert (source(**words).start, source(**words).stop) == ("if it ran", "shut down")
    scsi = {"Path": "C:\\x.vhdx", "ControllerType": "SCSI", "ControllerNumber": 0, "ControllerLocation": 3}
    assert source(HardDrives=scsi, DVDDrives=[]).drives == (Drive("C:\\x.vhdx", "scsi", 0, 3),)


def test_a_disk_of_the_host_has_no_path_that_could_be_copied() -> None:
    disk = {"Path": "Disk 3", "ControllerType": 1, "ControllerNumber": 0, "ControllerLocation": 0, "DiskNumber": 3}
    assert source(HardDrives=[disk], DVDDrives=[]).drives[0].path == ""


def test_a_vlan_counts_only_for_a_card_that_is_in_it() -> None:
    def vlan(mode: Any) -> int:
        card = {"SwitchName": "S", "VlanSetting": {"OperationMode": mode, "AccessVlanId": 20}}
        return source(NetworkAdapters=[card]).adapters[0].vlan

    assert (vlan(1), vlan("Access"), vlan(0), vlan("Untagged")) == (20, 20, 0, 0)


def test_only_services_that_are_on_are_named() -> None:
    assert source().integration == ("Heartbeat",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "no VM of Hyper-V"),
        ('{"Name": "x"}', "no VM of Hyper-V"),
        ('{"ProcessorCount": 1, "HardDrives": "HardDiskDrive (Name = ...)"}', "-Depth 5"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(text: str, words: str) -> None:
    with pytest.raises(NotImportable, match=words):
        hyperv_json.read(text)
