"""outlast group: the units that move, each with its resources."""

from typing import Annotated, Any

import typer

from outlast.cli import group_settings, options, output, rows, times, waiting
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.core import spelling
from outlast.model.answers import Foretold, GroupRow
from outlast.model.group import AWAY

app = typer.Typer(name="group", help="The units that move, each with its resources.", no_args_is_help=True)
BALANCING = {
    "never": "never moves it",
    "live": "moves it only where nobody notices",
    "always": "may stop it to start it elsewhere",
}
GOING_OFF = {
    "save": "with its state saved, to go on from there",
    "shutdown": "by shutting down",
    "turn off": "as if its power were cut",
}
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
    output.fields([("group", Cell(row.name, "bold")), *about(row), *settings(row)])
    members(row)
    failures(row)


def settings(row: GroupRow) -> list[tuple[str, Cell | str]]:
    """What an administrator has set, and what counts where nothing was set."""
    hours = f", from {row.failback_hours[0]} to {row.failback_hours[1]} o'clock" if row.failback == "window" else ""
    after = f"{spelling.spelled(row.start_after)}, for at most {times.setting(row.start_limit_s)}"
    return [
        ("priority", row.priority),
        ("starts after", after if row.start_after else ""),
        (
            "tried again",
            f"{times.setting(row.retry_after_s)} after the last failover" if row.retry_after_s else "never",
        ),
        ("failback", f"{row.failback}{hours}"),
        ("goes offline", GOING_OFF.get(row.offline_action, row.offline_action)),
        ("balancing", BALANCING.get(row.balance, row.balance)),
        ("networks", ", ".join(f"{name} (lost)" if lost else name for name, lost in sorted(row.networks.items()))),
    ]


def members(row: GroupRow) -> None:
    """As a tree: below each what it needs. Nothing to see where there is but one."""
    if len(row.members) > 1:
        output.heading("Resources, each above what it needs")
        output.table(rows.MEMBER_TITLES, rows.tree(row.members))


def about(row: GroupRow) -> list[tuple[str, Cell | str]]:
    return [
        ("state", output.state(row.state)),
        ("why", Cell(row.why, "yellow")),
        ("wanted", f"{row.wanted}, by {row.wanted_by}" if row.wanted_by else row.wanted),
        ("owner", f"{row.owner or 'nobody'} (epoch {row.epoch})"),
        ("moves to", row.move_to if row.move_to != AWAY else "any node that can take it"),
        ("returns to", row.return_to),
        ("locked", Cell(row.locked, "yellow")),
        ("maintenance", Cell(row.maintenance, "yellow")),
        *rows.shield(row),
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
def online(
    context: typer.Context,
    name: Name,
    discard: options.DiscardSaved = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Bring a group online, and forget its failures."""
    if what_if:
        would(context, {"name": name, "verb": "online"})
        return
    arguments: dict[str, Any] = {"name": name, **({"discard_saved": True} if discard else {})}
    waiting.carry_out(context, "group.online", arguments, waiting.online(), wait_s)


@app.command()
def offline(
    context: typer.Context,
    name: Name,
    how: options.HowOff = None,
    turn_off: options.TurnOff = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Take a group offline; it stays so until somebody brings it online."""
    arguments: dict[str, Any] = {"name": name, "stop": options.going_off(how, turn_off)}
    if what_if:
        would(context, {**arguments, "verb": "offline"})
        return
    waiting.carry_out(context, "group.offline", arguments, waiting.offline("take {name} offline"), wait_s)


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
    """Move a group to another node: as it runs if that is possible, else it stops here and starts there."""
    arguments = {"name": name, "to": to, "stop": options.leaving(how, turn_off), "ignore_lock": ignore_lock}
    if what_if:
        would(context, {**arguments, "verb": "move"})
        return
    waiting.carry_out(context, "group.move", arguments, waiting.moved, wait_s)


def would(context: typer.Context, asked: dict[str, Any]) -> None:
    """The answer of `--what-if`."""
    group_settings.told(context, client(context).call("group.would", asked, type=Foretold))


# Here, so that `--help` begins with what is asked for most.
group_settings.add_to(app)
