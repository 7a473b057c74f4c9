"""Could a node's hypervisor run a definition, are its host devices there, and do they keep the VM where it runs?"""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from outlast.resources.vm import fitting, host_devices
from outlast.resources.vm.definition import features
from outlast.resources.vm.fitting import Wants

KNOWN = frozenset({"Haswell", "EPYC", "pentiumpro"})
"""To libvirt; the emulator below has the first two."""
THERE = fitting.offers(
    """<domainCapabilities>
  <path>/usr/bin/qemu</path><domain>kvm</domain><machine>pc-q35-7.2</machine><arch>x86_64</arch><vcpu max='255'/>
  <os supported='yes'><enum name='firmware'><value>bios</value></enum></os>
  <cpu>
    <mode name='host-passthrough' supported='no'/>
    <mode name='host-model' supported='yes'><model fallback='forbid'>EPYC</model></mode>
    <mode name='custom' supported='yes'>
      <model usable='no' vendor='Intel'>Haswell</model><model usable='yes' vendor='AMD'>EPYC</model>
    </mode>
  </cpu>
</domainCapabilities>"""
)
LACKS = "Host CPU does not provide required features: avx2"


def root(
    *, kind: str = "kvm", os: str = "<os><type arch='x86_64' machine='q35'>hvm</type></os>", more: str = ""
) -> str:
    return f"<domain type='{kind}'><name>web</name><memory>1</memory><vcpu>2</vcpu>{os}{more}</domain>"


def wants(xml: str) -> Wants:
    return fitting.wants(ElementTree.fromstring(xml))


def cpu(inside: str, **attributes: str) -> str:
    written = "".join(f" {key}='{value}'" for key, value in attributes.items())
    return f"<cpu{written}>{inside}</cpu>"


def problems(xml: str, incompatible: str = "") -> list[str]:
    return list(fitting.problems(wants(xml), THERE, KNOWN, incompatible))


# -- the CPU ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "asked", "words"),
    [
        ("kvm", cpu("<model>Haswell</model>"), "not possible here with KVM: Host CPU does not provide"),
        ("kvm", cpu("<model>Haswell</model>", mode="custom", check="full"), "not possible here with KVM"),
        ("qemu", cpu("<model>Haswell</model>", check="partial"), "not possible here with plain emulation"),
        ("kvm", cpu("<model>Made-Up</model>"), 'libvirt here knows no CPU model "Made-Up"'),
        ("qemu", cpu("<model>Made-Up</model>", check="none"), 'libvirt here knows no CPU model "Made-Up"'),
        (
            "qemu",
            cpu("<model fallback='forbid'>pentiumpro</model>"),
            'the emulator /usr/bin/qemu has no CPU model "pentiumpro", and the definition allows no other',
        ),
        ("qemu", cpu("", mode="host-passthrough"), 'the CPU mode "host-passthrough" is not possible here with plain'),
    ],
)
def test_a_cpu_that_the_node_cannot_give_is_refused_and_it_says_which(kind: str, asked: str, words: str) -> None:
    (problem,) = problems(root(kind=kind, more=asked), LACKS)
    assert words in problem


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("kvm", ""),
        ("kvm", cpu("<topology sockets='1' cores='2' threads='1'/>")),
        ("kvm", cpu("", mode="host-model")),
        ("kvm", cpu("<model>Haswell</model>", check="none")),
        ("qemu", cpu("<model>Haswell</model>")),  # emulated without what it lacks: libvirt does not compare it
        ("qemu", cpu("<model>pentiumpro</model>")),  # another one takes its place
    ],
)
def test_what_libvirt_would_start_all_the_same_is_not_refused(kind: str, asked: str) -> None:
    assert problems(root(kind=kind, more=asked), LACKS) == []


def test_a_cpu_that_the_hypervisor_has_is_no_problem() -> None:
    assert problems(root(more=cpu("<model>Haswell</model>"))) == []


# -- and the rest of the machine --------------------------------------------------------------------------------------


def test_an_unknown_machine_type_is_named_with_the_emulator_that_lacks_it() -> None:
    asked = wants(root(os="<os><type machine='pc-made-up'>hvm</type></os>"))
    words = 'the emulator /usr/bin/qemu here has no machine type "pc-made-up"'
    assert fitting.unknown_machine(asked, "/usr/bin/qemu") == words


def test_more_processors_than_the_machine_type_takes_firmware_that_is_missing() -> None:
    many = root().replace("<vcpu>2<", "<vcpu>300<")
    assert problems(many) == ["it has 300 virtual processors, and the machine type pc-q35-7.2 here has at most 255"]
    uefi = root(os="<os firmware='efi'><type>hvm</type></os>")
    assert problems(uefi) == ['libvirt finds no firmware "efi" for guests here']


