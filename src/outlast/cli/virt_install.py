"""How is virt-install asked for a definition that a cluster can live with?

Its own defaults are kept where they depend on the guest's system (buses, clock, card). What the cluster needs is said:
an agent's channel, a panic device, `on_crash` destroy, random numbers, a CPU that other nodes have too, and no host's
cache where the file system can do without.
"""

import shutil
import subprocess
from xml.etree import ElementTree

import msgspec

from outlast.cli.disk_image import Image
from outlast.client.control import ControlError

PROGRAM = "virt-install"
PACKAGE = "virtinst"
LINUX = "linux2022"
"""What virt-install calls a Linux of that year: virtio, q35."""
ASK_S = 60.0
_PLACEHOLDER = "type=network,source.protocol=nbd,source.host0.name=localhost"
_EVENTS = "on_poweroff=destroy,on_reboot=restart,on_crash=destroy"


class Wish(msgspec.Struct, frozen=True):
    name: str
    memory_mib: int
    vcpus: int
    images: tuple[Image, ...]
    cdrom: str = ""
    networks: tuple[tuple[str, str], ...] = ()
    system: str = LINUX
    uefi: bool = False
    graphics: str = "vnc"
    kind: str = "kvm"


def definition(wish: Wish) -> str:
    """Domain XML. Raises `ControlError`."""
    if not shutil.which(PROGRAM):
        words = f"{PROGRAM} is not there, and only this command needs it; as root: "
        raise ControlError("failed", f"{words}apt-get install --no-install-recommends {PACKAGE}")
    try:
        done = subprocess.run([PROGRAM, *arguments(wish)], capture_output=True, text=True, timeout=ASK_S, check=False)
    except subprocess.TimeoutExpired:
        raise ControlError("failed", f"{PROGRAM} did not answer within {ASK_S:g} s; does libvirt run here?") from None
    if done.returncode:
        raise ControlError("usage", f"{PROGRAM} cannot make that VM: {_words(done.stderr)}")
    try:
        return _with_paths(done.stdout, wish)
    except (ElementTree.ParseError, ValueError) as error:
        raise ControlError("failed", f"{PROGRAM} wrote no definition that can be read: {error}") from None


def arguments(wish: Wish) -> list[str]:
    firmware = "uefi," if wish.uefi else ""
    words = [
        *("--connect", "qemu:///system", "--name", wish.name, "--memory", str(wish.memory_mib)),
        *("--vcpus", str(wish.vcpus), "--osinfo", wish.system, "--virt-type", wish.kind),
        *("--install", "no_install=yes", "--boot", f"{firmware}hd,cdrom", "--events", _EVENTS),
        *("--panic", "model=isa", "--rng", "/dev/urandom", "--noautoconsole"),
        *("--channel", "unix,target.type=virtio,target.name=org.qemu.guest_agent.0"),
        *("--graphics", "vnc,listen=127.0.0.1" if wish.graphics == "vnc" else "none"),
    ]
    for image in wish.images:
        cache = ",driver.cache=none" if image.direct else ""
        words += ["--disk", f"{_PLACEHOLDER},driver.type={image.format},driver.discard=unmap{cache}"]
    if wish.cdrom:
        words += ["--disk", "device=cdrom,type=file"]
    for kind, name in wish.networks:
        words += ["--network", f"{kind}={name}"]
    words += [] if wish.networks else ["--network", "none"]
    words += ["--cpu", "host-model"] if wish.kind == "kvm" else []
    return [*words, "--print-xml", "--dry-run"]


def _with_paths(xml: str, wish: Wish) -> str:
    ElementTree.register_namespace("libosinfo", "http://libosinfo.org/xmlns/libvirt/domain/1.0")
    root = ElementTree.fromstring(xml)
    disks = root.findall("devices/disk[@device='disk']")
    for disk, image in zip(disks, wish.images, strict=True):
        _place(disk, image.path, block=image.is_block)
    drives = root.findall("devices/disk[@device='cdrom']")
    for drive, path in zip(drives, [wish.cdrom] if wish.cdrom else [], strict=True):
        _place(drive, path, block=path.startswith("/dev/"))
    # Each node finds its own QEMU: where that lies differs from one distribution to the next.
    devices = root.find("devices")
    emulator = root.find("devices/emulator")
    if devices is not None and emulator is not None:
        devices.remove(emulator)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _place(disk: ElementTree.Element, path: str, *, block: bool) -> None:
    old = disk.find("source")
    if old is not None:
        disk.remove(old)
    disk.set("type", "block" if block else "file")
    source = ElementTree.Element("source", {"dev" if block else "file": path})
    driver = disk.find("driver")
    disk.insert(0 if driver is None else 1, source)


def _words(stderr: str) -> str:
    lines = [line.strip().removeprefix("ERROR").strip() for line in stderr.splitlines() if line.strip()]
    return " ".join(line for line in lines if not line.startswith("WARNING")) or "it does not say why"
