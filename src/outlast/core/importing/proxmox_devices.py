"""What do a Proxmox VM's disks, drives and network cards amount to here?

`scsi0: local-lvm:vm-100-disk-0,size=32G,discard=on` and `net0: virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=20`. A volume
of a storage that holds files lies where it lies on Proxmox itself, below the storage's directory: `images/100/...` for
a disk, `template/iso/...` for a medium. So a storage that is mounted on both is named once.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from outlast.core.importing.domain_xml import Disk, Nic
from outlast.core.importing.places import Places, changed, image_format, kept, lost, mac
from outlast.model.imported import Finding

DISK = re.compile(r"(virtio|scsi|sata|ide)\d+")
NET = re.compile(r"net\d+")
_CONTENT = {"iso": "template/iso", "snippets": "snippets"}
_CACHES = ("none", "writethrough", "writeback", "directsync")
_UNSAID = {"size", "media", "backup", "replicate", "shared", "format", "file", "iothread", "aio", "detect_zeroes"}
"""Options of a disk that need no word of their own: they are about Proxmox's storage and backups, or speed."""
_SPEED = ("iothread", "aio", "detect_zeroes")
BY_HAND = "to have it, write it into the definition (--xml-only), and outlast vm protect --xml"
_NOTHING = ("none", "cdrom")


class Devices(msgspec.Struct, frozen=True):
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    """What has no place here, and the option that gives it one."""


def devices(config: Mapping[str, str], places: Places, order: Mapping[str, int], *, q35: bool) -> Devices:
    """`order`: device to its place in the boot order. `q35`: a machine type that has no IDE."""
    found = [_disk(key, config[key], places, order.get(key, 0), q35=q35) for key in _sorted(config, DISK)]
    found += [_nic(key, config[key], places, order.get(key, 0)) for key in _sorted(config, NET)]
    return Devices(
        tuple(disk for one in found for disk in one.disks),
        tuple(nic for one in found for nic in one.nics),
        tuple(finding for one in found for finding in one.findings),
        tuple(words for one in found for words in one.missing),
    )


def options(text: str, first: str) -> dict[str, str]:
    """`a,b=c` by name; what has no name is called `first`."""
    found: dict[str, str] = {}
    for word in filter(None, text.split(",")):
        name, separator, value = word.partition("=")
        found[name.strip() if separator else first] = value.strip() if separator else name.strip()
    return found


def path_of(key: str, volume: str, places: Places) -> str:
    """Where a volume lies here; "" when nobody said so."""
    if given := places.disk(key, volume):
        return given
    if volume.startswith("/"):
        return volume
    storage, separator, name = volume.partition(":")
    if not separator or storage not in places.storages:
        return ""
    kind, inside, rest = name.partition("/")
    below = f"{_CONTENT[kind]}/{rest}" if kind in _CONTENT else f"images/{name}" if inside else name
    return f"{places.storages[storage].rstrip('/')}/{below}"


def how_to_place(key: str, volume: str) -> str:
    storage, separator, _ = volume.partition(":")
    ways = [f"--storage {storage}=DIRECTORY"] if separator else []
    return f"{key} ({volume}): {' or '.join([*ways, f'--disk {key}=PATH'])}"


def _sorted(config: Mapping[str, str], pattern: re.Pattern[str]) -> list[str]:
    found = [key for key in config if pattern.fullmatch(key)]
    return sorted(found, key=lambda key: (re.sub(r"\d", "", key), int(re.sub(r"\D", "", key))))


def _disk(key: str, text: str, places: Places, boot_order: int, *, q35: bool) -> Devices:
    said = options(text, "file")
    volume = said.get("file", "none")
    medium = said.get("media") == "cdrom" or volume in _NOTHING
    if "cloudinit" in volume:
        words = (
            "the drive with cloud-init's settings is not taken along: what the guest was set up with, it has already"
        )
        return Devices(findings=(lost(key, words),))
    path = "" if volume in _NOTHING else path_of(key, volume, places)
    if not path and not medium:
        return Devices(missing=(how_to_place(key, volume),))
    bus = re.sub(r"\d", "", key)
    with_ide = not (bus == "ide" and q35)
    disk = Disk(
        path,
        bus if with_ide else "sata",
        "cdrom" if medium else "disk",
        _format(said, volume, path),
        cache=said["cache"] if said.get("cache") in _CACHES else "none",
        discard=said.get("discard") == "on",
        solid_state=said.get("ssd") == "1" and bus != "virtio",
        serial=said.get("serial", ""),
        wwn=said.get("wwn", ""),
        readonly=said.get("ro") == "1",
        boot_order=boot_order,
    )
    findings = list(_about_disk(key, said, disk, with_ide=with_ide, volume=volume))
    return Devices(disks=(disk,), findings=tuple(findings))


