"""What is in a lab? To look at it, and to go in."""

import sys
from typing import Annotated

import typer

from outlast.cli.lab.opened import Json, Name, Node, opened, print_json, refuse, wants_json


def show(context: typer.Context, name: Name = "lab", as_json: Json = False) -> None:
    """The nodes, what runs on them, and how they are cut."""
    import dataclasses

    with opened(name) as lab:
        reports = lab.show()
        state = lab.state()
    if wants_json(context, as_json):
        nodes = [dataclasses.asdict(report) for report in reports]
        print_json({"name": name, "directory": str(lab.paths.root), "watchdog": state.watchdog, "nodes": nodes})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "node", "address", "power", "services", "guests", "cut from", "BMC", "why", box=None, header_style="bold"
    )
    for column in table.columns:
        column.overflow = "fold"  # nothing is cut off, however narrow the terminal is
    colours = {"on": "green", "off": "red", "frozen": "blue"}
    for report in reports:
        table.add_row(
            report.name,
            report.address,
            f"[{colours[report.power]}]{report.power}[/]",
            ", ".join(report.services),
            ", ".join(report.guests),
            ", ".join(report.cut_from),
            report.bmc,
            report.why,
        )
    Console().print(table)


def execute(context: typer.Context, node: Node, name: Name = "lab") -> None:
    """Run a command in a node: outlast lab exec n1 virsh list."""
    command = context.args[1:] if context.args[:1] == ["--"] else context.args
    if not command:
        refuse(2, f"no command was given; for example: outlast lab exec {node} virsh list")
    with opened(name) as lab:
        lab.become(node, command)


def shell(node: Node, name: Name = "lab") -> None:
    """A shell in a node."""
    with opened(name) as lab:
        lab.become(node, ["/bin/bash", "-i"])


def logs(
    node: Node,
    service: Annotated[str, typer.Argument(metavar="[SERVICE]", help="outlastd, libvirtd or boot.")] = "outlastd",
    name: Name = "lab",
) -> None:
    """Print a service's log."""
    with opened(name) as lab:
        sys.stdout.write(lab.log(node, service))
