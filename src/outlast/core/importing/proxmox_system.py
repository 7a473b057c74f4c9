"""Which firmware does a Proxmox VM have, what does it tell its guest, and what does it boot from?"""

import base64
import binascii
from collections.abc import Mapping

from outlast.core.importing.domain_xml import Firmware
from outlast.core.importing.places import BLOCK, Places, image_format, kept, lost
from outlast.core.importing.proxmox_devices import how_to_place, options, path_of
from outlast.model.imported import Finding

_FIELDS = ("uuid", "manufacturer", "product", "version", "serial", "sku", "family")


def smbios(text: str) -> dict[str, str]:
    """Of `smbios1`; its values may be written in base64."""
    said = options(text, "uuid")
    encoded = said.get("base64") == "1"
    found = {name: said[name] for name in _FIELDS if said.get(name)}
    return {name: _decoded(value) if encoded and name != "uuid" else value for name, value in found.items()}


def boot_order(config: Mapping[str, str]) -> dict[str, int]:
    """Device to its place, from 1. `order=scsi0;net0`, or the letters of old: c disk, d medium, n network."""
    said = options(config.get("boot", ""), "legacy")
    names = [name for name in said.get("order", "").split(";") if name in config]
    if "order" not in said:
        names = [name for letter in said.get("legacy", "cdn") for name in _of_letter(letter, config)]
    return {name: place for place, name in enumerate(dict.fromkeys(names), 1)}


def firmware(config: Mapping[str, str], places: Places, *, q35: bool) -> tuple[Firmware, list[Finding], list[str]]:
    """(firmware, what became of it, what has no place)"""
    uefi = config.get("bios") == "ovmf"
    findings = [kept("bios", "UEFI" if uefi else "BIOS")] if "bios" in config else []
    said = config.get("efidisk0", "")
    if not uefi or not said:
        return Firmware(uefi), findings, []
    saying = options(said, "file")
    keys = saying.get("pre-enrolled-keys") == "1"
    if keys and not q35:
        findings.append(lost("efidisk0", "Secure Boot: it takes the machine type q35, and is off"))
    secure = keys and q35
    volume = saying.get("file", "")
    path = path_of("efidisk0", volume, places)
    if not path:
        return Firmware(uefi, secure), findings, [how_to_place("efidisk0", volume)]
    if path.startswith(BLOCK) or image_format(path) != "raw":
        words = (
            f"each node makes UEFI's variables anew: libvirt wants a raw file for them, not {path} (docs/importing.md)"
        )
        return Firmware(uefi, secure), [*findings, lost("efidisk0", words)], []
    return Firmware(uefi, secure, path), [*findings, kept("efidisk0", f"UEFI's variables in {path}")], []


def _of_letter(letter: str, config: Mapping[str, str]) -> list[str]:
    disks = [key for key in config if key.startswith(("scsi", "virtio", "sata", "ide")) and key[-1].isdigit()]
    media = [key for key in disks if "media=cdrom" in config[key] and "cloudinit" not in config[key]]
    boot_disk = config.get("bootdisk", "")
    hard = [boot_disk] if boot_disk in config else [key for key in disks if key not in media][:1]
    nets = sorted(key for key in config if key.startswith("net") and key[3:].isdigit())
    return {"c": hard, "d": media[:1], "n": nets[:1]}.get(letter, [])


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return text
