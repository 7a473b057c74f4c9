"""What a node says of a machine type, a CPU and devices that it does not have, with a real libvirt. Run inside a
private node only, by test_vm.py.

What `check` says is held against what libvirt does: each definition is also started.
"""

from collections.abc import Iterator
from pathlib import Path

import guest
import libvirt
import pytest

from outlast.plugin_contract import RecordingHost
from outlast.resources.vm import VmType
from outlast.resources.vm.connection import URI

EMULATOR = "/usr/bin/qemu-system-x86_64"


@pytest.fixture
def node() -> Iterator[VmType]:
    node = VmType(RecordingHost())
    yield node
    node.close()


def checked(node: VmType, xml: str) -> list[str]:
    problems = node.control("check", {"definition": xml})
    assert isinstance(problems, list)
    return [str(problem) for problem in problems]


def starts(xml: str) -> bool:
    """Whatever the plugin says of it."""
    conn = libvirt.open(URI)
    try:
        domain = conn.createXML(xml)
        domain.destroy()
        return True
    except libvirt.libvirtError:
        return False
    finally:
        conn.close()


def definition(tmp_path: Path, cpu: str = "", machine: str = "pc", devices: str = "") -> str:
    disk = tmp_path / "web.img"
    guest.write_disk(disk)
    xml = guest.definition("web", disk).replace("machine='pc'", f"machine='{machine}'")
    return xml.replace("<features>", f"{cpu}<features>").replace("</devices>", f"{devices}</devices>")


PCI = "<hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='0x99' slot='1'/></source></hostdev>"
VDPA = "<interface type='vdpa'><source dev='/dev/vhost-vdpa-9'/></interface>"


def cpu(model: str, more: str = "", fallback: str = "allow") -> str:
    return f"<cpu mode='custom' match='exact'{more}><model fallback='{fallback}'>{model}</model></cpu>"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"machine": "pc-made-up"}, f'the emulator {EMULATOR} here has no machine type "pc-made-up"'),
        ({"cpu": cpu("Made-Up")}, 'libvirt here knows no CPU model "Made-Up"'),
        ({"cpu": cpu("pentiumpro", fallback="forbid")}, f'the emulator {EMULATOR} has no CPU model "pentiumpro"'),
        (
            {"cpu": cpu("Haswell", " check='partial'")},
            'the CPU model "Haswell" is not possible here with plain emulation',
        ),
        ({"cpu": "<cpu mode='host-passthrough'/>"}, 'the CPU mode "host-passthrough" is not possible here'),
        ({"devices": VDPA}, "the vDPA device /dev/vhost-vdpa-9 is not on this node"),
        ({"devices": PCI}, "the PCI device 0000:99:01.0 is not on this node"),
    ],
)
def test_what_this_node_does_not_have_is_refused_with_the_reason_and_does_not_start(
    node: VmType, tmp_path: Path, asked: dict[str, str], words: str
) -> None:
    xml = definition(tmp_path, **asked)
    assert any(problem.startswith(words) for problem in checked(node, xml)), checked(node, xml)
    assert not starts(xml)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"machine": "q35"},
        {"cpu": cpu("Haswell")},
        {"cpu": cpu("pentiumpro")},
        {"cpu": cpu("qemu64", " check='partial'")},
        {"cpu": "<cpu mode='host-model'/>"},
        {"cpu": "<cpu mode='maximum'/>"},
        {"cpu": "<cpu><topology sockets='1' cores='1' threads='1'/></cpu>"},
    ],
    ids=str,
)
def test_what_starts_under_plain_emulation_is_not_refused(node: VmType, tmp_path: Path, asked: dict[str, str]) -> None:
    xml = definition(tmp_path, **asked)
    assert checked(node, xml) == []
    assert starts(xml)


def test_processors_without_end_firmware_that_is_missing_and_another_architecture_are_refused(
    node: VmType, tmp_path: Path
) -> None:
    many = definition(tmp_path).replace("<vcpu>1<", "<vcpu>9999<")
    assert ["it has 9999 virtual processors" in problem for problem in checked(node, many)] == [True]
    assert not starts(many)
    arm = definition(tmp_path, machine="virt").replace("x86_64' machine", "aarch64' machine")
    assert ["libvirt here could not run it" in problem for problem in checked(node, arm)] == [True]
    assert not starts(arm)
    uefi = definition(tmp_path).replace("<os>", "<os firmware='efi'>")
    assert starts(uefi) is (checked(node, uefi) == [])


def test_what_leaves_open_which_emulator_and_machine_it_is_takes_what_the_node_has(
    node: VmType, tmp_path: Path
) -> None:
    plain = definition(tmp_path).replace(f"<emulator>{EMULATOR}</emulator>", "").replace(" machine='pc'", "")
    assert checked(node, plain) == []
    assert starts(plain)


def test_only_one_reason_is_told_for_an_emulator_that_is_not_there(node: VmType, tmp_path: Path) -> None:
    absent = definition(tmp_path).replace(EMULATOR, "/usr/bin/qemu-of-elsewhere")
    assert checked(node, absent) == ["the emulator is not there: /usr/bin/qemu-of-elsewhere"]
