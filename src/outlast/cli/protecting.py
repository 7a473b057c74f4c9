"""How does a command end that takes a VM under protection, whatever its definition came from?"""

import typer

from outlast.cli import output, rows, waiting
from outlast.cli.contact import wants_json
from outlast.cli.output import Cell, named
from outlast.client.control import Client, ControlError
from outlast.model.answers import GroupRow, ProtectReport

PROTECT_S = 120.0
"""Every node is asked whether it could run the VM."""


def settled(context: typer.Context, contact: Client, report: ProtectReport, wait_s: float | None) -> GroupRow:
    """The VM's group when it is as it is wanted to be."""
    name = contact.call("vm.group", {"name": report.name}, type=str)
    row = contact.call("group.show", {"name": name}, type=GroupRow)
    if report.wanted == "offline":
        return row
    try:
        goal = waiting.online() if name == report.name else waiting.resource_online(report.name)
        return waiting.settle(contact, row, goal, wait_s, name=report.name, quiet=wants_json(context))
    except ControlError as error:
        raise ControlError(error.kind, f"{named(report.name)} is protected, but not online: {error}") from None


def show_done(report: ProtectReport, ended: GroupRow) -> None:
    output.line(Cell(f"{named(report.name)} is protected", "green"), f"; it is {waiting.present(ended)}")
    show_nodes(report)
    warn(report)


def show_what_if(context: typer.Context, report: ProtectReport) -> None:
    if wants_json(context):
        output.json(report)
        return
    if report.owner:
        where = f"on {report.owner}, where it runs"
    else:
        where = f"on {report.goes_to}, where its group is" if report.goes_to else "on the best node"
    end = f"online, {where}" if report.wanted == "online" else "offline, as it is"
    output.line(f"{named(report.name)} would be protected; it would be {end}. Nothing was changed.")
    show_nodes(report)
    warn(report)


def warn(report: ProtectReport) -> None:
    if report.warning:
        output.line(Cell(f"warning: {report.warning}", "yellow"))


def show_nodes(report: ProtectReport) -> None:
    problems = {node: "; ".join(found) for node, found in report.nodes.items()}
    output.table(("node", "could run it"), rows.placement(problems))