# -- host devices -----------------------------------------------------------------------------------------------------

PCI = (
    "<hostdev mode='subsystem' type='pci' managed='yes'>"
    "<source><address domain='0x0000' bus='0x3b' slot='0x00' function='0x1'/></source></hostdev>"
)
VF = (
    "<interface type='hostdev'><source>"
    "<address type='pci' domain='0' bus='59' slot='2' function='0'/></source>{}</interface>"
)
USB = "<hostdev type='usb'><source{}><vendor id='0x046d'/><product id='0xc52b'/></source></hostdev>"
PLUG = "<hostdev type='usb'><source><address bus='1' device='4'/></source></hostdev>"
MDEV = "<hostdev type='mdev'><source><address uuid='C2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>"
VDPA = "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>"
TEAMED = "<teaming type='transient' persistent='ua-backup'/>"
DEVICES = [
    (PCI, "the PCI device 0000:3b:00.1"),
    (VF.format(""), "the PCI device 0000:3b:02.0"),
    (USB.format(""), "the USB device 046d:c52b"),
    (PLUG, "the USB device at 1-4"),
    (MDEV, "the mediated device c2177883-f1bb-47f0-914d-32a22e3a8804"),
    (VDPA, "the vDPA device /dev/vhost-vdpa-0"),
]


def having(*devices: str) -> ElementTree.Element:
    return ElementTree.fromstring(root(more=f"<devices>{''.join(devices)}</devices>"))


@pytest.mark.parametrize(("xml", "name"), DEVICES)
def test_a_device_that_is_not_on_the_node_is_named_and_keeps_the_vm_where_it_runs(
    xml: str, name: str, tmp_path: Path
) -> None:
    assert list(host_devices.missing(having(xml), tmp_path)) == [f"{name} is not on this node"]
    assert host_devices.keeping(having(xml)) == (name,)
    assert features(root(more=f"<devices>{xml}</devices>")).host_devices == (name,)


def test_what_is_on_the_node_is_not_missed(tmp_path: Path) -> None:
    for path in (
        "sys/bus/pci/devices/0000:3b:00.1/iommu_group",
        "sys/bus/pci/devices/0000:3b:02.0/iommu_group",
        "sys/bus/mdev/devices/c2177883-f1bb-47f0-914d-32a22e3a8804",
        "sys/bus/usb/devices/1-1:1.0",  # an interface of a device has no identity of its own
        "dev/vhost-vdpa-0",
    ):
        (tmp_path / path).mkdir(parents=True)
    stick = tmp_path / "sys/bus/usb/devices/1-1"
    stick.mkdir()
    for name, value in {"idVendor": "046d", "idProduct": "c52b", "busnum": "1", "devnum": "4"}.items():
        (stick / name).write_text(value + "\n")
    assert list(host_devices.missing(having(*(xml for xml, _ in DEVICES)), tmp_path)) == []


def test_a_pci_device_that_is_there_and_cannot_be_given_to_a_guest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/pci/devices/0000:3b:00.1").mkdir(parents=True)
    (problem,) = host_devices.missing(having(PCI), tmp_path)
    assert problem.startswith("the PCI device 0000:3b:00.1 cannot be given to a guest on this node: it is in no IOMMU")


def test_a_device_without_which_it_starts_is_not_missed_and_one_that_is_taken_out_for_it_keeps_nothing(
    tmp_path: Path,
) -> None:
    assert list(host_devices.missing(having(USB.format(" startupPolicy='optional'")), tmp_path)) == []
    teamed = having(VF.format(TEAMED))
    assert host_devices.keeping(teamed) == ()
    assert list(host_devices.missing(teamed, tmp_path)) == ["the PCI device 0000:3b:02.0 is not on this node"]


def test_what_nobody_can_look_up_is_left_to_libvirt(tmp_path: Path) -> None:
    at = "<address bus='0' target='0' unit='0'/>"
    scsi = f"<hostdev type='scsi'><source><adapter name='scsi_host0'/>{at}</source></hostdev>"
    pool = "<interface type='network'><source network='vfs'/></interface>"
    odd = "<hostdev type='pci'><source><address bus='x'/></source></hostdev>"
    assert list(host_devices.missing(having(scsi, pool, odd), tmp_path)) == []
    assert host_devices.keeping(having(scsi, pool, odd)) == ("the SCSI device of scsi_host0",)
