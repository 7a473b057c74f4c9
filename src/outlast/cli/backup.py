"""outlast cluster backup, restore, confirm-ownership: the database as it was, and what runs where after that."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.model.backup import BackupRow, OwnershipReport, RestoreReport

CALL_S = 300.0
LIST = "list"
TITLES = ("taken", "cluster", "by", "entries", "size", "file")

File = Annotated[Path, typer.Argument(metavar="FILE", help="As `outlast cluster backup` wrote it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def add_to(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)
    app.command("confirm-ownership")(confirm_ownership)


def backup(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="[FILE | list]", help="Where to; default: this node's place for backups. `list`: what lies there."
        ),
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Write the whole cluster database to a file, as it is at one moment; or list what was written before."""
    if file == LIST:
        _list(context)
        return
    path = str(Path(file).absolute()) if file else ""
    row = client(context).call("cluster.backup", {"file": path}, type=BackupRow, timeout_s=CALL_S)
    if wants_json(context):
        output.json(row)
    else:
        output.line(f"{row.path}: {row.entries} keys at revision {row.revision}, {_size(row.size_bytes)}")


def restore(
    context: typer.Context,
    file: File,
    yes: Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also over groups that are there: they become as they were then.")
    ] = False,
    what_if: options.WhatIf = False,
    as_json: options.Json = False,
) -> None:
    """Write a backup back into the cluster database. Nothing is started until ownership is confirmed.

    Meant for a new, empty cluster. What runs goes on running; what was protected after the backup is so no longer.
    """
    contact = client(context)
    wanted: dict[str, Any] = {"file": str(file.absolute())}
    told = contact.call("cluster.restore", {**wanted, "what_if": True}, type=RestoreReport, timeout_s=CALL_S)
    if what_if:
        output.json(told) if wants_json(context) else _tell(told, "would become")
        return
    if not yes:
        _tell(told, "would become")
        _ask("Shall the cluster database become as it was then?", "whether the database shall be restored")
    done = contact.call("cluster.restore", {**wanted, "force": force}, type=RestoreReport, timeout_s=CALL_S)
    if wants_json(context):
        output.json(done)
        return
    _tell(done, "are")
    output.line(
        Cell("Nothing is started or stopped anywhere now. ", "bold yellow"),
        "When all nodes are members again: outlast cluster confirm-ownership",
    )


def confirm_ownership(
    context: typer.Context,
    yes: Yes = False,
    without: Annotated[
        str,
        typer.Option(
            "--without",
            metavar="NODES",
            show_default=False,
            help='Nodes that cannot be asked: I have made sure that nothing runs there. "n1,n2"',
        ),
    ] = "",
    what_if: options.WhatIf = False,
    as_json: options.Json = False,
) -> None:
    """After a restore: take what runs now, where it runs, as right, and let the cluster start what runs nowhere."""
    contact = client(context)
    wanted = {"without": options.node_names(without) or []}
    found = contact.call(
        "cluster.confirm_ownership", {**wanted, "what_if": True}, type=OwnershipReport, timeout_s=CALL_S
    )
    if what_if and wants_json(context):
        output.json(found)
        return
    if what_if or not yes:
        _tell_owners(found)
    if what_if:
        return
    if not yes:
        _ask("Is that so, and shall the cluster go on with it?", "whether that is right")
    done = contact.call("cluster.confirm_ownership", wanted, type=OwnershipReport, timeout_s=CALL_S)
    if wants_json(context):
        output.json(done)
    else:
        _tell_owners(done)
        output.line(Cell("The cluster goes on.", "bold green"))


def _list(context: typer.Context) -> None:
    found = client(context).call("cluster.backups", type=list[BackupRow], timeout_s=CALL_S)
    if wants_json(context):
        output.json(found)
    else:
        output.table(TITLES, [_row(row) for row in found], empty="there is no backup on this node yet")


def _row(row: BackupRow) -> output.Row:
    if row.problem:
        cells: tuple[Cell | str, ...] = (Cell("damaged", "bold red"), "", "", "", _size(row.size_bytes), row.path)
        return output.Row(cells, why=row.problem)
    taken = times.moment(row.taken_at_s)
    return output.Row((taken, row.cluster, row.node, str(row.entries), _size(row.size_bytes), row.path))


def _tell(told: RestoreReport, verb: str) -> None:
    header = told.header
    taken = times.moment(header.taken_at_s)
    output.line(
        Cell(f"The backup of {taken}", "bold"),
        f", of the cluster {output.named(header.cluster)}, taken by {header.node}: {header.entries} keys",
    )
    output.line(f"  nodes: {', '.join(told.nodes) or 'none'}")
    output.line(f"  groups that {verb} as they were: {', '.join(told.restored) or 'none'}")
    if told.forgotten:
        names = ", ".join(told.forgotten)
        output.line(Cell(f"  no longer the cluster's (they run on, unprotected): {names}", "yellow"))
    for warning in told.warnings:
        output.line(Cell(f"  {warning}", "yellow"))


def _tell_owners(found: OwnershipReport) -> None:
    for group, node in sorted(found.running.items()):
        output.line(f"  {group} runs on {node}, which owns it from now on")
    if found.placed:
        output.line(f"  run nowhere and are wanted online, so they are started: {', '.join(found.placed)}")
    if found.off:
        output.line(f"  run nowhere and are wanted offline: {', '.join(found.off)}")


def _ask(question: str, what: str) -> None:
    if not sys.stdin.isatty():
        raise ControlError("usage", f"cannot ask you {what}: there is no terminal; add --yes")
    typer.confirm(question, abort=True)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024:.0f} KiB" if size_bytes < 1024 * 1024 else f"{size_bytes / 1024 / 1024:.1f} MiB"
