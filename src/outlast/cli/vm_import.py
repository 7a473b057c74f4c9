"""outlast vm import: VMs of another cluster are taken in, and a report tells what became of everything they said.

They are protected while they are off, then set, and brought online last: when something fails in between, nothing runs
that is not as it was meant to be, and the error says how far it came.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import typer

from outlast.cli import options, output, protecting, waiting
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row, named
from outlast.client.control import Client, ControlError
from outlast.model.answers import ClusterStatus, GroupRow, ProtectReport, ResourceRow, VmRow
from outlast.model.imported import Finding, Import, Imported, ImportReport, Level

CALL_S = 60.0
STYLES = {Level.KEPT: "green", Level.CHANGED: "yellow", Level.LOST: "red"}


def add_to(app: typer.Typer) -> None:
    app.command("import")(import_vms)


def import_vms(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FORMAT", help="proxmox, pacemaker or hyperv.")],
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="qm config's output or ID.conf; a CIB; an export's XML or Get-VM's JSON. -: stdin."
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", show_default=False, help="Which VM of several, or its name here.")
    ] = "",
    storages: Annotated[
        list[str] | None,
        typer.Option("--storage", metavar="NAME=DIRECTORY", help="Where a storage lies here. Several times."),
    ] = None,
    disks: Annotated[
        list[str] | None,
        typer.Option("--disk", metavar="SOURCE=PATH", help="Where a disk (scsi0, web.vhdx) lies here. Several times."),
    ] = None,
    bridges: Annotated[
        list[str] | None,
        typer.Option(
            "--bridge", metavar="SOURCE=BRIDGE", help="A bridge, switch, or BRIDGE.VLAN, here. Several times."
        ),
    ] = None,
    preferred_owners: options.PreferredOwners = None,
    possible_owners: options.PossibleOwners = None,
    no_start: Annotated[bool, typer.Option("--no-start", help="Leave them off, whatever the source says.")] = False,
    xml_only: Annotated[bool, typer.Option("--xml-only", help="Print the domain XML, and ask no cluster.")] = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Take in VMs of Proxmox, Pacemaker or Hyper-V, and tell what became of everything that they say.

    Make sure that they are off over there, and stay so: two clusters that start the same VM destroy its disks.
    """
    # What reads the files of others is large, and `outlast vm` has other verbs.
    from outlast.cli.converting import converted
    from outlast.core.importing.places import Places

    places = Places(
        _pairs("--storage", storages, "=/"), _pairs("--disk", disks, "=/"), _pairs("--bridge", bridges, "=")
    )
    found = converted(source, file, places, name)
    found = _overridden(found, options.node_names(preferred_owners), options.node_names(possible_owners), no_start)
    if xml_only:
        sys.stdout.write("".join(vm.definition for vm in found.vms))
        return
    if not wants_json(context):
        show(found)
    contact = client(context)
    running = _running_here(contact, found.vms)
    if what_if:
        reports = tuple(_protect(contact, vm, running=vm.name in running, what_if=True) for vm in found.vms)
    else:
        reports = _take_in(context, contact, found.vms, running, wait_s)
    if wants_json(context):
        output.json(ImportReport(found, not what_if, reports))
    elif what_if:
        _show_what_if(found.vms, reports)


def show(found: Import) -> None:
    """The report: for each VM a table, then what is about no single VM, then what may be typed for the rest."""
    for vm in found.vms:
        _show_findings(vm.name, vm.findings)
    if found.findings:
        _show_findings("the cluster", found.findings)
    if found.commands:
        output.heading("To have the rest, look through these, and type them")
        for command in found.commands:
            output.line(command)
    output.line("")


def _show_findings(title: str, findings: Sequence[Finding]) -> None:
    numbers = {level: sum(finding.level is level for finding in findings) for level in Level}
    output.heading(f"{title}: {', '.join(f'{number} {level.value}' for level, number in numbers.items())}")
    rows = [Row((one.what, Cell(one.level.value, STYLES[one.level])), one.words, "") for one in findings]
    output.table(("what it says", "is"), rows)


def _pairs(option: str, words: Iterable[str] | None, separator: str) -> dict[str, str]:
    """`separator`: "=/" where a path follows, which may have "=" in it, as the source may."""
    found: dict[str, str] = {}
    for word in words or ():
        source, there, target = word.partition(separator)
        target = separator[1:] + target
        if not there or not source or target in ("", "/"):
            takes = "NAME=/PATH" if separator == "=/" else "SOURCE=BRIDGE"
            raise ControlError("usage", f'cannot use {option} "{word}": it takes {takes}')
        if source in found:
            raise ControlError("usage", f"{option} says twice where {source} lies")
        found[source] = target
    return found


def _overridden(found: Import, preferred: list[str] | None, possible: list[str] | None, no_start: bool) -> Import:
    """With what the user says of owners and starts, which counts more than what the source says."""
    changes: dict[str, Any] = {"wanted_online": False} if no_start else {}
    changes |= {} if preferred is None else {"preferred_owners": tuple(preferred)}
    changes |= {} if possible is None else {"possible_owners": tuple(possible)}
    return msgspec.structs.replace(found, vms=tuple(msgspec.structs.replace(vm, **changes) for vm in found.vms))


