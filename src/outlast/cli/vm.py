"""outlast vm: the virtual machines, under the cluster's protection or not."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from outlast.cli import group as groups
from outlast.cli import options, output, resource, rows, waiting
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, named
from outlast.client.control import Client, ControlError
from outlast.model.answers import GroupRow, ProtectReport, VmDetail, VmRow

app = typer.Typer(name="vm", help="The virtual machines.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="VM", help="A VM that the cluster protects.")]
PROTECT_S = 120.0
"""Every node is asked whether it could run the VM."""


@app.command("list")
def list_vms(
    context: typer.Context,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also the VMs of every node that the cluster does not manage.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """All protected VMs, where they run, and what is not well."""
    found = client(context).call("vm.list", {"all": show_all}, type=list[VmRow])
    if wants_json(context):
        output.json(found)
    else:
        empty = "no VM is protected; outlast vm list --all shows what the nodes have, outlast vm protect takes one in"
        output.table(rows.VM_TITLES, [rows.vm(row) for row in found], empty=empty)
        if any(not row.group for row in found):
            output.line(Cell("not managed: outlast vm protect NAME, on the node that has it, takes it in", "dim"))


@app.command()
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """All about one VM, and where it could run."""
    detail = client(context).call("vm.show", {"name": name}, type=VmDetail)
    if wants_json(context):
        output.json(detail)
        return
    size = f"{detail.vm.memory_mib} MiB, {detail.vm.vcpus} vCPU" if detail.vm.memory_mib else ""
    head: list[tuple[str, Cell | str]] = [
        ("VM", Cell(detail.vm.name, "bold")),
        ("UUID", detail.vm.identity),
        ("size", size),
        ("group", detail.group.name if detail.group.name != detail.vm.name else ""),
    ]
    output.fields([*head, *groups.about(detail.group), *resource.watched(detail.resource)])
    groups.failures(detail.group)
    output.heading("Where it could run now")
    output.table(("node", "could"), rows.placement(detail.placement))


@app.command()
def protect(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="VM", help="A VM of this node's libvirt, running or not.", show_default=False)
    ] = "",
    xml: Annotated[
        str,
        typer.Option(
            "--xml", metavar="FILE", help="Or: its libvirt domain XML; - reads it from stdin.", show_default=False
        ),
    ] = "",
    preferred_owners: options.PreferredOwners = None,
    possible_owners: options.PossibleOwners = None,
    is_alive_interval_s: Annotated[
        float, typer.Option(metavar="SECONDS", help="How often to ask whether it is alive.")
    ] = 5.0,
    offline_timeout_s: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long a shutdown may take; then by force.")
    ] = 120.0,
    failover_threshold: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", min=0, help="How often it may fail over; default: as set for the cluster."),
    ] = None,
    start: Annotated[
        bool | None,
        typer.Option("--start/--no-start", help="Should it run? Default: as it is now; one from --xml is started."),
    ] = None,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Take a VM under the cluster's protection: when it or its node fails, it runs on another node.

    It is refused before anything changes when another node could not run it, and the answer says why.
    """
    if bool(name) == bool(xml):
        raise ControlError("usage", "say which VM: either its name (outlast vm protect NAME), or --xml FILE")
    arguments = {
        "preferred_owners": options.node_names(preferred_owners) or [],
        "possible_owners": options.node_names(possible_owners) or [],
        "is_alive_interval_s": is_alive_interval_s,
        "offline_timeout_s": offline_timeout_s,
        "failover_threshold": failover_threshold,
        "start": start,
        "what_if": what_if,
        **({"name": name} if name else {"definition": _read(xml)}),
    }
    contact = client(context)
    report = contact.call("vm.protect", arguments, type=ProtectReport, timeout_s=PROTECT_S)
    if what_if:
        _show_what_if(context, report)
        return
    ended = _settled(context, contact, report, wait_s)
    if wants_json(context):
        output.json(report)
    else:
        output.line(Cell(f"{named(report.name)} is protected", "green"), f"; it is {waiting.present(ended)}")
        _show_nodes(report)


