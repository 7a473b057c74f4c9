"""Where a source's disks and networks lie here: nothing is guessed."""

import pytest

from outlast.core.importing.places import (
    NotImportable,
    Places,
    image_format,
    mac,
    printable,
    refuse_bad_name,
    refuse_missing,
)


def test_a_disk_has_a_place_under_each_of_its_names() -> None:
    places = Places(disks={"scsi0": "/a", "web.vhdx": "/b"})
    assert places.disk("scsi0", "local:x") == "/a"
    assert places.disk("E:\\web.vhdx", "web.vhdx") == "/b"
    assert places.disk("scsi1") == ""


def test_all_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(NotImportable, match=r'cannot take in "web" .*: one; two$'):
        refuse_missing("web", ["one", "two"])
    refuse_missing("web", [])


@pytest.mark.parametrize("name", ["", "a/b", "a\nb"])
def test_a_name_that_libvirt_allows_not_is_refused(name: str) -> None:
    with pytest.raises(NotImportable, match="--name"):
        refuse_bad_name(name)
    refuse_bad_name("my web")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/a/b.qcow2", "qcow2"),
        ("/a/b.raw", "raw"),
        ("/a.d/b", "raw"),
        ("/dev/vg/x.qcow2", "raw"),
        ("/a/B.VMDK", "vmdk"),
    ],
)
def test_a_disk_s_format_is_told_by_its_name_and_a_device_is_raw(path: str, kind: str) -> None:
    assert image_format(path) == kind


@pytest.mark.parametrize("text", ["BC:24:11:00:00:01", "bc-24-11-00-00-01", "BC2411000001", "bc24.1100.0001"])
def test_a_mac_address_may_be_written_in_many_ways(text: str) -> None:
    assert mac(text) == "bc:24:11:00:00:01"


@pytest.mark.parametrize("text", ["", "000000000000", "01:00:5e:00:00:01", "BC:24:11", "virtio"])
def test_what_is_no_card_s_address_is_none(text: str) -> None:
    assert mac(text) == ""


def test_control_characters_do_not_get_into_xml() -> None:
    assert printable("a\x00b\n\x1bc\td") == "ab\nc\td"
