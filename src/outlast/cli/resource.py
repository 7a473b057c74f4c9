"""outlast resource: what groups are made of."""

from typing import Annotated

import typer

from outlast.cli import options, output, rows, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.model.answers import ResourceRow

app = typer.Typer(
    name="resource", help="What groups are made of: a VM, and later addresses, shares...", no_args_is_help=True
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
            ("owner", row.owner),
            ("identity", row.identity),
            *watched(row),
        ]
    )


def watched(row: ResourceRow) -> list[tuple[str, Cell | str]]:
    return [
        ("asked if alive", f"every {times.setting(row.is_alive_interval_s)}"),
        ("start may take", f"{times.setting(row.online_timeout_s)} without progress"),
        ("stop may take", f"{times.setting(row.offline_timeout_s)}, then by force"),
    ]


@app.command("set")
def set_resource(
    context: typer.Context,
    name: Name,
    is_alive_interval_s: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0.1, help="How often to ask whether it is alive.")
    ] = None,
    online_timeout_s: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, help="How long a start may go without progress.")
    ] = None,
    offline_timeout_s: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="How long an orderly stop may take; then by force.")
    ] = None,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Change how a resource is watched, started and stopped."""
    given = {
        "is_alive_interval_s": is_alive_interval_s,
        "online_timeout_s": online_timeout_s,
        "offline_timeout_s": offline_timeout_s,
    }
    values = {key: value for key, value in given.items() if value is not None}
    if not values:
        raise ControlError("usage", f"nothing to set for {name}; see: outlast resource set --help")
    arguments = {"name": name, "values": values}
    row = client(context).call("resource.set", arguments, type=ResourceRow, timeout_s=wait_s or 60.0)
    if wants_json(context):
        output.json(row)
    else:
        show_resource(row)
