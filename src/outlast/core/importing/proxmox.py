"""What does a Proxmox VM amount to here? Reads `/etc/pve/qemu-server/ID.conf`, or what `qm config ID` prints.

Lines of `key: value`; a section in brackets is a snapshot, or changes that wait. What its cluster does with it
(`ha-manager config`) stands in another file, so it is named as lost each time.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import msgspec

from outlast.core.importing import proxmox_devices as parts
from outlast.core.importing import proxmox_lost
from outlast.core.importing.domain_xml import Firmware, Machine, written
from outlast.core.importing.places import (
    NotImportable,
    Places,
    changed,
    kept,
    lost,
    printable,
    refuse_bad_name,
    refuse_missing,
)
from outlast.core.importing.proxmox_cpu import cpu_of
from outlast.core.importing.proxmox_system import boot_order, firmware, smbios
from outlast.model.imported import Finding, Import, Imported

_LINE = re.compile(r"([A-Za-z][\w-]*):\s?(.*)")
_SECTION = re.compile(r"\[(.+)\]")
_SCSI = {
    "virtio-scsi-pci": "virtio-scsi",
    "virtio-scsi-single": "virtio-scsi",
    "lsi": "lsilogic",
    "lsi53c810": "lsilogic",
    "megasas": "lsisas1078",
    "pvscsi": "vmpvscsi",
}
_VIDEO = {
    "": "vga",
    "std": "vga",
    "cirrus": "cirrus",
    "vmware": "vmvga",
    "virtio": "virtio",
    "none": "",
    "bochs": "bochs",
}
_WATCHDOGS = {"reset", "poweroff", "shutdown", "pause", "none", "dump", "inject-nmi"}
_DEFAULT_MEMORY_MIB = 512


class Source(msgspec.Struct, frozen=True):
    config: Mapping[str, str]
    description: str = ""
    sections: tuple[str, ...] = ()


def convert(text: str, places: Places, *, name: str = "", fallback: str = "") -> Import:
    """`fallback`: the name if neither the user nor the file has one. Raises `NotImportable`."""
    source = read(text)
    config = source.config
    name = name or config.get("name", "") or fallback
    refuse_bad_name(name)
    if config.get("template") == "1":
        raise NotImportable(f'"{name}" is a template, not a VM; clone it first (qm clone), and import the clone')
    q35 = config.get("machine", "").startswith(("q35", "pc-q35"))
    found = parts.devices(config, places, boot_order(config), q35=q35)
    chosen, about_firmware, missing = firmware(config, places, q35=q35)
    refuse_missing(name, (*found.missing, *missing))
    machine = _machine(source, name, found, chosen, q35=q35)
    findings = [*_own(config, machine), *found.findings, *about_firmware, *_about_sections(source)]
    told = {finding.what for finding in findings}
    findings += [proxmox_lost.words_on(key, value) for key, value in config.items() if key not in told]
    findings.append(lost("HA", "how Proxmox's cluster treats it stands in /etc/pve/ha/*.cfg: see docs/importing.md"))
    vm = Imported(
        name,
        written(machine),
        wanted_online=config.get("onboot") == "1",
        offline_timeout_s=_startup(config).get("down"),
        group={"priority": "high"} if "order" in _startup(config) else {},
        findings=tuple(findings),
    )
    return Import((vm,))


def read(text: str) -> Source:
    """The file's own part, and the names of its sections. Raises `NotImportable`."""
    config: dict[str, str] = {}
    remarks: list[str] = []
    sections: list[str] = []
    for number, line in enumerate(printable(text).split("\n"), 1):
        if section := _SECTION.fullmatch(line.strip()):
            sections.append(section[1])
        elif line.startswith("#") and not sections:
            remarks.append(unquote(line[1:]))
        elif line.strip() and not sections and not line.startswith("#"):
            found = _LINE.fullmatch(line.strip())
            if not found:
                raise NotImportable(f'line {number} is no "key: value" of a Proxmox VM: {line.strip()[:60]}')
            config[found[1]] = found[2].strip()
    if "cdrom" in config:
        config["ide2"] = config.pop("cdrom") + ",media=cdrom"
    if not config:
        raise NotImportable("the file has no key: value in it; give /etc/pve/qemu-server/ID.conf or qm config's output")
    description = "\n".join(remarks) or unquote(config.get("description", ""))
    return Source(config, description, tuple(sections))