@app.command()
def unprotect(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Let a VM go: it stays as it is, and the cluster no longer looks after it."""
    words = client(context).call("vm.unprotect", {"name": name, "what_if": what_if}, type=str, timeout_s=wait_s or 60.0)
    if wants_json(context):
        output.json({"vm": name, "what_if": what_if, "words": words})
    else:
        output.line(words)


@app.command()
def start(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Start a VM, on the best node; its earlier failures are forgotten."""
    if what_if:
        _what_if_start(context, name)
        return
    arguments = {"name": _group_of(context, name)}
    waiting.carry_out(context, "group.online", arguments, waiting.online(), wait_s, name=name)


@app.command()
def stop(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Turn a VM off at once, as if its power were cut. It stays off."""
    _offline(context, name, "turn {name} off", turn_off=True, what_if=what_if, wait_s=wait_s)


@app.command()
def shutdown(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Shut a VM down in order; by force when its time limit has passed. It stays off."""
    _offline(context, name, "shut {name} down", turn_off=False, what_if=what_if, wait_s=wait_s)


@app.command()
def move(
    context: typer.Context,
    name: Name,
    to: options.To = "",
    turn_off: options.TurnOff = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Move a VM to another node: for now it is shut down here and started there."""
    detail = client(context).call("vm.show", {"name": name}, type=VmDetail)
    if what_if:
        _what_if_move(context, detail, to)
        return
    arguments = {"name": detail.group.name, "to": to, "stop": options.stop_of(turn_off)}
    waiting.carry_out(context, "group.move", arguments, waiting.moved(detail.group, to), wait_s, name=name)


def _read(xml: str) -> str:
    """The definition. Every way in which this fails is the user's to mend."""
    try:
        text = sys.stdin.buffer.read() if xml == "-" else Path(xml).read_bytes()
        return text.decode()
    except UnicodeDecodeError:
        raise ControlError("usage", f"cannot read the definition {xml}: it is not UTF-8 text") from None
    except OSError as error:
        raise ControlError("usage", f"cannot read the definition {xml}: {error.strerror}") from None


def _settled(context: typer.Context, contact: Client, report: ProtectReport, wait_s: float | None) -> GroupRow:
    """The VM's group when it is as it is wanted to be."""
    name = contact.call("vm.group", {"name": report.name}, type=str)
    row = contact.call("group.show", {"name": name}, type=GroupRow)
    if report.wanted == "offline":
        return row
    try:
        return waiting.settle(contact, row, waiting.online(), wait_s, name=report.name, quiet=wants_json(context))
    except ControlError as error:
        raise ControlError(error.kind, f"{named(report.name)} is protected, but not online: {error}") from None


def _show_what_if(context: typer.Context, report: ProtectReport) -> None:
    if wants_json(context):
        output.json(report)
        return
    where = f"on {report.owner}, where it runs" if report.owner else "on the best node"
    end = f"online, {where}" if report.wanted == "online" else "offline, as it is"
    output.line(f"{named(report.name)} would be protected; it would be {end}. Nothing was changed.")
    _show_nodes(report)


def _show_nodes(report: ProtectReport) -> None:
    problems = {node: "; ".join(found) for node, found in report.nodes.items()}
    output.table(("node", "could run it"), rows.placement(problems))


def _offline(
    context: typer.Context, name: str, to_do: str, *, turn_off: bool, what_if: bool, wait_s: float | None
) -> None:
    if what_if:
        detail = client(context).call("vm.show", {"name": name}, type=VmDetail)
        if detail.vm.state == "offline" and detail.vm.wanted == "offline":
            _would(context, name, f"{named(name)} is offline already: nothing would change", owner="")
        else:
            how = "turned off at once" if turn_off else "shut down"
            _would(context, name, f"{named(name)} would be {how} on {detail.vm.owner or 'no node'}", owner="")
        return
    arguments = {"name": _group_of(context, name), "stop": options.stop_of(turn_off)}
    waiting.carry_out(context, "group.offline", arguments, waiting.offline(to_do), wait_s, name=name)


def _what_if_start(context: typer.Context, name: str) -> None:
    detail = client(context).call("vm.show", {"name": name}, type=VmDetail)
    if detail.vm.state == "online":
        _would(context, name, f"{named(name)} is online on {detail.vm.owner} already: nothing would change", owner="")
        return
    owner = detail.group.owner
    if owner and not detail.placement.get(owner, "it is no node of the cluster"):
        _would(context, name, f"{named(name)} would start on {owner}, its owner", owner=owner)
        return
    _need_a_node(detail, {node for node, why in detail.placement.items() if not why}, f"start {named(name)}")
    able = ", ".join(node for node, why in sorted(detail.placement.items()) if not why)
    _would(context, name, f"{named(name)} would start on one of {able}", owner="")


def _what_if_move(context: typer.Context, detail: VmDetail, to: str) -> None:
    name, owner = detail.vm.name, detail.group.owner
    if to and to not in detail.placement:
        raise ControlError("usage", f'there is no node "{to}"; there are: {", ".join(sorted(detail.placement))}')
    if to and to == owner:
        raise ControlError("usage", f"{named(name)} is on {to} already")
    asked = {to} if to else set(detail.placement) - {owner}
    able = sorted(node for node in asked if not detail.placement[node])
    _need_a_node(detail, set(able), f"move {named(name)}" + (f" to {to}" if to else ""))
    where = able[0] if len(able) == 1 else f"one of {', '.join(able)}"
    _would(context, name, f"{named(name)} would move from {owner or 'no node'} to {where}", owner=to)


def _need_a_node(detail: VmDetail, able: set[str], to_do: str) -> None:
    if not able:
        reasons = "; ".join(f"{node}: {why}" for node, why in sorted(detail.placement.items()) if why)
        raise ControlError("impossible", f"cannot {to_do} now: {reasons or 'there is no other node'}")


def _would(context: typer.Context, name: str, words: str, *, owner: str) -> None:
    answer: dict[str, Any] = {"vm": name, "what_if": True, "to": owner, "words": words}
    if wants_json(context):
        output.json(answer)
    else:
        output.line(f"{words}. Nothing was changed.")


def _group_of(context: typer.Context, name: str) -> str:
    return client(context).call("vm.group", {"name": name}, type=str)
