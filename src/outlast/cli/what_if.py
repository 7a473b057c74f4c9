"""outlast what-if: what would happen? Nothing is changed by asking."""

from collections import Counter
from typing import Annotated

import typer

from outlast.cli import options, output
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.model.foresight import Forecast, NodeAfter, Restart

app = typer.Typer(name="what-if", help="What would happen? Nothing is changed by asking.", no_args_is_help=True)
MOST = 30
"""Longer lists are summed up."""


@app.callback()
def what_if() -> None:
    """What would happen? Nothing is changed by asking."""


@app.command("node-down")
def node_down(
    context: typer.Context,
    nodes: Annotated[list[str], typer.Argument(metavar="NODE...", help="All of them would be lost at once.")],
    every: Annotated[bool, typer.Option("--all", help="Name every group, however many there are.")] = False,
    as_json: options.Json = False,
) -> None:
    """Where would everything go if these nodes died now, and what would stay down?"""
    found = client(context).call("what_if.node_down", {"nodes": nodes}, type=Forecast)
    if wants_json(context):
        output.json(found)
    else:
        _show(found, every=every)


def _show(found: Forecast, *, every: bool) -> None:
    again = [row for row in found.restarts if row.to]
    down = [row for row in found.restarts if not row.to]
    output.line(summary(found))
    for note in found.notes:
        output.line(Cell(note, "yellow"))
    if down:
        output.heading("Would not run")
        shown = down if every else down[:MOST]
        output.table(
            ("group", "priority", "memory"),
            [Row((row.group, row.priority, _memory(row.memory_mib)), why=row.why) for row in shown],
        )
        _rest(len(down) - len(shown))
    if again:
        output.heading("Would run again")
        few = len(again) <= MOST
        if every or few:
            output.table(("group", "goes to", "memory"), [_again(row, with_why=few) for row in again])
        else:
            counts = sorted(Counter(row.to for row in again).items())
            output.table(("goes to", "groups"), [Row((node, str(count))) for node, count in counts])
            output.line(Cell("--all names them", "dim"))
    if found.nodes and (again or down):
        output.heading("The nodes afterwards")
        output.table(("node", "groups", "memory left"), [_node(row) for row in found.nodes])


def summary(found: Forecast) -> str:
    """The answer in one line."""
    lost = " and ".join(filter(None, (", ".join(found.lost[:-1]), found.lost[-1])))
    if not found.restarts:
        return f"If {lost} were lost now, nothing that should run would be down."
    down = sum(1 for row in found.restarts if not row.to)
    total = len(found.restarts)
    groups = "1 group" if total == 1 else f"{total} groups"
    if not down:
        return f"If {lost} were lost now, {groups} would run again elsewhere."
    if down == total:
        return f"If {lost} were lost now, {groups} would not run again."
    return f"If {lost} were lost now, {total - down} of {groups} would run again elsewhere, and {down} would not."


def _again(row: Restart, *, with_why: bool) -> Row:
    return Row((row.group, row.to, _memory(row.memory_mib)), why=row.why if with_why else "", why_style="dim")


def _node(row: NodeAfter) -> Row:
    more = row.groups_after - row.groups_before
    groups = f"{row.groups_after} (+{more})" if more > 0 else str(row.groups_after)
    left = f"{row.memory_left_mib} of {row.memory_mib} MiB" if row.memory_mib else Cell("not known", "dim")
    return Row((row.name, groups, left))


def _memory(mib: int) -> str:
    return f"{mib} MiB" if mib else ""


def _rest(count: int) -> None:
    if count > 0:
        output.line(Cell(f"and {count} more; --all names them", "dim"))
