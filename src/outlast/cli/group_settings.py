"""outlast group create, set, lock, unlock, maintenance, delete: what a group is, and what may be done to it."""

from typing import Annotated, Any

import typer

from outlast.cli import options, output, setting_table
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, named
from outlast.client.control import ControlError
from outlast.model.answers import Foretold, GroupRow

Name = Annotated[str, typer.Argument(metavar="GROUP", help="A group; a VM's has the VM's name.")]
CALL_S = 60.0


def add_to(app: typer.Typer) -> None:
    app.command()(create)
    app.command("set")(set_group)
    app.command("settings")(show_settings)
    app.command()(lock)
    app.command()(unlock)
    app.command()(maintenance)
    app.command()(delete)


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="GROUP", help="How it shall be called.")],
    settings: options.Assignments = None,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Make a group. It is empty and offline until resources are created in it and it is brought online."""
    arguments = {"name": name, "values": options.assigned(settings), "what_if": what_if}
    row = client(context).call("group.create", arguments, type=GroupRow, timeout_s=wait_s or CALL_S)
    if wants_json(context):
        output.json(row)
    elif what_if:
        output.line(f"{named(name)} would be created. Nothing was changed.")
    else:
        output.line(Cell(f"{named(name)} is created", "green"), f"; next: outlast resource create NAME TYPE {name}")


def set_group(
    context: typer.Context,
    name: Name,
    settings: options.Assignments = None,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Change where a group may run, when it starts, and what becomes of it when it fails."""
    values = options.assigned(settings)
    if not values:
        raise ControlError("usage", f"nothing to set for {name}; docs/settings.md lists what a group has")
    _changed(context, "group.set", {"name": name, "values": values}, wait_s)


def show_settings(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """A group's settings: what each means, what it is, and what it is when nobody sets it."""
    setting_table.tell(context, "group.settings", {"name": name})


def lock(
    context: typer.Context,
    name: Name,
    why: Annotated[str, typer.Option(metavar="WORDS", help="Why, for all to see.")] = "",
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Keep a group where it is: nothing moves it on purpose. Failures and its node's death still do."""
    _changed(context, "group.lock", {"name": name, "why": why}, wait_s)


def unlock(context: typer.Context, name: Name, wait_s: options.Wait = None, as_json: options.Json = False) -> None:
    """Let a locked group be moved again."""
    _changed(context, "group.unlock", {"name": name}, wait_s)


def maintenance(
    context: typer.Context,
    name: Name,
    switch: options.Switch,
    why: Annotated[str, typer.Option(metavar="WORDS", help="Why, for all to see.")] = "",
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Leave a group alone: nobody asks whether it is alive, heals it or moves it, unless its node dies."""
    _changed(context, "group.maintenance", {"name": name, "on": options.is_on(switch), "why": why}, wait_s)


def delete(
    context: typer.Context,
    name: Name,
    with_resources: Annotated[
        bool, typer.Option("--with-resources", help="With all that is in it; nothing of it may run.")
    ] = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Delete a group of which nothing runs and that nothing else needs. A VM's goes with outlast vm unprotect."""
    arguments = {"name": name, "with_resources": with_resources, "what_if": what_if}
    told(context, client(context).call("group.delete", arguments, type=Foretold, timeout_s=wait_s or CALL_S))


def told(context: typer.Context, answer: Foretold) -> None:
    """What was done, or would be."""
    if wants_json(context):
        output.json(answer)
    else:
        output.line(f"{answer.words}. Nothing was changed." if answer.what_if else answer.words)


def _changed(context: typer.Context, verb: str, arguments: dict[str, Any], wait_s: float | None) -> None:
    from outlast.cli.group import show_group

    row = client(context).call(verb, arguments, type=GroupRow, timeout_s=wait_s or CALL_S)
    if wants_json(context):
        output.json(row)
        return
    show_group(row)
    if row.warning:
        output.line(Cell(f"warning: {row.warning}", "yellow"))
