"""How is `Get-VM NAME | ConvertTo-Json -Depth 5` read?

PowerShell writes its enumerations as numbers, newer ones as words if so asked; both are understood. What is a state of
the moment (uptime, assigned memory) is not the VM's definition, and is named in one line together.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from outlast.core.importing.hyperv_source import Adapter, Drive, Source
from outlast.core.importing.places import NotImportable, mac, printable

_START = {
    "2": "never",
    "nothing": "never",
    "3": "if it ran",
    "startifrunning": "if it ran",
    "4": "always",
    "start": "always",
}
_STOP = {"2": "turn off", "turnoff": "turn off", "3": "save", "save": "save", "4": "shut down", "shutdown": "shut down"}
_ACCESS, _TRUNK = ("1", "access"), ("2", "trunk")
_MAPPED = {
    *(
        "Name",
        "VMName",
        "Id",
        "VMId",
        "Generation",
        "ProcessorCount",
        "MemoryStartup",
        "MemoryMinimum",
        "MemoryMaximum",
    ),
    *("DynamicMemoryEnabled", "HardDrives", "DVDDrives", "NetworkAdapters", "Notes", "AutomaticStartAction"),
    *("AutomaticStopAction", "VMIntegrationService", "IsClustered", "ParentSnapshotName", "ParentCheckpointName"),
    *("ParentSnapshotId", "ParentCheckpointId"),
}
_MOMENT = {
    *("State", "Status", "OperationalStatus", "PrimaryOperationalStatus", "SecondaryOperationalStatus", "Uptime"),
    *("StatusDescriptions", "PrimaryStatusDescription", "SecondaryStatusDescription", "Heartbeat", "CPUUsage"),
    *("MemoryAssigned", "MemoryDemand", "MemoryStatus", "CreationTime", "IntegrationServicesState", "IsDeleted"),
    *("IntegrationServicesVersion", "ReplicationHealth", "ReplicationState", "SmartPagingFileInUse", "ComputerName"),
    *("CimSession", "Key", "Version", "SizeOfSystemFiles", "OperationalStatusDescriptions", "GuestStatePath"),
    *("Path", "ConfigurationLocation", "SnapshotFileLocation", "CheckpointFileLocation", "SmartPagingFilePath"),
}
_DEEPER = "the file is cut off inside: write it again with ConvertTo-Json -Depth 5"


def read(text: str) -> list[Source]:
    """One VM, or several. Raises `NotImportable`."""
    try:
        found = msgspec.json.decode(text.encode())
    except msgspec.DecodeError as error:
        raise NotImportable(f"the file is no JSON: {error}") from error
    vms = found if isinstance(found, list) else [found]
    if not vms or not all(isinstance(vm, dict) and ("MemoryStartup" in vm or "ProcessorCount" in vm) for vm in vms):
        raise NotImportable("the file is no VM of Hyper-V: give what Get-VM NAME | ConvertTo-Json -Depth 5 prints")
    return [_source(vm) for vm in vms]


def _source(vm: Mapping[str, Any]) -> Source:
    services = [one for one in _items(vm, "VMIntegrationService") if one.get("Enabled")]
    parent = _text(vm.get("ParentCheckpointName")) or _text(vm.get("ParentSnapshotName"))
    return Source(
        _text(vm.get("Name")) or _text(vm.get("VMName")),
        max(1, _mib(vm.get("MemoryStartup"))),
        uuid=_text(vm.get("Id")) or _text(vm.get("VMId")),
        generation=_whole(vm.get("Generation")) or 1,
        processors=max(1, _whole(vm.get("ProcessorCount"))),
        dynamic=bool(vm.get("DynamicMemoryEnabled")),
        minimum_mib=_mib(vm.get("MemoryMinimum")),
        maximum_mib=_mib(vm.get("MemoryMaximum")),
        drives=tuple(_drives(vm)),
        adapters=tuple(_adapters(vm)),
        notes=_text(vm.get("Notes")),
        start=_START.get(_text(vm.get("AutomaticStartAction")).lower(), ""),
        stop=_STOP.get(_text(vm.get("AutomaticStopAction")).lower(), ""),
        checkpoints=(parent,) if parent else (),
        integration=tuple(_text(one.get("Name")) for one in services),
        clustered=bool(vm.get("IsClustered")),
        rest=tuple(_rest(vm)),
    )


def _drives(vm: Mapping[str, Any]) -> Iterator[Drive]:
    for key, medium in (("HardDrives", False), ("DVDDrives", True)):
        for one in _items(vm, key):
            bus = "scsi" if _text(one.get("ControllerType")).lower() in ("1", "scsi") else "ide"
            numbers = _whole(one.get("ControllerNumber")), _whole(one.get("ControllerLocation"))
            on_host = one.get("DiskNumber") is not None and not medium
            yield Drive("" if on_host else _text(one.get("Path")), bus, *numbers, medium=medium)


def _adapters(vm: Mapping[str, Any]) -> Iterator[Adapter]:
    for number, one in enumerate(_items(vm, "NetworkAdapters"), 1):
        vlan = one.get("VlanSetting") if isinstance(one.get("VlanSetting"), dict) else {}
        access = _text((vlan or {}).get("OperationMode")).lower() in _ACCESS
        tag = _whole((vlan or {}).get("AccessVlanId")) if access else 0
        name = _text(one.get("Name")) or f"network adapter {number}"
        yield Adapter(name, _text(one.get("SwitchName")), mac(_text(one.get("MacAddress"))), tag)


def _rest(vm: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for number, one in enumerate(_items(vm, "NetworkAdapters"), 1):
        vlan = one.get("VlanSetting")
        if isinstance(vlan, dict) and _text(vlan.get("OperationMode")).lower() in _TRUNK:
            yield f"network adapter {number}", "a trunk of several VLANs is a matter of the bridge here"
    for key, value in vm.items():
        if key not in _MAPPED | _MOMENT and value not in (None, "", [], {}, False, 0):
            yield key, f"no counterpart: {_short(value)}"
    moment = sorted(_MOMENT & set(vm))
    if moment:
        yield "state", f"how and where it was on the Hyper-V host: {', '.join(moment)}"


def _items(vm: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = vm.get(key)
    items = found if isinstance(found, list) else [found] if found else []
    if any(not isinstance(item, dict) for item in items):
        raise NotImportable(f"{key} is not written out: {_DEEPER}")
    return items


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else printable(str(value).strip())


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float) or _text(value).isdecimal() else 0


def _mib(value: Any) -> int:
    return _whole(value) // 2**20
