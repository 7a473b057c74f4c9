"""outlast resource: what groups are made of."""

import time
from typing import Annotated, Any

import typer

from outlast.cli import group_settings, guests, options, output, resource_settings, rows, times, waiting
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, named
from outlast.model.answers import Foretold, GroupRow, ResourceRow

app = typer.Typer(
    name="resource", help="What groups are made of: VMs, addresses, shares, services, ...", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(metavar="RESOURCE", help="A resource; a VM's has the VM's name.")]


@app.command("list")
def list_resources(context: typer.Context, as_json: options.Json = False) -> None:
    """All resources and how they are."""
    found = client(context).call("resource.list", type=list[ResourceRow])
    if wants_json(context):
        output.json(found)
    else:
        output.table(rows.RESOURCE_TITLES, [rows.resource(row) for row in found], empty="there is no resource yet")


@app.command()
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """All about one resource."""
    row = client(context).call("resource.show", {"name": name}, type=ResourceRow)
    if wants_json(context):
        output.json(row)
    else:
        show_resource(row)


def show_resource(row: ResourceRow) -> None:
    output.fields(
        [
            ("resource", Cell(row.name, "bold")),
            ("type", row.type),
            ("group", row.group),
            ("state", output.state(row.state)),
            ("why", Cell(row.why, "yellow")),
            ("wanted", row.wanted if row.wanted != "online" else ""),
            ("maintenance", Cell(row.maintenance, "yellow")),
            ("owner", row.owner),
            *rows.shield(row),
            ("identity", row.identity),
            ("needs", row.depends_on),
            ("size", _size(row)),
            ("properties", ", ".join(f"{key}={value}" for key, value in row.properties.items())),
            *watched(row),
            *guests.about(row),
        ]
    )


def watched(row: ResourceRow) -> list[tuple[str, Cell | str]]:
    cheap = f", cheaply every {times.setting(row.looks_alive_interval_s)}" if row.looks_alive_interval_s else ""
    return [
        ("saved state", row.saved),
        ("asked if alive", f"every {times.setting(row.is_alive_interval_s)}{cheap}"),
        ("when it fails", when_it_fails(row)),
        ("when stopped", when_it_is_stopped(row)),
        ("start may take", f"{times.setting(row.online_timeout_s)} without progress"),
        ("stop may take", f"{times.setting(row.offline_timeout_s)}, then by force"),
        ("a call hangs", f"after {times.setting(row.deadlock_timeout_s)} without progress"),
        ("host process", "of its own" if row.separate_host else ""),
        ("states lie in", row.state_dir),
    ]


def when_it_is_stopped(row: ResourceRow) -> str:
    """What `on_console_stop` and `on_guest_shutdown` amount to."""
    at_console, by_guest = row.on_console_stop == "restart", row.on_guest_shutdown == "restart"
    if at_console and by_guest:
        return "it is brought online again"
    if at_console:
        return "it stays off if its guest shut down; it is brought online again if it was stopped at the host's console"
    if by_guest:
        return "it is brought online again if its guest shut down; it stays off if it was stopped at the host's console"
    return "it stays off"


def when_it_fails(row: ResourceRow) -> str:
    """What `restart_action` and the settings beside it amount to."""
    in_the_end = "its group moves to another node" if row.restart_action == "failover" else "it stays failed here"
    if row.restart_action == "restart" and row.retry_after_s > 0:
        in_the_end += f", and is tried once more {times.setting(row.retry_after_s)} later"
    if row.restart_action == "nothing" or not row.restart_threshold:
        return in_the_end
    often = "once" if row.restart_threshold == 1 else f"up to {row.restart_threshold} times"
    return (
        f"it is restarted here {times.setting(row.restart_delay_s)} later, {often} within "
        f"{times.setting(row.restart_period_s)}; then {in_the_end}"
    )


def _size(row: ResourceRow) -> str:
    vcpus = f"{row.vcpus} vCPU" if row.vcpus else ""
    return ", ".join(filter(None, (f"{row.memory_mib} MiB" if row.memory_mib else "", vcpus)))


@app.command()
def online(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Bring a resource online, in a group that is wanted online; a failure of it is forgotten."""
    if what_if:
        _would(context, {"name": name, "verb": "online"})
        return
    waiting.carry_out(context, "resource.online", {"name": name}, waiting.resource_online(name), wait_s, name=name)


@app.command()
def offline(
    context: typer.Context,
    name: Name,
    turn_off: options.TurnOff = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Take a resource offline, and with it what needs it; the rest of its group stays as it is."""
    arguments = {"name": name, "stop": options.stop_of(turn_off)}
    if what_if:
        _would(context, {**arguments, "verb": "offline"})
        return
    waiting.carry_out(context, "resource.offline", arguments, waiting.resource_offline(name), wait_s, name=name)


@app.command()
def fail(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Have a resource fail, to see what becomes of it: it is terminated, and counts as any failure does."""
    if what_if:
        _would(context, {"name": name, "verb": "fail"})
        return
    contact = client(context)
    began = time.monotonic()
    asked = contact.call("resource.fail", {"name": name}, type=GroupRow)
    goal = waiting.resource_failed(name)
    row = waiting.settle(contact, asked, goal, wait_s, name=name, quiet=wants_json(context))
    if wants_json(context):
        output.json(row)
        return
    took = f" after {times.duration(time.monotonic() - began)}" if wait_s != 0 else ""
    output.line(f"{named(name)} has failed; it is {waiting.present(goal.subject(row))}{took or ' now'}")


def _would(context: typer.Context, asked: dict[str, Any]) -> None:
    group_settings.told(context, client(context).call("resource.would", asked, type=Foretold))


# Here, so that `--help` begins with what is asked for most.
resource_settings.add_to(app)
