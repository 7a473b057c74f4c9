"""outlast quorum: who votes on what is written to the cluster database, and what can still be lost."""

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from outlast.cli import options, output
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.core.quorum.margin import LOST
from outlast.model.answers import ForceRow, QuorumRow, VoterRow

app = typer.Typer(name="quorum", help="Who votes in the cluster database.", no_args_is_help=True)
TITLES = ("member", "part", "state", "version", "behind", "size")
STYLES = {
    "leads": "green",
    "votes": "green",
    "learns": "yellow",
    "starting": "yellow",
    "no leader": "yellow",
    "not well": "bold red",
}
FORCE_S = 600.0


@app.callback()
def noun() -> None:
    """Who votes in the cluster database."""


@app.command()
def show(context: typer.Context, as_json: options.Json = False) -> None:
    """Who votes, who leads, and what can still be lost."""
    answer = client(context).call("quorum.show", type=QuorumRow)
    if wants_json(context):
        output.json(answer)
        return
    if answer.words.startswith(LOST):
        output.line(Cell("No quorum: ", "bold red"), Cell(answer.words.removeprefix(LOST), "bold red"))
    else:
        output.line(Cell("Quorum: ", "bold"), Cell(answer.words, "green" if answer.margin > 0 else "bold yellow"))
    output.table(
        TITLES, [_row(row) for row in (*_by_name(answer.voters), *_by_name(answer.others))], empty="no member is known"
    )
    for words in answer.waits:
        output.line(Cell(words, "yellow"))


def _by_name(rows: Iterable[VoterRow]) -> list[VoterRow]:
    return sorted(rows, key=lambda row: row.name)


def _row(row: VoterRow) -> Any:
    behind = f"{row.behind} {'entry' if row.behind == 1 else 'entries'}" if row.behind else ""
    size = f"{row.database_mib:g} MiB" if row.version else ""
    cells = (row.name, row.part, Cell(row.state, STYLES.get(row.state, "")), row.version, behind, size)
    return output.Row(cells, why=row.why)


def force_quorum(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: I have made sure that the others are off.")] = False,
    others_lost: Annotated[
        bool,
        typer.Option("--others-are-lost", help="The others will never come back with the databases that they had."),
    ] = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Let the database go on without voters that will not come back.

    The last resort, on a node that survived. All others must be off: those that have fence devices are fenced, for the
    rest your word counts. Afterwards they cannot form a cluster of their own.
    """
    contact = client(context)
    row = contact.call("quorum.forecast", {"others_lost": others_lost}, type=ForceRow)
    if what_if:
        output.json(row) if wants_json(context) else _tell(row)
        return
    if row.refused:
        raise ControlError("impossible", f"the quorum cannot be forced here: {row.refused}")
    if not yes:
        _ask(row)
    arguments = {"confirmed": list(row.must_be_off), "others_lost": others_lost}
    words = contact.call("quorum.force", arguments, type=str, timeout_s=wait_s or FORCE_S)
    if wants_json(context):
        output.json({"words": words})
    else:
        output.line(words)


def _tell(row: ForceRow) -> None:
    if row.refused:
        output.line(f"The quorum cannot be forced here: {row.refused}")
    for words in row.consequences:
        output.line(f"- {words}.")
    for name, vms in row.vms.items():
        output.line(Cell(f"  {name} owns: {', '.join(vms)}", "bold"))


def _ask(row: ForceRow) -> None:
    if not sys.stdin.isatty():
        raise ControlError(
            "usage", "cannot ask you whether the others are off: there is no terminal; if you have made sure, add --yes"
        )
    _tell(row)
    off = ", ".join(row.must_be_off)
    typer.confirm(f"Are {off} off?" if off else "Go on?", abort=True)
