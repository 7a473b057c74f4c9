"""outlast resource create, set, maintenance, delete: what a resource is, and what may be done to it."""

import json
from typing import Annotated, Any

import typer

from outlast.cli import options, output, rows, setting_table
from outlast.cli.contact import client, wants_json
from outlast.cli.group_settings import CALL_S, told
from outlast.cli.output import Cell, named
from outlast.client.control import ControlError
from outlast.model.answers import Foretold, ResourceCreated, ResourceRow

Name = Annotated[str, typer.Argument(metavar="RESOURCE", help="A resource; a VM's has the VM's name.")]


def add_to(app: typer.Typer) -> None:
    app.command()(create)
    app.command("set")(set_resource)
    app.command("settings")(show_settings)
    app.command()(maintenance)
    app.command()(delete)


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="RESOURCE", help="How it shall be called.")],
    type_name: Annotated[str, typer.Argument(metavar="TYPE", help="outlast resource-type list has all.")],
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The group it is to be in; a VM's has the VM's name.")],
    settings: options.Assignments = None,
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", metavar="KEY=VALUE", help="In its type's own words; may be given several times."),
    ] = None,
    definition: Annotated[
        str, typer.Option(metavar="FILE", help="In its type's own language; - reads it from stdin.")
    ] = "",
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Bring it online if its group is wanted online.")
    ] = True,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Make a resource in a group. A VM is taken in with outlast vm protect."""
    arguments = {
        "name": name,
        "type": type_name,
        "group": group,
        "values": options.assigned(settings),
        "properties": {key: _plain(value) for key, value in options.assigned(properties).items()},
        "definition": options.definition(definition) if definition else "",
        "start": start,
        "what_if": what_if,
    }
    answer = client(context).call("resource.create", arguments, type=ResourceCreated, timeout_s=wait_s or CALL_S)
    if wants_json(context):
        output.json(answer)
        return
    if what_if:
        output.line(f"{named(name)} would be created in {answer.resource.group}. Nothing was changed.")
    else:
        output.line(Cell(f"{named(name)} is created", "green"), f" in {answer.resource.group}; it is {_now(answer)}")
    output.table(("node", "could run it"), rows.placement(answer.nodes))
    if answer.warning:
        output.line(Cell(f"warning: {answer.warning}", "yellow"))


def _now(answer: ResourceCreated) -> str:
    now = answer.resource
    return now.state if now.state != "unknown" else f"about to be looked at by {now.owner}"


def _plain(text: str) -> Any:
    """A number, a list, true: what reads as JSON is meant so. All else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def set_resource(
    context: typer.Context,
    name: Name,
    settings: options.Assignments = None,
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            metavar="KEY=VALUE",
            help="In its type's own words, from its next start; KEY= takes one away. May be given several times.",
        ),
    ] = None,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Change what a resource needs, how it is watched, and what becomes of it when it fails."""
    values = options.assigned(settings)
    own = {key: _plain(value) if value else None for key, value in options.assigned(properties).items()}
    if not values and not own:
        raise ControlError("usage", f"nothing to set for {name}; docs/settings.md lists what a resource has")
    arguments = {"name": name, "values": values, **({"properties": own} if own else {})}
    _changed(context, "resource.set", arguments, wait_s)


def show_settings(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """A resource's settings: what each means, what it is, and what it is when nobody sets it."""
    setting_table.tell(context, "resource.settings", {"name": name})


def maintenance(
    context: typer.Context,
    name: Name,
    switch: options.Switch,
    why: Annotated[str, typer.Option(metavar="WORDS", help="Why, for all to see.")] = "",
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Leave a resource alone: nobody asks whether it is alive or heals it, and its group is not moved."""
    _changed(context, "resource.maintenance", {"name": name, "on": options.is_on(switch), "why": why}, wait_s)


def delete(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Delete a resource that is offline and that no other needs. A VM goes with outlast vm unprotect."""
    arguments = {"name": name, "what_if": what_if}
    told(context, client(context).call("resource.delete", arguments, type=Foretold, timeout_s=wait_s or CALL_S))


def _changed(context: typer.Context, verb: str, arguments: dict[str, Any], wait_s: float | None) -> None:
    from outlast.cli.resource import show_resource

    row = client(context).call(verb, arguments, type=ResourceRow, timeout_s=wait_s or CALL_S)
    if wants_json(context):
        output.json(row)
        return
    show_resource(row)
    if row.warning:
        output.line(Cell(f"warning: {row.warning}", "yellow"))