def _format(said: Mapping[str, str], volume: str, path: str) -> str:
    own = image_format(path)
    return (
        own if own != "raw" or path.startswith("/dev/") else said.get("format", image_format(volume.replace(":", "/")))
    )


def _about_disk(key: str, said: Mapping[str, str], disk: Disk, *, with_ide: bool, volume: str) -> Iterator[Finding]:
    what = "drive for media" if disk.device == "cdrom" else f"{disk.format} disk"
    words = f"{what} at {disk.bus}: {disk.path or 'empty'}" + ("" if with_ide else " (this machine type has no IDE)")
    left = volume if not disk.path and volume != "none" else ""
    words += f"; {left} has no place here (--disk {key}=PATH)" if left else ""
    yield kept(key, words) if with_ide and not left else changed(key, words)
    if disk.format == "vmdk":
        yield changed(key, f"better as qcow2: qemu-img convert -O qcow2 {disk.path} NEW, then --disk {key}=NEW")
    if said.get("cache") not in (None, *_CACHES):
        yield changed(key, f"cache={said['cache']} becomes none: what a guest has flushed must outlast its node")
    if any(name in said for name in _SPEED):
        named = ", ".join(f"{name}={said[name]}" for name in _SPEED if name in said)
        yield lost(key, f"{named}: only about speed; {BY_HAND}")
    if said.get("ssd") == "1" and disk.bus == "virtio":
        yield lost(key, "ssd=1: a virtio disk cannot say so")
    known = _UNSAID | {"cache", "discard", "ssd", "serial", "wwn", "ro"}
    if rest := sorted(set(said) - known):
        named = ", ".join(f"{name}={said[name]}" for name in rest)
        yield lost(key, f"{named}: not taken over; {BY_HAND}")


def _nic(key: str, text: str, places: Places, boot_order: int) -> Devices:
    said = options(text, "model")
    model, address = _model(said)
    bridge, tag = said.get("bridge", ""), said.get("tag", "")
    source = f"{bridge}.{tag}" if tag else bridge
    target = places.bridges.get(source, "" if tag else bridge)
    if bridge and not target:
        return Devices(missing=(f"{key} (VLAN {tag} of {bridge}): --bridge {source}=BRIDGE, a bridge of that VLAN",))
    nic = Nic(
        target,
        model,
        mac(address),
        queues=_whole(said.get("queues", "")),
        mtu=_whole(said.get("mtu", "")) if said.get("mtu") != "1" else 0,
        kbyte_per_s=_rate(said.get("rate", "")),
        link_down=said.get("link_down") == "1",
        boot_order=boot_order,
    )
    return Devices(nics=(nic,), findings=tuple(_about_nic(key, said, nic, source, address)))


def _model(said: Mapping[str, str]) -> tuple[str, str]:
    """(model, MAC address): `virtio=MAC`, or `model=virtio,macaddr=MAC`."""
    if "model" in said:
        return said["model"], said.get("macaddr", "")
    named = [(name, value) for name, value in said.items() if mac(value)]
    return named[0] if named else ("virtio", "")


def _about_nic(key: str, said: Mapping[str, str], nic: Nic, source: str, address: str) -> Iterator[Finding]:
    where = nic.bridge or "QEMU's own network, behind the node's address"
    words = f"{nic.model} at {where}, MAC address {nic.mac or 'a new one'}"
    same = nic.bridge == source and (nic.mac or not address)
    yield kept(key, words) if same else changed(key, f"{words} (it was {source or 'no bridge'})")
    if said.get("firewall") == "1":
        yield lost(key, "firewall=1: Proxmox's rules are not in this file; filter on the nodes or in the guest")
    if trunks := said.get("trunks"):
        yield lost(key, f"trunks={trunks}: a plain Linux bridge does not limit VLANs per VM; set it at the bridge")
    known = {"model", "macaddr", nic.model, "bridge", "tag", "queues", "mtu", "rate", "link_down", "firewall", "trunks"}
    if rest := sorted(set(said) - known):
        yield lost(key, f"{', '.join(f'{name}={said[name]}' for name in rest)}: Outlast does not know it")


def _rate(text: str) -> int:
    """Proxmox has megabytes a second, libvirt kilobytes."""
    return round(float(text) * 1000) if re.fullmatch(r"\d+(\.\d+)?", text) else 0


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0
