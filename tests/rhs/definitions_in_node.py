"""Does libvirt take what import and create write? Run inside a private node only, by test_definitions.py.

The samples are defined against libvirt's schema. Small ones are started too, with QEMU's emulation: without bridges,
because a private node has none but those made here, and without a limit of processor time, which takes cgroups.
"""

import subprocess
from pathlib import Path

import guest
import pytest

from importing_samples import sample
from outlast.cli import virt_install
from outlast.cli.disk_image import Image
from outlast.core.importing import hyperv, proxmox
from outlast.core.importing.places import Places

BRIDGES = {"vmbr0.20": "br20", "vmbr1": "br1", "External": "br0", "External.20": "br20"}
STORAGES = {"shared-nfs": "/srv/nfs", "local-lvm": "/dev/pve"}
DISKS = {"files.vhdx": "/s/f.qcow2", "scsi0:1": "/s/d.raw", "old.vhdx": "/s/o.qcow2", "data.vhd": "/s/d.raw"}
PLACES = Places(STORAGES, {**DISKS, "efidisk0": "/srv/nfs/web.fd"}, BRIDGES)
SMALL = """name: small
memory: 64
kvm: 0
cpu: {cpu}
machine: {machine}
ostype: {ostype}
scsihw: {scsihw}
agent: 1
smbios1: uuid=11112222-4b5d-4e6f-8a9b-0c1d2e3f4a5b,manufacturer=ACME
rng0: source=/dev/urandom
watchdog: model=i6300esb,action=reset
{bus}0: {disk}
ide2: none,media=cdrom
net0: {net}=BC:24:11:00:00:01,bridge=br0
"""


def virsh(*arguments: str) -> str:
    done = subprocess.run(["virsh", "-q", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def defined(xml: str, tmp_path: Path) -> None:
    path = tmp_path / "domain.xml"
    path.write_text(xml.replace('type="kvm"', 'type="qemu"'))
    virsh("define", "--validate", str(path))


def started(name: str) -> None:
    """Until QEMU runs and its guest with it; then it is gone again."""
    try:
        virsh("start", name)
        assert virsh("domstate", name) == "running"
    finally:
        virsh("destroy", name)
        virsh("undefine", name)


@pytest.mark.parametrize(
    "xml",
    [
        proxmox.convert(sample("web.conf"), PLACES).vms[0].definition,
        hyperv.convert(sample("files.json"), PLACES).vms[0].definition,
        hyperv.convert(sample("old.xml"), PLACES).vms[0].definition,
    ],
    ids=["proxmox", "hyperv-json", "hyperv-xml"],
)
def test_what_is_made_of_each_sample_keeps_libvirt_s_schema(xml: str, tmp_path: Path) -> None:
    defined(xml, tmp_path)


@pytest.mark.parametrize(
    ("machine", "bus", "scsihw", "net", "ostype", "cpu"),
    [
        ("q35", "scsi", "virtio-scsi-single", "virtio", "l26", "kvm64"),
        ("pc", "ide", "lsi", "e1000", "win10", "x86-64-v2"),
        ("pc", "sata", "pvscsi", "rtl8139", "other", "max"),
        ("q35", "virtio", "megasas", "vmxnet3", "l26", "qemu64"),
        ("pc", "scsi", "lsi", "virtio", "l26", "max"),
        ("q35", "scsi", "megasas", "virtio", "l26", "max"),
    ],
)
def test_a_proxmox_vm_starts(
    tmp_path: Path, machine: str, bus: str, scsihw: str, net: str, ostype: str, cpu: str
) -> None:
    subprocess.run(["ip", "link", "add", "br0", "type", "bridge"], check=False, capture_output=True)
    disk = tmp_path / "small.raw"
    guest.write_disk(disk)
    text = SMALL.format(machine=machine, bus=bus, scsihw=scsihw, net=net, ostype=ostype, cpu=cpu, disk=disk)
    defined(proxmox.convert(text, Places()).vms[0].definition, tmp_path)
    started("small")


@pytest.mark.parametrize("system", [virt_install.LINUX, "win2k22", "debian11"])
def test_a_created_vm_starts_and_no_storage_pool_was_made_for_it(tmp_path: Path, system: str) -> None:
    disk = tmp_path / "new.raw"
    guest.write_disk(disk)
    medium = tmp_path / "medium.iso"
    medium.write_bytes(b"\0" * 4096)
    wish = virt_install.Wish(
        "new", 64, 1, (Image(str(disk), "raw", direct=False),), str(medium), kind="qemu", system=system
    )
    xml = virt_install.definition(wish)
    defined(xml, tmp_path)
    live = virsh("dumpxml", "new")
    for words in (
        str(disk),
        str(medium),
        "<panic",
        "org.qemu.guest_agent.0",
        "<on_crash>destroy",
        "<rng",
        "discard='unmap'",
    ):
        assert words in live
    started("new")
    assert virsh("pool-list", "--all") == ""


def test_uefi_that_the_node_does_not_have_is_refused_in_virt_install_s_words(tmp_path: Path) -> None:
    if Path("/usr/share/OVMF").exists():
        pytest.skip("this machine has UEFI for guests")
    wish = virt_install.Wish("new", 64, 1, (Image("/x.raw", "raw"),), kind="qemu", uefi=True)
    with pytest.raises(Exception, match="UEFI"):
        virt_install.definition(wish)
