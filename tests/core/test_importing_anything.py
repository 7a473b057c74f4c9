"""Whatever stands in a file, it is read or refused in words: a typing error is no reason for a traceback."""

from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importing_samples import DOMAIN, sample
from outlast.core.importing import hyperv, pacemaker, proxmox
from outlast.core.importing.places import NotImportable, Places
from outlast.model.imported import Import

PLACES = Places(
    {"shared-nfs": "/srv/nfs", "local-lvm": "/dev/pve"},
    {"files.vhdx": "/s/f.qcow2", "scsi0:1": "/s/d.raw", "old.vhdx": "/s/o.qcow2", "data.vhd": "/s/d.raw"},
    {"vmbr0.20": "br20", "External": "br0", "External.20": "br20"},
)
NASTY = st.sampled_from(["", "0", "-1", "1e9999", "9" * 30, "\x00", "\u0663", "=", ",", ";", "[]", "{}", "<&>", "null"])


def cib(text: str) -> Import:
    return pacemaker.convert(text, dict.fromkeys(pacemaker.definition_files(text), DOMAIN.format("x")))


READERS: dict[str, Callable[[str], Import]] = {
    "web.conf": lambda text: proxmox.convert(text, PLACES, fallback="x"),
    "cib.xml": cib,
    "files.json": lambda text: hyperv.convert(text, PLACES),
    "old.xml": lambda text: hyperv.convert(text, PLACES),
}


@pytest.mark.parametrize("name", READERS)
@given(start=st.floats(0, 1), length=st.integers(0, 30), text=NASTY | st.text(max_size=10))
@settings(max_examples=60, deadline=None)
def test_a_file_with_a_typing_error_is_read_or_refused(name: str, start: float, length: int, text: str) -> None:
    whole = sample(name)
    place = int(start * len(whole))
    try:
        found = READERS[name](whole[:place] + text + whole[place + length :])
    except NotImportable:
        return
    for vm in found.vms:
        assert ElementTree.fromstring(vm.definition).findtext("name")
