"""The XML of a Hyper-V export."""

import pytest

from importing_samples import sample
from outlast.core.importing import hyperv_xml
from outlast.core.importing.hyperv_source import Adapter, Drive
from outlast.core.importing.places import NotImportable


def test_sizes_are_in_mib_and_the_name_is_in_the_properties() -> None:
    found = hyperv_xml.read(sample("old.xml"))
    assert (found.name, found.memory_mib, found.processors, found.generation) == ("old", 4096, 2, 1)
    assert found.uuid == "1b2c3d4e-5f60-4718-92a3-b4c5d6e7f809"
    assert not found.dynamic


def test_drives_are_told_apart_by_their_controller_and_what_is_in_them() -> None:
    assert hyperv_xml.read(sample("old.xml")).drives == (
        Drive("E:\\Hyper-V\\old\\old.vhdx", "ide", 0, 0),
        Drive("E:\\iso\\ws2012.iso", "ide", 1, 0, medium=True),
        Drive("E:\\Hyper-V\\old\\data.vhd", "scsi", 0, 0),
    )


def test_a_card_is_what_has_a_mac_address() -> None:
    expected = Adapter("Network Adapter 1", "External", "00:15:5d:0a:0b:0c")
    assert hyperv_xml.read(sample("old.xml")).adapters == (expected,)


def test_what_is_not_known_is_reported_by_its_name() -> None:
    rest = dict(hyperv_xml.read(sample("old.xml")).rest)
    assert "iops_limit" in rest["_83f8638b-8dca-4152-9eda-2ca8b33039b4_"]
    assert "creation_time" in rest["properties"]
    assert "processors/limit" in rest["settings"]
    assert "Synthetic Ethernet Port" in rest["manifest"]


def test_the_short_form_that_box_makers_write_is_understood() -> None:
    text = (
        '<configuration><properties><subtype type="integer">1</subtype><name type="string">box</name></properties>'
        '<AltSwitchName type="string">Ext</AltSwitchName><secure_boot_enabled type="bool">True</secure_boot_enabled>'
        '<vm-controllers><scsi ChannelInstanceGuid="x"><controller0><drive0><pathname type="string">C:\\b.vhdx'
        '</pathname><type type="string">VHD</type></drive0></controller0></scsi></vm-controllers></configuration>'
    )
    found = hyperv_xml.read(text)
    assert (found.generation, found.secure_boot) == (2, True)
    assert found.drives == (Drive("C:\\b.vhdx", "scsi", 0, 0),)
    assert found.adapters == (Adapter("network adapter", "Ext"),)


@pytest.mark.parametrize("text", ["<configuration/>", "<domain/>", "<x"])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(NotImportable):
        hyperv_xml.read(text)