def _running_here(contact: Client, vms: Sequence[Imported]) -> frozenset[str]:
    """Those that this node's libvirt runs for another cluster, which lets them alone: taken in without being touched.

    A cluster that still looks after one would start it elsewhere, so there it is refused.
    """
    if not any(vm.definition_path for vm in vms):
        return frozenset()  # they come from other machines
    here = contact.call("status", type=ClusterStatus).answered_by
    rows = contact.call("vm.list", {"all": True}, type=list[VmRow])
    known = {row.identity for row in rows if row.owner == here and row.state == "online" and not row.group}
    running = [vm for vm in vms if vm.definition_path and _uuid(vm.definition) in known]
    if managed := [vm.name for vm in running if not vm.unmanaged]:
        names = ", ".join(map(named, managed))
        words = f"cannot take in {names} now: runs on {here}, and by this CIB Pacemaker manages it"
        raise ControlError("impossible", f"{words}. pcs resource unmanage it, and give the CIB anew; or shut it down")
    return frozenset(vm.name for vm in running)


def _uuid(definition: str) -> str:
    from xml.etree import ElementTree

    return (ElementTree.fromstring(definition).findtext("uuid") or "").strip().lower()


def _protect(contact: Client, vm: Imported, *, running: bool, what_if: bool) -> ProtectReport:
    given = {"is_alive_interval_s": vm.is_alive_interval_s, "offline_timeout_s": vm.offline_timeout_s}
    start = vm.wanted_online if what_if else False
    arguments = {
        **({"name": vm.name} if running else {"definition": vm.definition, "start": start}),
        "preferred_owners": vm.preferred_owners,
        "possible_owners": vm.possible_owners,
        "failover_threshold": vm.failover_threshold,
        "what_if": what_if,
        **{name: value for name, value in given.items() if value is not None},
    }
    return contact.call("vm.protect", arguments, type=ProtectReport, timeout_s=protecting.PROTECT_S)


def _take_in(
    context: typer.Context, contact: Client, vms: Sequence[Imported], running: frozenset[str], wait_s: float | None
) -> tuple[ProtectReport, ...]:
    reports: list[ProtectReport] = []
    done: list[str] = []
    try:
        for vm in vms:
            reports.append(_protect(contact, vm, running=vm.name in running, what_if=False))
            done.append(f"{named(vm.name)} is protected, and {'runs' if vm.name in running else 'off'}")
        for vm in vms:
            _set(contact, vm)
            done += [f"{named(vm.name)} is set as reported"] if vm.group or vm.resource else []
        asked = {vm.name: _ask_online(contact, vm) for vm in vms if vm.wanted_online and vm.name not in running}
        done += [f"{named(name)} is wanted online" for name in asked]
        for report in reports:
            row = _settled(context, contact, report.name, asked.get(report.name), wait_s)
            if not wants_json(context):
                protecting.show_done(report, row)
    except ControlError as error:
        so_far = f". Done so far: {'; '.join(done)}. What is not yet done can be done by hand" if done else ""
        raise ControlError(error.kind, f"{error}{so_far}") from None
    return tuple(reports)


def _set(contact: Client, vm: Imported) -> None:
    if vm.group:
        contact.call("group.set", {"name": vm.name, "values": vm.group}, type=GroupRow, timeout_s=CALL_S)
    if vm.resource:
        contact.call("resource.set", {"name": vm.name, "values": vm.resource}, type=ResourceRow, timeout_s=CALL_S)


def _ask_online(contact: Client, vm: Imported) -> GroupRow:
    """All are asked for before any is waited for: one may start after another of them."""
    return contact.call("group.online", {"name": vm.name}, type=GroupRow)


def _settled(
    context: typer.Context, contact: Client, name: str, asked: GroupRow | None, wait_s: float | None
) -> GroupRow:
    if asked is None:
        return contact.call("group.show", {"name": name}, type=GroupRow)
    if asked.warning and not wants_json(context):
        output.line(Cell(f"warning: {asked.warning}", "yellow"))
    return waiting.settle(contact, asked, waiting.online(), wait_s, name=name, quiet=wants_json(context))


def _show_what_if(vms: Sequence[Imported], reports: Sequence[ProtectReport]) -> None:
    for vm, report in zip(vms, reports, strict=True):
        end = "brought online, on the best node" if vm.wanted_online else "left offline"
        end = f"go on running on {report.owner}" if report.owner else f"be {end}"
        output.line(f"{named(vm.name)} would be protected, and {end}. Nothing was changed.")
        for noun, values in (("group", vm.group), ("resource", vm.resource)):
            if values:
                words = " ".join(f"{key}={value}" for key, value in values.items())
                output.line(f"and set: outlast {noun} set {named(vm.name)} {words}")
        protecting.show_nodes(report)
        protecting.warn(report)
