"""How is a machine written as libvirt's domain XML, so that the cluster can tell what happens to it?

Whatever the source says, each VM gets: a channel for the guest agent (it tells whether the guest answers), a panic
device (a guest that crashes is told from one that shuts down), `on_crash` destroy (it is restarted, maybe elsewhere),
random numbers, and a serial console. What is left out, as the emulator's path and the bus addresses, libvirt fills in
on each node.
"""

from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

import msgspec

from outlast.core.importing.places import BLOCK

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "fdc": "fd"}
_HYPERV: tuple[tuple[str, dict[str, str]], ...] = (("relaxed", {}), ("vapic", {}), ("spinlocks", {"retries": "8191"}))
Tree = ElementTree.Element


class Disk(msgspec.Struct, frozen=True):
    path: str
    """Empty: a drive without a medium."""
    bus: str
    device: str = "disk"
    format: str = "raw"
    cache: str = "none"
    io: str = ""
    discard: bool = False
    solid_state: bool = False
    serial: str = ""
    wwn: str = ""
    readonly: bool = False
    boot_order: int = 0


class Nic(msgspec.Struct, frozen=True):
    bridge: str
    """Empty: QEMU's own network behind the node's address."""
    model: str = "virtio"
    mac: str = ""
    queues: int = 0
    mtu: int = 0
    kbyte_per_s: int = 0
    link_down: bool = False
    boot_order: int = 0


class Cpu(msgspec.Struct, frozen=True):
    mode: str = "host-model"
    model: str = ""
    features: tuple[tuple[str, str], ...] = ()
    """(policy, name)"""
    sockets: int = 1
    cores: int = 1
    online: int = 0
    """So many of them at the start; 0: all."""
    limit: float = 0.0
    """So many processors' worth of time; 0: no limit."""

    @property
    def count(self) -> int:
        return self.sockets * self.cores


class Firmware(msgspec.Struct, frozen=True):
    uefi: bool = False
    secure_boot: bool = False
    variables: str = ""
    """The file with the firmware's variables; empty: libvirt makes one on each node."""


class Machine(msgspec.Struct, frozen=True):
    name: str
    memory_mib: int
    cpu: Cpu = Cpu()
    uuid: str = ""
    genid: str = ""
    kind: str = "kvm"
    arch: str = "x86_64"
    machine: str = "q35"
    firmware: Firmware = Firmware()
    description: str = ""
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    scsi: str = "virtio-scsi"
    system: tuple[tuple[str, str], ...] = ()
    """What its SMBIOS says of the system, beside its UUID."""
    windows: bool = False
    local_time: bool = False
    acpi: bool = True
    hide_kvm: bool = False
    balloon: bool = True
    tablet: bool = True
    video: str = "vga"
    """Empty: no screen at all."""
    video_kib: int = 0
    keymap: str = ""
    rng: str = "/dev/urandom"
    watchdog: tuple[str, str] = ("", "")
    """(model, action)"""


def written(machine: Machine) -> str:
    """Indented, with a line's end at the end."""
    root = ElementTree.Element("domain", type=machine.kind)
    for part in _parts(machine):
        root.append(part)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _parts(machine: Machine) -> Iterator[Tree]:
    yield _leaf("name", machine.name)
    if machine.uuid:
        yield _leaf("uuid", machine.uuid)
    if machine.genid:
        yield _leaf("genid", machine.genid)
    if machine.description:
        yield _leaf("description", machine.description)
    yield _leaf("memory", machine.memory_mib, unit="MiB")
    online = {"current": str(machine.cpu.online)} if machine.cpu.online else {}
    yield _leaf("vcpu", machine.cpu.count, placement="static", **online)
    if machine.cpu.limit:
        period = _leaf("global_period", 100_000)
        yield _branch("cputune", [period, _leaf("global_quota", round(machine.cpu.limit * 100_000))])
    if machine.system:
        entries = [_leaf("entry", value, name=name) for name, value in machine.system]
        yield _branch("sysinfo", [_branch("system", entries)], type="smbios")
    yield _os(machine)
    yield _features(machine)
    yield _cpu(machine.cpu)
    yield _clock(machine)
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        yield _leaf(f"on_{event}", action)
    yield _branch("devices", _devices(machine))


def _os(machine: Machine) -> Tree:
    parts = [_leaf("type", "hvm", arch=machine.arch, machine=machine.machine)]
    attributes = {}
    if machine.firmware.uefi:
        attributes["firmware"] = "efi"
        secure = "yes" if machine.firmware.secure_boot else "no"
        features = [_leaf("feature", enabled=secure, name=name) for name in ("enrolled-keys", "secure-boot")]
        parts.append(_branch("firmware", features))
        if machine.firmware.secure_boot:
            parts.append(_leaf("loader", secure="yes"))
        if machine.firmware.variables:
            parts.append(_leaf("nvram", machine.firmware.variables))
    if machine.system:
        parts.append(_leaf("smbios", mode="sysinfo"))
    return _branch("os", parts, **attributes)


def _features(machine: Machine) -> Tree:
    parts = [_leaf("acpi")] if machine.acpi else []
    parts.append(_leaf("apic"))
    if machine.windows:
        parts.append(_branch("hyperv", [_leaf(name, state="on", **more) for name, more in _HYPERV]))
    if machine.hide_kvm:
        parts.append(_branch("kvm", [_leaf("hidden", state="on")]))
    if machine.firmware.secure_boot:
        parts.append(_leaf("smm", state="on"))
    return _branch("features", parts)


