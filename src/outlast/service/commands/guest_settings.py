"""How a VM's guest is looked after: its settings, and its probes."""

import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from outlast.core.group.deletion import VM
from outlast.core.spelling import DAY_S, Count, NotMeant, assigned
from outlast.model import keys
from outlast.model.group import Resource
from outlast.model.guest import GuestCare, OnHang, OnIoError, OnPanic, OnRed, Probe
from outlast.model.guest_answers import ProbeRow
from outlast.model.health import Json
from outlast.model.inside import Asked
from outlast.ports.database import Compare, Write
from outlast.service.commands.context import Command, CommandError, Context, Missing, similar
from outlast.service.commands.rows import Rows
from outlast.service.store import put

Interval = Annotated[float, msgspec.Meta(ge=0.5, le=DAY_S)]
Limit = Annotated[float, msgspec.Meta(ge=1, le=600)]
Threshold = Annotated[int, msgspec.Meta(ge=1, le=1000)]
SETTINGS: dict[str, Any] = {
    "heartbeat": bool,
    "heartbeat_interval_s": Interval,
    "heartbeat_timeout_s": Limit,
    "heartbeat_threshold": Threshold,
    "on_hang": OnHang,
    "resets": Count,
    "reset_period_s": Annotated[float, msgspec.Meta(ge=60, le=365 * DAY_S)],
    "on_panic": OnPanic,
    "on_io_error": OnIoError,
    "io_error_limit_s": Annotated[float, msgspec.Meta(ge=1, le=DAY_S)],
}
"""What `resource.set` may change of a VM besides."""
OF_A_PROBE: dict[str, Any] = {
    "interval_s": Interval,
    "timeout_s": Limit,
    "threshold": Threshold,
    "on_red": OnRed,
}
MOST_PROBES = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def applied(resource: Resource, changes: Mapping[str, Any]) -> Resource:
    """The resource with these settings, each where it has its place."""
    own = {name: value for name, value in changes.items() if name not in SETTINGS}
    care = {name: value for name, value in changes.items() if name in SETTINGS}
    guest = msgspec.structs.replace(resource.guest, **care) if care else resource.guest
    return msgspec.structs.replace(resource, guest=guest, **own)


def refuse_if_no_vm(changes: Mapping[str, Any], type_name: str) -> None:
    named = [name for name in changes if name in SETTINGS]
    if named and type_name != VM:
        raise CommandError("usage", f"{named[0]} is about a VM's guest, and this resource is of the type {type_name}")


class AddProbe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    """The VM."""
    probe: str
    asks: str
    what: str
    values: Mapping[str, Json] = msgspec.field(default_factory=dict)


class DeleteProbe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    probe: str


class ListProbes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str = ""
    """Empty: of all VMs."""


async def add(context: Context, want: AddProbe) -> list[ProbeRow]:
    """Also changes one of that name."""
    probe = _probe(want)

    def changed(care: GuestCare) -> tuple[Probe, ...]:
        others = tuple(one for one in care.probes if one.name != probe.name)
        if len(others) >= MOST_PROBES:
            raise CommandError("usage", f"{want.name} has {MOST_PROBES} probes, which is the most that a VM can have")
        return (*others, probe)

    words = f"{want.name} is probed by {probe.name} ({probe.asks.value} {probe.what}): {context.by}"
    await _change(context, want.name, changed, words)
    return list_of(context, want.name)


async def delete(context: Context, want: DeleteProbe) -> list[ProbeRow]:
    def changed(care: GuestCare) -> tuple[Probe, ...]:
        names = [one.name for one in care.probes]
        if want.probe not in names:
            raise Missing(f'{want.name} has no probe "{want.probe}"{similar(want.probe, names)}')
        return tuple(one for one in care.probes if one.name != want.probe)

    await _change(context, want.name, changed, f"{want.name} is not probed by {want.probe} any more: {context.by}")
    return list_of(context, want.name)


async def list_probes(context: Context, want: ListProbes) -> list[ProbeRow]:
    if want.name:
        _need(context, want.name)
    return list_of(context, want.name)


def list_of(context: Context, name: str) -> list[ProbeRow]:
    view = context.view()
    rows = Rows(view)
    found = []
    for vm, resource in sorted(view.resources.items()):
        if resource.type != VM or (name and vm != name):
            continue
        known = rows.resource(resource).guest_status
        for probe in resource.guest.probes:
            status = known.probes.get(probe.name) if known is not None else None
            found.append(ProbeRow(vm, probe, status.state if status else "not asked", status.why if status else ""))
    return found


async def _change(context: Context, name: str, changed: Any, words: str) -> None:
    _need(context, name)

    def make() -> tuple[list[Compare], list[Write]]:
        present = _need(context, name)
        guest = msgspec.structs.replace(present.guest, probes=changed(present.guest))
        record = msgspec.structs.replace(present, guest=guest)
        key = keys.RESOURCES + record.name
        event = context.journal.event("group-changed", words, group=record.group)
        return context.store.unchanged(key), [put(key, record), event]

    await context.write(make)


def _need(context: Context, name: str) -> Resource:
    found = context.store.resources.get(name)
    if found is None or found.type != VM:
        vms = [resource.name for resource in context.store.resources.values() if resource.type == VM]
        raise Missing(f'there is no protected VM "{name}"{similar(name, vms)}')
    return found


def _probe(want: AddProbe) -> Probe:
    if not _NAME.fullmatch(want.probe):
        raise CommandError("usage", f'a probe cannot be called "{want.probe}": at most 63 letters, digits, . _ and -')
    kinds = [one.value for one in Asked if one is not Asked.PING]
    if want.asks not in kinds:
        raise CommandError("usage", f'a probe cannot ask "{want.asks}"; it asks {", ".join(kinds)}')
    asks = Asked(want.asks)
    problem = _problem(asks, want.what)
    if problem:
        raise CommandError("usage", f'cannot add the probe {want.probe}: "{want.what}" {problem}')
    try:
        values = assigned(OF_A_PROBE, want.values, "a probe")
    except NotMeant as refusal:
        raise CommandError("usage", str(refusal)) from refusal
    return Probe(want.probe, asks, want.what, **values)


def _problem(asks: Asked, what: str) -> str:
    match asks:
        case Asked.TCP:
            host, _, port = what.rpartition(":")
            ok = bool(host) and port.isdecimal() and 0 < int(port) < 65536
            return "" if ok else "is no ADDRESS:PORT, as 192.0.2.7:443"
        case Asked.UNIT:
            return "" if what and not any(one.isspace() for one in what) and what[0] != "-" else "is no name of a unit"
        case _:
            try:
                return "" if shlex.split(what) else "is no command"
            except ValueError as error:
                return f"is no command that a shell could read: {error}"


COMMANDS: dict[str, Command] = {
    "vm.probe_add": (AddProbe, add),
    "vm.probe_delete": (DeleteProbe, delete),
    "vm.probe_list": (ListProbes, list_probes),
}
