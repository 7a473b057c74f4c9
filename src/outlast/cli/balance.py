"""outlast balance: what has each node to do, and what is to be moved so that none has much more than another?"""

from typing import Any

import typer

from outlast.cli import options, output
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.client.control import Client, ControlError
from outlast.model.balance_answers import BalanceRow, LoadRow

app = typer.Typer()
ROUND_S = 300.0
MARGIN_S = 30.0
TITLES = ("node", "load", "groups", "memory", "processors")
MOVE_TITLES = ("group", "from", "to")
SHOWN = 5


@app.command()
def balance(
    context: typer.Context, what_if: options.WhatIf = False, wait_s: options.Wait = None, as_json: options.Json = False
) -> None:
    """Move groups so that no node has much more to do than another; with --what-if, only show what that would be.

    Only what is worth it is moved, a few at once, and nothing that is to stay where it is. To have the cluster do it by
    itself: outlast cluster set balance=continuous (or "on join").
    """
    contact = client(context)
    row = contact.call("balance.look", type=BalanceRow)
    if what_if or not row.moves:
        output.json(row) if wants_json(context) else _show(row)
        return
    planned = len(row.moves)
    row = _run(contact, row, wait_s, quiet=wants_json(context))
    if wants_json(context):
        output.json(row)
    else:
        _show(row, done=planned)
    if row.moves and wait_s != 0:
        raise ControlError("impossible", f"not done: {len(row.moves)} are left to move{_since(row)}")


def _run(contact: Client, row: BalanceRow, wait_s: float | None, *, quiet: bool) -> BalanceRow:
    limit_s = ROUND_S if wait_s is None else wait_s
    with output.progress("balance the load", quiet=quiet) as tell:
        while True:
            left = len(row.moves)
            asked = {"timeout_s": limit_s}
            for row in contact.stream("balance.run", asked, type=BalanceRow, timeout_s=limit_s + MARGIN_S):
                tell(f"{len(row.moves)} left to move{_since(row)}")
            # Without a limit of the user's it goes on as long as something comes of it.
            if wait_s is not None or not row.moves or len(row.moves) >= left:
                return row


def _since(row: BalanceRow) -> str:
    return f" ({row.waits})" if row.waits else ""


def _show(row: BalanceRow, *, done: int = 0) -> None:
    by_itself = "not balanced by itself" if row.mode == "off" else f"balanced {row.mode}"
    output.line(Cell("Load", "bold"), f", {by_itself} (setting balance={row.mode})")
    output.table(TITLES, [_node(one, weighed=row.weighed) for one in row.nodes], empty="there is no member")
    if row.moves:
        output.heading("Left to move" if done else "Would be moved")
        moves = [Row((one.group, one.source, one.target), why=one.why) for one in row.moves]
        output.table(MOVE_TITLES, moves)
    elif done:
        output.line(Cell("It is done: no move is worth it any more", "green"))
    else:
        output.line(Cell("Nothing is to be moved: no move would be worth it", "green"))
    for why, groups in sorted(row.stay.items()):
        names = ", ".join(groups[:SHOWN]) + (f" and {len(groups) - SHOWN} more" if len(groups) > SHOWN else "")
        output.line(Cell(f"{names}: {why}", "dim"))
    if row.waits:
        output.line(Cell(f"Before anything is moved, something else has to end: {row.waits}", "yellow"))


def _node(row: LoadRow, *, weighed: bool) -> Row:
    cells: tuple[Any, ...] = (
        row.name,
        f"{row.load:.0%}" if weighed else f"{row.load:g}",
        str(row.groups),
        f"{row.memory_mib} of {row.has_mib} MiB" if row.has_mib else f"{row.memory_mib} MiB",
        f"{row.cpus} of {row.has_cpus}" if row.has_cpus else str(row.cpus),
    )
    return Row(cells, why=f"is given nothing: {row.refuses}" if row.refuses else "")
