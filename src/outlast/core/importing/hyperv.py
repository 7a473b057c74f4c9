"""What does a Hyper-V VM amount to here? From an export's XML (Server 2012 R2 and before), or from `Get-VM` as JSON.

The guest knows Hyper-V's devices and maybe no others, so it gets those that every system has drivers for: SATA or IDE,
and an Intel network card. Its disks are images of another kind: each must be converted, and its new place said.
"""

import shlex
from collections.abc import Iterator

from outlast.core.importing import hyperv_json, hyperv_xml
from outlast.core.importing.domain_xml import Cpu, Disk, Firmware, Machine, Nic, written
from outlast.core.importing.hyperv_source import Adapter, Drive, Source
from outlast.core.importing.places import (
    NotImportable,
    Places,
    changed,
    image_format,
    kept,
    lost,
    refuse_bad_name,
    refuse_missing,
)
from outlast.model.imported import Finding, Import, Imported

VIRTUAL_DISK = "vpc"
NO_LIMIT_MIB = 1024 * 1024
"""Hyper-V's default for the most that a VM with dynamic memory may have: no size that anybody has chosen."""
BINARY = (
    "a .vmcx file is binary, and its format is not published. On the Hyper-V host: "
    "Get-VM NAME | ConvertTo-Json -Depth 5 | Out-File NAME.json -Encoding utf8; then import that"
)


def decoded(data: bytes) -> str:
    """PowerShell and Hyper-V write UTF-16 or UTF-8, with a mark at the beginning. Raises `NotImportable`."""
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise NotImportable(f"the file is no text: {BINARY}") from None


def convert(text: str, places: Places, *, name: str = "") -> Import:
    """`name`: which one of several it is, or how the only one shall be called. Raises `NotImportable`."""
    sources = _read(text)
    named = [source for source in sources if source.name == name]
    if name and not named and len(sources) > 1:
        known = ", ".join(source.name for source in sources)
        raise NotImportable(f'there is no VM "{name}" in the file; there are: {known}')
    chosen = named or sources
    return Import(tuple(_vm(source, places, name or source.name) for source in chosen))


def _read(text: str) -> list[Source]:
    start = text.lstrip()[:1]
    if start == "<":
        return [hyperv_xml.read(text)]
    if start in ("{", "["):
        return hyperv_json.read(text)
    raise NotImportable(f"the file is neither an export's XML nor JSON. If it is the configuration itself: {BINARY}")


def _vm(source: Source, places: Places, name: str) -> Imported:
    refuse_bad_name(name)
    drives = [(drive, _place(drive, places)) for drive in source.drives]
    plugged = [adapter for adapter in source.adapters if adapter.switch]
    missing = [_how_to_place(drive) for drive, path in drives if not drive.medium and not _usable(path)]
    missing += [_how_to_bridge(adapter) for adapter in plugged if adapter.source not in places.bridges]
    refuse_missing(name, missing)
    second = source.generation == 2
    disks = [_disk(drive, path, second=second) for drive, path in drives]
    machine = Machine(
        name,
        _memory_mib(source),
        Cpu(cores=source.processors),
        uuid=source.uuid,
        machine="q35" if second else "pc",
        firmware=Firmware(second, second and source.secure_boot is True),
        description=source.notes,
        disks=tuple(disks),
        nics=tuple(_nic(adapter, places, second=second) for adapter in plugged),
        windows=True,
        local_time=True,
    )
    findings = [
        *_about_machine(source, machine, name),
        *_about_memory(source, machine),
        *(
            finding
            for (drive, path), disk in zip(drives, disks, strict=True)
            for finding in _about_drive(drive, path, disk)
        ),
        *(_about_adapter(adapter, places, second=second) for adapter in source.adapters),
        *_about_start(source, shlex.quote(name)),
        *_about_guest(source),
        *(lost(what, words) for what, words in source.rest),
    ]
    return Imported(name, written(machine), wanted_online=source.start == "always", findings=tuple(findings))


def _place(drive: Drive, places: Places) -> str:
    return places.disk(drive.path, drive.file, drive.slot) if drive.path else places.disk(drive.slot)


def _usable(path: str) -> bool:
    """libvirt has no word for VHDX: such a disk could not even be defined."""
    return bool(path) and image_format(path) != "vhdx"


def _how_to_place(drive: Drive) -> str:
    if not drive.path:
        return f"the disk at {drive.slot}, which the host itself has: --disk {drive.slot}=PATH"
    words = f"{drive.path}: copy it, qemu-img convert -p -O qcow2 {drive.file} PATH, then --disk {drive.file}=PATH"
    return f"{words} (it is a checkpoint's difference: merge it first)" if drive.is_difference else words


