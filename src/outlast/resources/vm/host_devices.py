"""Which devices of its node does a definition ask for? Are they there, and can it leave its node without them?

PCI, USB, mediated (mdev) and vDPA devices are looked up in /sys and /dev. Of SCSI devices, and of those that come out
of the pool of a libvirt network, libvirt says at the start whether they are there.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

PCI, USB, USB_PLUG, MEDIATED, VDPA = "PCI device", "USB device", "USB device at", "mediated device", "vDPA device"


@dataclass(frozen=True, slots=True)
class HostDevice:
    kind: str
    name: str
    """As the kernel has it: 0000:01:00.0, 046d:c52b (vendor:product), 1-4 (bus-device), a UUID, a path."""
    optional: bool = False
    """The VM starts without it too."""
    transient: bool = False
    """libvirt takes it out for a live migration, and the guest goes on with another adapter meanwhile."""

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}"


def keeping(root: Element) -> tuple[str, ...]:
    """Those that keep it on its node as long as it runs, for people."""
    return tuple(str(device) for device in of(root) if not device.transient)


def missing(root: Element, top: Path) -> Iterator[str]:
    """What is not on this node, or of no use there, for people. `top`: of the tree in which /sys and /dev lie."""
    for device in of(root):
        if device.optional:
            continue
        if not _there(device, top):
            yield f"{device} is not on this node"
        elif device.kind == PCI and not (_pci(device, top) / "iommu_group").exists():
            yield f"{device} cannot be given to a guest on this node: it is in no IOMMU group (is the IOMMU on?)"


def of(root: Element) -> Iterator[HostDevice]:
    """A libvirt domain's. What libvirt would not read is left to it."""
    for element in (*root.iterfind("devices/hostdev"), *root.iterfind("devices/interface")):
        source = element.find("source")
        if source is None:
            continue
        kind = element.get("type", "") if element.tag == "hostdev" else f"interface/{element.get('type')}"
        found = _named(kind, source)
        if found is not None:
            teaming = element.find("teaming")
            transient = teaming is not None and teaming.get("type") == "transient"
            yield HostDevice(*found, source.get("startupPolicy") == "optional", transient)


def _named(kind: str, source: Element) -> tuple[str, str] | None:
    address = source.find("address")
    at = {} if address is None else address.attrib
    try:
        match kind:
            case "pci" | "interface/hostdev" if at.get("type", "pci") == "pci":
                domain, bus, slot, function = (
                    int(at.get(key, "0"), 0) for key in ("domain", "bus", "slot", "function")
                )
                return PCI, f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
            case "usb" if "bus" in at:
                return USB_PLUG, f"{int(at['bus'], 0)}-{int(at.get('device', '0'), 0)}"
            case "usb":
                ids = (source.find(tag) for tag in ("vendor", "product"))
                vendor, product = (0 if found is None else int(found.get("id", "0"), 0) for found in ids)
                return USB, f"{vendor:04x}:{product:04x}"
            case "mdev":
                return MEDIATED, str(uuid.UUID(at.get("uuid", "")))
            case "interface/vdpa":
                return VDPA, source.get("dev", "")
            case "scsi":
                adapter = source.find("adapter")
                return "SCSI device", "" if adapter is None else f"of {adapter.get('name', '')}"
            case "scsi_host":
                return "SCSI host", source.get("wwpn", "")
    except ValueError:
        return None
    return None


def _there(device: HostDevice, top: Path) -> bool:
    kind, name = device.kind, device.name
    if kind == PCI:
        return _pci(device, top).exists()
    if kind == MEDIATED:
        return (top / "sys/bus/mdev/devices" / name).exists()
    if kind == VDPA:
        return (top / name.lstrip("/")).exists()
    if kind == USB:
        return any(f"{vendor}:{product}" == name for vendor, product in _usb(top, "idVendor", "idProduct"))
    if kind == USB_PLUG:
        return any(f"{bus}-{number}" == name for bus, number in _usb(top, "busnum", "devnum"))
    return True


def _pci(device: HostDevice, top: Path) -> Path:
    return top / "sys/bus/pci/devices" / device.name


def _usb(top: Path, *names: str) -> Iterator[list[str]]:
    for device in (top / "sys/bus/usb/devices").glob("*"):
        try:
            yield [(device / name).read_text().strip() for name in names]
        except OSError:  # an interface of a device, or one that is being pulled out
            continue
