"""outlast cluster token: with which one machine can join, and how it is taken back."""

import time
from typing import Annotated

import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.core.joining import tokens
from outlast.model.answers import Revoked, TokenRow

CALL_S = 60.0
TITLES = ("id", "for", "state")


def token(
    context: typer.Context,
    witness: Annotated[bool, typer.Option("--witness", help="For a witness.")] = False,
    lifetime_s: Annotated[float, typer.Option("--lifetime-s", help="For how long the token is good.")] = 3600.0,
    list_them: Annotated[bool, typer.Option("--list", help="Give none out: list those that are not used up.")] = False,
    revoke: Annotated[
        str | None,
        typer.Option("--revoke", metavar="ID|all", show_default=False, help="Give none out: take this one back."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """A token with which one machine can join.

    Whoever has it can join, once. --revoke takes it back, also while a machine is joining with it; "all" takes back
    those that nobody uses. An ID is what --list shows; its beginning is enough.
    """
    given = {
        "--witness": witness,
        "--lifetime-s": lifetime_s != 3600.0,
        "--list": list_them,
        "--revoke": revoke is not None,
    }
    alone = [option for option in ("--revoke", "--list") if given[option]]
    if alone and sum(given.values()) > 1:
        others = ", ".join(option for option, there in given.items() if there and option != alone[0])
        raise ControlError("usage", f"{alone[0]} cannot be combined with {others}: one thing at a time")
    if revoke is not None:
        _revoke(context, revoke)
    elif list_them:
        _list(context)
    else:
        word = client(context).call("cluster.token", {"witness": witness, "lifetime_s": lifetime_s}, type=str)
        if wants_json(context):
            output.json({"token": word, "id": tokens.id_in(word)})
        else:
            output.line(word)


def _list(context: typer.Context) -> None:
    found = client(context).call("cluster.tokens", type=list[TokenRow])
    if wants_json(context):
        output.json(found)
    else:
        rows = [output.Row((row.id, row.part, token_state(row))) for row in found]
        output.table(TITLES, rows, empty="there is none; outlast cluster token gives one out")


def _revoke(context: typer.Context, word: str) -> None:
    done = client(context).call("cluster.revoke", {"token": word}, type=Revoked, timeout_s=CALL_S)
    if wants_json(context):
        output.json(done)
        return
    for row in done.revoked:
        output.line(f"the token {row.id} for a {row.part} is taken back")
        if row.name:
            words = (
                f"the cluster has forgotten {row.name}, which was joining with it; but it keeps the certificate that "
            )
            output.line(Cell(f"{words}it was given: wipe {row.name} if you do not trust it", "yellow"))
    for row in done.kept:
        output.line(
            f"{row.name} is just joining with {row.id}; if it shall not: outlast cluster token --revoke {row.id}"
        )
    if not done.revoked:
        output.line("there is no token that could be taken back")


def token_state(row: TokenRow) -> str:
    left_s = row.until_s - time.time()
    return f"{row.name} is just joining" if row.name else f"not used yet; good for {times.duration(left_s)}"
