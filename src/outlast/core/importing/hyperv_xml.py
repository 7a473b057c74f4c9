"""How is the XML of a Hyper-V export read (`Virtual Machines/GUID.xml`, Server 2008 to 2012 R2)?

There is no published schema. What is known of it: `properties` (name, notes, subtype 1 for generation 2), `settings`
(memory in MiB, processors), and an element per device, named after its GUID: one with `controllerN/driveN` has drives,
one with a `MacAddress` is a network adapter. `manifest` says which GUID is what. All else is reported as lost.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from outlast.core.importing.hyperv_source import Adapter, Drive, Source
from outlast.core.importing.places import NotImportable, mac, printable

Tree = ElementTree.Element
_SCSI = "d422512d-2bf2-4752-809d-7b82b5fcb1b4"
_MAPPED = {
    *("properties/name", "properties/notes", "properties/subtype", "notes", "secure_boot_enabled", "AltSwitchName"),
    *("settings/processors/count", "settings/memory/bank/size", "settings/memory/bank/limit"),
    *("settings/memory/bank/reservation", "settings/memory/bank/dynamic_memory_enabled"),
}
_DEVICE = {"pathname", "type", "MacAddress", "AltSwitchName", "SwitchName", "FriendlyName", "AccessVlanId"}
_UUID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")


def read(text: str) -> Source:
    """Raises `NotImportable`."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise NotImportable(f"the file is not well-formed XML: {error}") from error
    if root.tag != "configuration" or root.find("properties") is None:
        raise NotImportable(
            f"the file is no configuration of a Hyper-V VM: it begins with <{root.tag}>; "
            "give Virtual Machines/GUID.xml of an export, or JSON from Get-VM"
        )
    bank = "settings/memory/bank/"
    return Source(
        _text(root, "properties/name"),
        max(1, _whole(root, f"{bank}size")),
        uuid=_uuid(root),
        generation=_whole(root, "properties/subtype") + 1,
        processors=max(1, _whole(root, "settings/processors/count")),
        dynamic=_is_true(root, f"{bank}dynamic_memory_enabled"),
        minimum_mib=_whole(root, f"{bank}reservation"),
        maximum_mib=_whole(root, f"{bank}limit"),
        secure_boot=_secure_boot(root),
        drives=tuple(_drives(root)),
        adapters=tuple(_adapters(root)),
        notes=_text(root, "properties/notes") or _text(root, "notes"),
        checkpoints=tuple(_checkpoints(root)),
        rest=tuple(_rest(root)),
    )


def _drives(root: Tree) -> Iterator[Drive]:
    scsi = {f"_{_SCSI}_"}
    for device in root.iterfind("manifest/*"):
        if _text(device, "device").lower() == _SCSI:
            scsi.add(f"_{_text(device, 'instance').lower()}_")
    taken = {"ide": 0, "scsi": 0}
    for element in root.iter():
        controllers = [child for child in element if re.fullmatch(r"controller\d+", child.tag)]
        channel = "ChannelInstanceGuid" in element.attrib or element.find("ChannelInstanceGuid") is not None
        bus = "scsi" if element.tag.lower() in scsi or channel else "ide"
        for controller in controllers:
            yield from _of_controller(controller, bus, taken[bus])
            taken[bus] += 1


def _of_controller(controller: Tree, bus: str, number: int) -> Iterator[Drive]:
    for drive in controller:
        kind = _text(drive, "type").upper()
        if not re.fullmatch(r"drive\d+", drive.tag) or kind in ("", "NONE"):
            continue
        location = int(drive.tag.removeprefix("drive"))
        yield Drive(_text(drive, "pathname"), bus, number, location, medium=kind == "ISO")


def _adapters(root: Tree) -> Iterator[Adapter]:
    cards = [element for element in root if element.find("MacAddress") is not None]
    for number, card in enumerate(cards, 1):
        switch = next((_clean(found.text) for found in card.iter("AltSwitchName")), "")
        switch = switch or next((_clean(found.text) for found in card.iter("SwitchName")), "")
        vlan = next((_clean(found.text) for found in card.iter("AccessVlanId")), "")
        name = _text(card, "FriendlyName") or "network adapter"
        tag = int(vlan) if vlan.isdecimal() else 0
        yield Adapter(f"{name} {number}", switch, mac(_text(card, "MacAddress")), tag)
    if not cards and (switch := _text(root, "AltSwitchName")):
        yield Adapter("network adapter", switch)


def _checkpoints(root: Tree) -> Iterator[str]:
    """A configuration that goes back to one names its parent."""
    for tag in ("parent_snapshot_id", "ParentSnapshotInstanceId", "snapshot_id"):
        yield from (_clean(found.text) for found in root.iter(tag) if _clean(found.text))


def _rest(root: Tree) -> Iterator[tuple[str, str]]:
    """One line for each section, with the names of what it has."""
    for section in root:
        names = [path for path in _leaves(section, section.tag) if path not in _MAPPED and not _is_device(path)]
        inside = sorted({path.partition("/")[2] or path for path in names})
        if inside and section.tag != "manifest":
            shown = ", ".join(inside[:8]) + (f", and {len(inside) - 8} more" if len(inside) > 8 else "")
            yield section.tag, f"no counterpart, or not known: {shown}"
    devices = sorted({_text(one, "name") for one in root.iterfind("manifest/*") if _text(one, "name")})
    if devices:
        yield "manifest", f"Hyper-V's own devices are replaced by QEMU's: {', '.join(devices)}"


def _leaves(element: Tree, path: str) -> Iterator[str]:
    if len(element) == 0 and _clean(element.text):
        yield path
    for child in element:
        yield from _leaves(child, f"{path}/{child.tag}")


def _is_device(path: str) -> bool:
    return path.startswith(("_", "vm-controllers")) and path.rpartition("/")[2] in _DEVICE


def _secure_boot(root: Tree) -> bool | None:
    found = next(root.iter("secure_boot_enabled"), None)
    return None if found is None else _clean(found.text).lower() == "true"


def _uuid(root: Tree) -> str:
    for tag in ("bios_guid", "logical_id", "global_id"):
        for found in root.iter(tag):
            if match := _UUID.fullmatch(_clean(found.text)):
                return match[1].lower()
    return ""


def _text(element: Tree, path: str) -> str:
    return _clean(element.findtext(path))


def _clean(text: str | None) -> str:
    return printable((text or "").strip())


def _whole(element: Tree, path: str) -> int:
    text = _text(element, path)
    return int(text) if text.isdecimal() else 0


def _is_true(element: Tree, path: str) -> bool:
    return _text(element, path).lower() == "true"