def _machine(source: Source, name: str, found: parts.Devices, chosen: Firmware, *, q35: bool) -> Machine:
    config = source.config
    windows = config.get("ostype", "").startswith(("w", "win"))
    video = parts.options(config.get("vga", ""), "type")
    memory = video.get("memory", "")
    system = smbios(config.get("smbios1", ""))
    watchdog = parts.options(config.get("watchdog", ""), "model")
    screen = _screen(video.get("type", ""))
    return Machine(
        name,
        _memory_mib(config),
        cpu_of(config),
        uuid=system.get("uuid", ""),
        genid=config.get("vmgenid", "") if len(config.get("vmgenid", "")) == 36 else "",
        kind="qemu" if config.get("kvm") == "0" else "kvm",
        arch=config.get("arch", "x86_64"),
        machine="q35" if q35 else "pc",
        firmware=chosen,
        description=printable(source.description),
        disks=found.disks,
        nics=found.nics,
        scsi=_SCSI.get(config.get("scsihw", "lsi"), "virtio-scsi"),
        system=tuple((key, printable(value)) for key, value in system.items() if key != "uuid"),
        windows=windows,
        local_time=config.get("localtime", "1" if windows else "0") == "1",
        acpi=config.get("acpi") != "0",
        hide_kvm="hidden=1" in config.get("cpu", ""),
        balloon=config.get("balloon") != "0",
        tablet=config.get("tablet") != "0",
        video=screen,
        video_kib=int(memory) * 1024 if memory.isdecimal() and screen == "vga" else 0,
        keymap=config.get("keyboard", ""),
        watchdog=(watchdog.get("model", "i6300esb"), _watchdog_action(watchdog)) if watchdog else ("", ""),
    )


def _own(config: Mapping[str, str], machine: Machine) -> Iterator[Finding]:
    """What became of the keys that are about the machine as a whole."""
    seen = {
        "name": f'"{machine.name}"',
        "memory": f"{machine.memory_mib} MiB",
        "scsihw": f"controller {machine.scsi}",
        "vmgenid": machine.genid or "none",
        "acpi": "with ACPI" if machine.acpi else "without ACPI: it can be shut down by its guest agent only",
        "kvm": machine.kind,
        "arch": machine.arch,
        "tablet": "with" if machine.tablet else "without",
        "keyboard": machine.keymap,
        "localtime": "local time" if machine.local_time else "UTC",
        "ostype": f"clock in {'local time' if machine.local_time else 'UTC'}"
        + (", Hyper-V enlightenments" if machine.windows else ""),
        "rng0": "random numbers from /dev/urandom",
        "watchdog": " ".join(machine.watchdog),
        "description": "its description",
        "cores": f"{machine.cpu.cores} a socket",
        "sockets": str(machine.cpu.sockets),
        "vcpus": f"{machine.cpu.online} of {machine.cpu.count} at the start",
        "cpulimit": f"{machine.cpu.limit:g} processors' worth of time",
        "smbios1": "UUID and what its SMBIOS says",
    }
    yield from (kept(key, words) for key, words in seen.items() if key in config)
    yield from _about_processor_and_machine(config, machine)
    yield from _about_memory(config, machine)
    yield from _about_screen(config, machine)
    yield from _about_agent(config)
    yield from _about_start(config, machine.name)
    if "boot" in config or "bootdisk" in config:
        places = [(disk.boot_order, disk.path or "the drive for media") for disk in machine.disks if disk.boot_order]
        places += [(nic.boot_order, "the network") for nic in machine.nics if nic.boot_order]
        words = f"boots from {', '.join(where for _, where in sorted(places)) or 'whatever its firmware finds'}"
        yield from (kept(key, words) for key in ("boot", "bootdisk") if key in config)


