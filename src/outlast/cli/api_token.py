"""outlast api-token: with which scripts, and `outlast` from elsewhere, ask the HTTP API."""

import sys
from typing import Annotated

import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.cli.user import Groups, Role
from outlast.client.control import ControlError
from outlast.core.spelling import DAY_S
from outlast.model.access_answers import ApiTokenMade, ApiTokenRow

app = typer.Typer(name="api-token", help="Tokens with which scripts ask the HTTP API.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="TOKEN", help="What it is called: who uses it, or for what.")]
TITLES = ("token", "role", "groups", "good until", "made by")


@app.command("list")
def list_tokens(context: typer.Context, as_json: options.Json = False) -> None:
    """All API tokens: what they may do, and until when."""
    found = client(context).call("token.list", type=list[ApiTokenRow])
    if wants_json(context):
        output.json(found)
    else:
        output.table(TITLES, [_row(row) for row in found], empty="there is none; outlast api-token create makes one")


@app.command()
def create(
    context: typer.Context,
    name: Name,
    role: Role = "viewer",
    groups: Groups = "",
    days: Annotated[float, typer.Option("--days", help="For how long it is good; 0: until it is deleted.")] = 90.0,
    as_json: options.Json = False,
) -> None:
    """Make a token, and print it: it is shown this once."""
    if days < 0:
        raise ControlError("usage", "--days cannot be negative")
    arguments = {
        "name": name,
        "role": role,
        "groups": options.node_names(groups) or [],
        "lifetime_s": days * DAY_S,
    }
    made = client(context).call("token.create", arguments, type=ApiTokenMade)
    if wants_json(context):
        output.json(made)
    else:
        output.line(made.token)
        if made.fingerprint and sys.stdout.isatty():
            sys.stderr.write(f"From elsewhere: outlast context add NAME URL --fingerprint {made.fingerprint}\n")


@app.command()
def delete(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Delete a token: nobody gets in by it any more."""
    words = client(context).call("token.delete", {"name": name}, type=str)
    if wants_json(context):
        output.json(words)
    else:
        output.line(Cell(words, "green"))


def _row(row: ApiTokenRow) -> Row:
    until = times.day(row.until_s) if row.until_s else "it is deleted"
    return Row((row.name, row.role, ", ".join(row.groups) or "all", until, row.made_by))
