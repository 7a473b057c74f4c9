"""outlast vm: the virtual machines, under the cluster's protection or not."""

from typing import Annotated, Any

import typer

from outlast.cli import group as groups
from outlast.cli import guests, options, output, protecting, resource, rows, vm_create, vm_import, vm_probe, waiting
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, named
from outlast.client.control import ControlError
from outlast.model.answers import ProtectReport, VmChecked, VmDetail, VmRow

app = typer.Typer(name="vm", help="The virtual machines.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="VM", help="A VM that the cluster protects.")]


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
    output.fields(
        [*head, *groups.about(detail.group), *resource.watched(detail.resource), *guests.about(detail.resource)]
    )
    groups.failures(detail.group)
    output.heading("Where it could run now")
    if detail.live:
        output.table(("node", "could", "live"), rows.placement_live(detail.placement, detail.live))
    else:
        output.table(("node", "could"), rows.placement(detail.placement))


@app.command()
def check(context: typer.Context, name: Name, wait_s: options.Wait = None, as_json: options.Json = False) -> None:
    """Ask every node whether it could run the VM now, disks and all.

    What they say is remembered: where nobody has asked, a VM is at risk. Exit code 1 when some node could not.
    """
    found = client(context).call("vm.check", {"name": name}, type=VmChecked, timeout_s=wait_s or protecting.PROTECT_S)
    if wants_json(context):
        output.json(found)
    else:
        output.table(("node", "could"), rows.sightings(found))
    unable = [node for node, why in sorted(found.nodes.items()) if why]
    if unable:
        raise ControlError("failed", f"{named(name)} could not run on {', '.join(unable)}")


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
    group: Annotated[
        str,
        typer.Option(
            metavar="GROUP",
            help="Join this group, beside its other resources. Default: one of its own.",
            show_default="",
        ),
    ] = "",
    depends_on: Annotated[
        str, typer.Option(metavar="NAMES", help='With --group: what must be online before it: "ip and disk".')
    ] = "",
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
        "group": group,
        "depends_on": depends_on,
        "what_if": what_if,
        **({"name": name} if name else {"definition": options.definition(xml)}),
    }
    contact = client(context)
    report = contact.call("vm.protect", arguments, type=ProtectReport, timeout_s=protecting.PROTECT_S)
    if what_if:
        protecting.show_what_if(context, report)
        return
    ended = protecting.settled(context, contact, report, wait_s)
    if wants_json(context):
        output.json(report)
    else:
        protecting.show_done(report, ended)


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
    discard: options.DiscardSaved = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Start a VM, on the best node; its earlier failures are forgotten. What was saved goes on where it was."""
    arguments: dict[str, Any] = {"name": _group_of(context, name)}
    if what_if:
        groups.would(context, {**arguments, "verb": "online"})
        return
    # In a group of several it may be off by a word of its own, from inside its guest, say.
    arguments["resource"] = name
    if discard:
        arguments["discard_saved"] = True
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
    _offline(context, name, "turn {name} off", "turn_off", what_if=what_if, wait_s=wait_s)


@app.command()
def shutdown(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Shut a VM down in order; by force when its time limit has passed. It stays off."""
    _offline(context, name, "shut {name} down", "shutdown", what_if=what_if, wait_s=wait_s)


@app.command()
def save(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Put a VM's state away on shared storage, and its node is rid of it. With the next start it goes on from there.

    On whichever node that is. A VM that cannot be saved runs on.
    """
    _offline(context, name, "save {name}", "save", what_if=what_if, wait_s=wait_s)


@app.command()
def move(
    context: typer.Context,
    name: Name,
    to: options.To = "",
    how: options.How = None,
    turn_off: options.TurnOff = False,
    ignore_lock: options.IgnoreLock = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Move a VM to another node: live if that is possible, else as its offline_action says (saved, or shut down)."""
    _move(context, name, to, options.leaving(how, turn_off), ignore_lock=ignore_lock, what_if=what_if, wait_s=wait_s)


@app.command()
def migrate(
    context: typer.Context,
    name: Name,
    to: options.To = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="Let it stay where it is after all.")] = False,
    ignore_lock: options.IgnoreLock = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Move a VM to another node as it runs (live migration); refused, with the reason, where that is not possible."""
    if not cancel:
        _move(context, name, to, "live", ignore_lock=ignore_lock, what_if=what_if, wait_s=wait_s)
    elif to or what_if:
        raise ControlError("usage", "--cancel goes with neither --to nor --what-if")
    else:
        waiting.carry_out(
            context, "group.call_back", {"name": _group_of(context, name)}, waiting.stays(), wait_s, name=name
        )


def _move(
    context: typer.Context,
    name: str,
    to: str,
    how: str | None,
    *,
    ignore_lock: bool,
    what_if: bool,
    wait_s: float | None,
) -> None:
    arguments = {"name": _group_of(context, name), "to": to, "stop": how, "ignore_lock": ignore_lock}
    if what_if:
        groups.would(context, {**arguments, "verb": "move"})
        return
    waiting.carry_out(context, "group.move", arguments, waiting.moved, wait_s, name=name)


def _offline(context: typer.Context, name: str, to_do: str, stop: str, *, what_if: bool, wait_s: float | None) -> None:
    arguments = {"name": _group_of(context, name), "stop": stop}
    if what_if:
        groups.would(context, {**arguments, "verb": "offline"})
        return
    waiting.carry_out(context, "group.offline", arguments, waiting.offline(to_do), wait_s, name=name)


def _group_of(context: typer.Context, name: str) -> str:
    return client(context).call("vm.group", {"name": name}, type=str)


# Here, so that `--help` begins with what is asked for most.
vm_create.add_to(app)
vm_import.add_to(app)
vm_probe.add_to(app)