def _about_processor_and_machine(config: Mapping[str, str], machine: Machine) -> Iterator[Finding]:
    if said := config.get("machine"):
        if re.search(r"\d+\.\d+", said) or "," in said:
            yield changed(
                "machine", f"{said} becomes {machine.machine}: the newest that a node has; Windows may notice"
            )
        else:
            yield kept("machine", machine.machine)
    if said := config.get("cpu"):
        model = parts.options(said, "cputype").get("cputype", "")
        if machine.cpu.model == model or (model == "host" and machine.cpu.mode == "host-passthrough"):
            yield kept("cpu", said)
        else:
            yield changed("cpu", f"{said} becomes {machine.cpu.model or machine.cpu.mode}")


def _about_memory(config: Mapping[str, str], machine: Machine) -> Iterator[Finding]:
    if (said := config.get("balloon")) == "0":
        yield kept("balloon", "without a balloon")
    elif said:
        words = (
            f"it has all of its {machine.memory_mib} MiB, with a balloon that nobody moves by itself (it was {said})"
        )
        yield changed("balloon", words)


def _about_screen(config: Mapping[str, str], machine: Machine) -> Iterator[Finding]:
    if said := config.get("vga"):
        kind = parts.options(said, "type").get("type", "")
        if kind in _VIDEO:
            yield kept("vga", f"{machine.video or 'none'}, by VNC on the node's loopback")
        elif kind.startswith("serial"):
            yield changed("vga", "no screen: its console is the serial line (virsh console)")
        else:
            yield changed("vga", f"{kind} becomes {machine.video}, by VNC on the node's loopback")
    for key, said in config.items():
        if re.fullmatch(r"serial\d+", key):
            told = kept(key, "a serial line (virsh console)")
            yield (
                told
                if said == "socket" and key == "serial0"
                else lost(key, f"{said}: one serial line is made, serial0")
            )


def _about_agent(config: Mapping[str, str]) -> Iterator[Finding]:
    if said := config.get("agent"):
        on = parts.options(said, "enabled").get("enabled") == "1"
        yield kept("agent", "a channel") if on else changed("agent", "has a channel for it; harmless without an agent")


def _about_start(config: Mapping[str, str], name: str) -> Iterator[Finding]:
    name = shlex.quote(name)
    if config.get("onboot") == "1":
        yield kept("onboot", "wanted online")
    else:
        yield changed("onboot", f"not started by itself there: taken in offline; then outlast vm start {name}")
    startup = _startup(config)
    if "order" in startup:
        yield changed("startup", f"order={startup['order']:g}: priority=high, before those without an order")
        yield lost("startup", f"after which others it starts: outlast group set {name} start_after=OTHER")
    if "up" in startup:
        words = (
            f"up={startup['up']:g}: outlast group set OTHER start_after={name}+{startup['up']:g}, for those that follow"
        )
        yield lost("startup", words)
    if "down" in startup:
        yield kept("startup", f"down={startup['down']:g}: so many seconds for its shutdown")


def _about_sections(source: Source) -> Iterator[Finding]:
    for section in source.sections:
        if section == "PENDING":
            yield lost(
                "[PENDING]", "changes that wait for its next start are not taken; start it there once, or repeat them"
            )
        elif not section.startswith("special:"):
            yield lost(
                f"[{section}]", "a snapshot: disks are taken as they are now; those of qcow2 stay inside their file"
            )


def _screen(kind: str) -> str:
    return "" if kind.startswith("serial") else _VIDEO.get(kind, "virtio" if kind == "virtio-gl" else "vga")


def _memory_mib(config: Mapping[str, str]) -> int:
    text = parts.options(config.get("memory", ""), "current").get("current", "")
    return int(text) if text.isdecimal() and int(text) else _DEFAULT_MEMORY_MIB


def _startup(config: Mapping[str, str]) -> dict[str, float]:
    said = parts.options(config.get("startup", ""), "order")
    return {key: float(value) for key, value in said.items() if value.isdecimal()}


def _watchdog_action(said: Mapping[str, str]) -> str:
    action = said.get("action", "none")
    return action if action in _WATCHDOGS else "none"
