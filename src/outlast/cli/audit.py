"""outlast audit: who asked for which change, from where, and how that ended."""

from typing import Annotated

import msgspec
import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.model.access import DONE, Audit

app = typer.Typer()
TITLES = ("time", "who", "from", "node", "what", "result")


@app.command()
def audit(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="So many of the last ones.")] = 50,
    who: Annotated[str, typer.Option("--who", metavar="NAME", show_default=False, help="Of this user only.")] = "",
    verb: Annotated[
        str, typer.Option("--verb", metavar="VERB", show_default=False, help='Verbs that begin so only: "group.".')
    ] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only what did not end well.")] = False,
    as_json: options.Json = False,
) -> None:
    """Who asked for which change, from where, and how it ended; the last one below."""
    wanted = {"limit": limit, "who": who, "verb": verb, "ended": "not done" if failed else "any"}
    found = client(context).call("audit.list", wanted, type=list[Audit])
    if wants_json(context):
        output.json(found)
    else:
        output.table(TITLES, [_row(one) for one in found], empty="nothing was changed yet")


def _row(one: Audit) -> Row:
    told = " ".join(f"{name}={_shown(value)}" for name, value in one.arguments.items() if value not in ("", None, []))
    result = Cell(one.result, "" if one.result == DONE else "yellow")
    return Row((times.moment(one.at_s), one.who, one.address, one.node, f"{one.verb} {told}".strip(), result))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