def _how_to_bridge(adapter: Adapter) -> str:
    vlan = f", VLAN {adapter.vlan}" if adapter.vlan else ""
    return f'the switch "{adapter.switch}"{vlan}: --bridge "{adapter.source}=BRIDGE"'


def _disk(drive: Drive, path: str, *, second: bool) -> Disk:
    bus = "ide" if drive.bus == "ide" and not second else "sata"
    kind = image_format(path) if path else "raw"
    return Disk(path, bus, "cdrom" if drive.medium else "disk", kind, discard=not drive.medium and kind == "qcow2")


def _nic(adapter: Adapter, places: Places, *, second: bool) -> Nic:
    return Nic(places.bridges[adapter.source], _card(second), adapter.mac)


def _card(second: bool) -> str:
    return "e1000e" if second else "e1000"


def _memory_mib(source: Source) -> int:
    chosen = source.dynamic and 0 < source.maximum_mib < NO_LIMIT_MIB
    return source.maximum_mib if chosen else source.memory_mib


def _about_machine(source: Source, machine: Machine, name: str) -> Iterator[Finding]:
    yield kept("name", f'"{name}"') if name == source.name else changed("name", f'"{source.name}" becomes "{name}"')
    yield (
        kept("id", machine.uuid)
        if machine.uuid
        else changed("id", "it gets a new UUID; Windows may ask for activation")
    )
    yield kept("processors", f"{source.processors}")
    if source.generation == 2:
        yield changed("generation", "2: UEFI; its variables are made anew, so it boots what lies in \\EFI\\BOOT")
        words = {
            True: kept("secure boot", "on, with the keys of Microsoft"),
            False: kept("secure boot", "off"),
            None: changed("secure boot", "off: the file does not say whether it was on (Get-VMFirmware does)"),
        }
        yield words[source.secure_boot]
    else:
        yield kept("generation", "1: BIOS, IDE")
    if source.notes:
        yield kept("notes", "its description")
    yield changed("clock", "in local time, as Windows wants it; for a Linux guest set offset='utc' (--xml-only)")


def _about_memory(source: Source, machine: Machine) -> Iterator[Finding]:
    if not source.dynamic:
        yield kept("memory", f"{machine.memory_mib} MiB")
        return
    limits = f"{source.minimum_mib} to {source.maximum_mib} MiB, {source.memory_mib} at its start"
    why = "the most it could have" if machine.memory_mib == source.maximum_mib else "what it starts with"
    words = f"{limits}: here it has {machine.memory_mib} MiB, {why}, with a balloon that nobody moves by itself"
    yield changed("dynamic memory", words)


def _about_drive(drive: Drive, path: str, disk: Disk) -> Iterator[Finding]:
    if drive.medium:
        if drive.path and not path:
            yield changed(drive.slot, f"the drive is empty: {drive.path} has no place here (--disk {drive.file}=PATH)")
        else:
            yield kept(drive.slot, f"drive for media at {disk.bus}: {path or 'empty'}")
        return
    yield changed(drive.slot, f"{drive.path or 'a disk of the host'}: {path}, {disk.format} at {disk.bus}")
    if disk.format == VIRTUAL_DISK:
        words = f"a VM is better not run from a VHD: qemu-img convert -p -O qcow2 {path} NEW, and give that"
        yield lost(drive.slot, words)


def _about_adapter(adapter: Adapter, places: Places, *, second: bool) -> Finding:
    if not adapter.switch:
        return lost(adapter.name, "connected to no switch: it is left out")
    address = f"MAC address {adapter.mac}" if adapter.mac else "a new MAC address"
    words = f'switch "{adapter.source}" becomes the bridge {places.bridges[adapter.source]}, {_card(second)}, {address}'
    return changed(adapter.name, words)


def _about_start(source: Source, name: str) -> Iterator[Finding]:
    later = f"taken in offline; then outlast vm start {name}"
    match source.start:
        case "always":
            yield kept("automatic start", "wanted online")
        case "":
            yield changed("automatic start", f"the file does not say: {later}")
        case _:
            yield changed("automatic start", f"{source.start}: {later}")
    if source.stop:
        told = kept if source.stop == "shut down" else changed
        yield told("automatic stop", f"{source.stop}: it is shut down in order when its node is drained or shut down")
    if source.clustered:
        yield lost("cluster", "what its failover cluster says of it (owners, priority) is not in this file")


def _about_guest(source: Source) -> Iterator[Finding]:
    for checkpoint in source.checkpoints:
        yield lost(
            f"checkpoint {checkpoint}", "checkpoints are not taken along: merge them before its disks are copied"
        )
    services = ", ".join(source.integration)
    words = "install the QEMU guest agent and virtio drivers in the guest, then its devices can be virtio"
    yield lost("integration services", f"{services}: {words}" if services else words)