def _cpu(cpu: Cpu) -> Tree:
    parts = [_leaf("model", cpu.model, fallback="allow")] if cpu.model else []
    parts.append(_leaf("topology", sockets=str(cpu.sockets), dies="1", cores=str(cpu.cores), threads="1"))
    parts += [_leaf("feature", policy=policy, name=name) for policy, name in cpu.features]
    return _branch("cpu", parts, mode=cpu.mode, **({"match": "exact"} if cpu.mode == "custom" else {}))


def _clock(machine: Machine) -> Tree:
    timers = [_leaf("timer", name="rtc", tickpolicy="catchup"), _leaf("timer", name="pit", tickpolicy="delay")]
    if machine.windows:
        timers.append(_leaf("timer", name="hypervclock", present="yes"))
    return _branch("clock", timers, offset="localtime" if machine.local_time else "utc")


def _devices(machine: Machine) -> Iterator[Tree]:
    targets = _targets(machine.disks)
    yield from (_disk(disk, target) for disk, target in zip(machine.disks, targets, strict=True))
    if any(disk.bus == "scsi" for disk in machine.disks):
        yield _leaf("controller", type="scsi", index="0", model=machine.scsi)
    yield from map(_nic, machine.nics)
    yield _branch("serial", [_leaf("target", port="0")], type="pty")
    agent = _leaf("target", type="virtio", name="org.qemu.guest_agent.0")
    yield _branch("channel", [agent], type="unix")
    if machine.tablet:
        yield _leaf("input", type="tablet", bus="usb")
    if machine.video:
        keymap = {"keymap": machine.keymap} if machine.keymap else {}
        yield _leaf("graphics", type="vnc", autoport="yes", listen="127.0.0.1", **keymap)
    size = {"vram": str(machine.video_kib)} if machine.video_kib else {}
    yield _branch("video", [_leaf("model", type=machine.video or "none", **(size if machine.video else {}))])
    if machine.watchdog[0]:
        yield _leaf("watchdog", model=machine.watchdog[0], action=machine.watchdog[1])
    yield _leaf("memballoon", model="virtio" if machine.balloon else "none")
    yield _branch("rng", [_leaf("backend", machine.rng, model="random")], model="virtio")
    yield _leaf("panic", model="isa")


def _targets(disks: Iterable[Disk]) -> list[str]:
    """ "vda", "sda", ...: SCSI and SATA share their letters."""
    taken: dict[str, int] = {}
    names = []
    for disk in disks:
        prefix = _PREFIXES[disk.bus]
        number = taken.get(prefix, 0)
        taken[prefix] = number + 1
        names.append(prefix + (_LETTERS[number // 26 - 1] if number >= 26 else "") + _LETTERS[number % 26])
    return names


def _disk(disk: Disk, target: str) -> Tree:
    block = disk.path.startswith(BLOCK)
    driver = {"name": "qemu", "type": disk.format}
    if disk.device == "disk":
        driver["cache"] = disk.cache
        driver |= {"io": disk.io} if disk.io else {}
        driver |= {"discard": "unmap"} if disk.discard else {}
    parts = [_leaf("driver", **driver)]
    if disk.path:
        parts.append(_leaf("source", **{"dev" if block else "file": disk.path}))
    rotation = {"rotation_rate": "1"} if disk.solid_state else {}
    parts.append(_leaf("target", dev=target, bus=disk.bus, **rotation))
    if disk.boot_order:
        parts.append(_leaf("boot", order=str(disk.boot_order)))
    parts += [_leaf(name, text) for name, text in (("serial", disk.serial), ("wwn", disk.wwn)) if text]
    if disk.readonly or disk.device == "cdrom":
        parts.append(_leaf("readonly"))
    return _branch("disk", parts, type="block" if block else "file", device=disk.device)


def _nic(nic: Nic) -> Tree:
    parts = [_leaf("mac", address=nic.mac)] if nic.mac else []
    if nic.bridge:
        parts.append(_leaf("source", bridge=nic.bridge))
    parts.append(_leaf("model", type=nic.model))
    if nic.queues > 1:
        parts.append(_leaf("driver", name="vhost", queues=str(nic.queues)))
    if nic.kbyte_per_s:
        limits = [_leaf(way, average=str(nic.kbyte_per_s)) for way in ("inbound", "outbound")]
        parts.append(_branch("bandwidth", limits))
    if nic.mtu:
        parts.append(_leaf("mtu", size=str(nic.mtu)))
    if nic.link_down:
        parts.append(_leaf("link", state="down"))
    if nic.boot_order:
        parts.append(_leaf("boot", order=str(nic.boot_order)))
    return _branch("interface", parts, type="bridge" if nic.bridge else "user")


def _leaf(tag: str, text: object = "", **attributes: str) -> Tree:
    element = ElementTree.Element(tag, attributes)
    if text != "":
        element.text = str(text)
    return element


def _branch(tag: str, parts: Iterable[Tree], **attributes: str) -> Tree:
    element = ElementTree.Element(tag, attributes)
    element.extend(parts)
    return element
