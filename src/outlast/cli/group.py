"""outlast group: the units that move, each with its resources."""

from typing import Annotated, Any

import typer

from outlast.cli import options, output, rows, times, waiting
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.model.answers import GroupRow

app = typer.Typer(name="group", help="The units that move, each with its resources.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="GROUP", help="A group; a VM's has the VM's name.")]


@app.command("list")
def list_groups(context: typer.Context, as_json: options.Json = False) -> None:
    """All groups, where they are, and why they are not as wanted."""
    found = client(context).call("group.list", type=list[GroupRow])
    if wants_json(context):
        output.json(found)
    else:
        output.table(rows.GROUP_TITLES, [rows.group(row) for row in found], empty="there is no group yet")


@app.command()
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """All about one group."""
    row = client(context).call("group.show", {"name": name}, type=GroupRow)
    if wants_json(context):
        output.json(row)
    else:
        show_group(row)


def show_group(row: GroupRow) -> None:
    output.fields([("group", Cell(row.name, "bold")), *about(row)])
    failures(row)


def about(row: GroupRow) -> list[tuple[str, Cell | str]]:
    return [
        ("state", output.state(row.state)),
        ("why", Cell(row.why, "yellow")),
        ("wanted", f"{row.wanted}, by {row.wanted_by}" if row.wanted_by else row.wanted),
        ("owner", f"{row.owner or 'nobody'} (epoch {row.epoch})"),
        ("moves to", row.move_to),
        ("protected", rows.protected(row.protected)),
        ("why not", Cell("\n".join(row.not_protected_because), "yellow")),
        ("resources", ", ".join(row.resources)),
        ("preferred owners", ", ".join(row.preferred_owners)),
        ("possible owners", ", ".join(row.possible_owners) or "every node"),
        ("may fail over", f"{row.failover_threshold} times within {times.setting(row.failover_period_s)}"),
    ]


def failures(row: GroupRow) -> None:
    if row.failures:
        output.heading("Failures that count")
        found = [output.Row((times.moment(failure.at_s), failure.node), why=failure.why) for failure in row.failures]
        output.table(("at", "node"), found)


@app.command()
def online(context: typer.Context, name: Name, wait_s: options.Wait = None, as_json: options.Json = False) -> None:
    """Bring a group online, and forget its failures."""
    waiting.carry_out(context, "group.online", {"name": name}, waiting.online(), wait_s)


@app.command()
def offline(
    context: typer.Context,
    name: Name,
    turn_off: options.TurnOff = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Take a group offline; it stays so until somebody brings it online."""
    arguments = {"name": name, "stop": options.stop_of(turn_off)}
    waiting.carry_out(context, "group.offline", arguments, waiting.offline("take {name} offline"), wait_s)


@app.command()
def move(
    context: typer.Context,
    name: Name,
    to: options.To = "",
    turn_off: options.TurnOff = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Move a group to another node: it stops here and starts there."""
    start = client(context).call("group.show", {"name": name}, type=GroupRow)
    arguments = {"name": name, "to": to, "stop": options.stop_of(turn_off)}
    waiting.carry_out(context, "group.move", arguments, waiting.moved(start, to), wait_s)


@app.command("set")
def set_group(
    context: typer.Context,
    name: Name,
    preferred_owners: options.PreferredOwners = None,
    possible_owners: options.PossibleOwners = None,
    failover_threshold: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", help='How often it may fail over within the period; "default": as set for the cluster.'
        ),
    ] = None,
    failover_period_s: Annotated[
        str | None, typer.Option(metavar="SECONDS", help='The period; "default": as set for the cluster.')
    ] = None,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Change where a group may run, and how often it may fail over."""
    values: dict[str, Any] = {}
    for key, owners in (("preferred_owners", preferred_owners), ("possible_owners", possible_owners)):
        if owners is not None:
            values[key] = options.node_names(owners)
    if failover_threshold is not None:
        number = options.number_or_default("--failover-threshold", failover_threshold)
        if number is not None and number != int(number):
            raise ControlError(
                "usage", f"cannot use --failover-threshold {failover_threshold}: it takes a whole number"
            )
        values["failover_threshold"] = None if number is None else int(number)
    if failover_period_s is not None:
        values["failover_period_s"] = options.number_or_default("--failover-period-s", failover_period_s)
    if not values:
        raise ControlError("usage", f"nothing to set for {name}; see: outlast group set --help")
    row = client(context).call("group.set", {"name": name, "values": values}, type=GroupRow, timeout_s=wait_s or 60.0)
    if wants_json(context):
        output.json(row)
    else:
        show_group(row)
