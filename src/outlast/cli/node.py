"""outlast node: the machines of the cluster."""

import sys
import time
from typing import Annotated

import typer

from outlast.cli import load, maintenance, options, output, rows, times, waiting
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import Client, ControlError
from outlast.model.answers import MEMBERS, ClusterStatus, GroupRow, NodeFenced, NodeRow

app = typer.Typer(name="node", help="The machines of the cluster.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NODE", help="A node of the cluster.")]
CALL_S = 60.0
FENCE_S = 600.0
"""All levels, each with its time-out."""


@app.command("list")
def list_nodes(context: typer.Context, as_json: options.Json = False) -> None:
    """All nodes and how they are."""
    found = client(context).call("node.list", type=list[NodeRow])
    if wants_json(context):
        output.json(found)
    else:
        output.table(rows.NODE_TITLES, [rows.node(row) for row in found], empty="there is no node")


@app.command()
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """All about one node."""
    row = client(context).call("node.show", {"name": name}, type=NodeRow)
    if wants_json(context):
        output.json(row)
        return
    output.fields(
        [
            ("node", Cell(row.name, "bold")),
            ("state", output.state(row.state)),
            ("why", Cell(row.why, "yellow")),
            ("coordinator", "yes" if row.coordinator else "no"),
            ("address", row.address),
            ("groups", str(row.groups)),
            ("memory", _given_away(row.memory_used_mib, row.memory_mib, " MiB")),
            ("processors", _given_away(row.cpus_used, row.cpus)),
            ("rack", row.rack),
            ("site", row.site),
            ("drained by", row.drained_by),
            ("lost of late", f"{row.losses} times" if row.losses else ""),
            ("fencing", ", ".join(row.fence) or Cell("none: its death cannot be proven by fencing", "yellow")),
            ("watchdog", _watchdog(row)),
            ("incarnation", row.incarnation),
            ("last record", f"{row.last_record_s:.1f} s ago" if row.last_record_s >= 0 else "none"),
        ]
    )
    if row.networks:
        output.heading("Networks of guests")
        output.table(("network", "state"), [_network(name, lost) for name, lost in sorted(row.networks.items())])
    output.heading("Resource types")
    found = [
        output.Row((name, Cell("cannot run it", "bold red") if why else Cell("can run it", "green")), why=why)
        for name, why in sorted(row.types.items())
    ]
    output.table(("type", "state"), found, empty="it offers none now")


def _network(name: str, lost: str) -> output.Row:
    return output.Row((name, Cell("lost", "bold red") if lost else Cell("up", "green")), why=lost)


def _given_away(used: int, has: int, unit: str = "") -> str:
    return f"{used} of {has}{unit} given away" if has else ""


def _watchdog(row: NodeRow) -> Cell | str:
    if not row.watchdog_s:
        return Cell(f"none that counts: {row.watchdog_problem}" if row.watchdog_problem else "none", "yellow")
    words = f"{row.watchdog}, {times.setting(row.watchdog_s)}"
    if row.watchdog_proves:
        return f"{words}; its time is proof of death"
    return Cell(f"{words}; not trusted as proof of death (setting watchdog_strength)", "yellow")


@app.command("confirm-down")
def confirm_down(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: I have made sure that it is off.")] = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Give your word that a node is off, when nothing else can prove it.

    Its groups start on other nodes at once. If it still runs, its VMs then run twice and destroy their disks.
    """
    contact = client(context)
    began = time.monotonic()
    row = contact.call("node.show", {"name": name}, type=NodeRow)
    if row.state not in ("silent", "dead"):
        known = contact.call("status", type=ClusterStatus)
        if known.session:  # then its state is an old one
            without = f"{known.answered_by} has no session: {known.session}"
            raise ControlError("impossible", f"cannot confirm that {name} is off: {without}")
        why = f": {row.why}" if row.why else ""
        raise ControlError("impossible", f"cannot confirm that {name} is off: it is {row.state}{why}, not silent")
    at_risk = [row for row in contact.call("group.list", type=list[GroupRow]) if row.owner == name]
    if not yes and row.state != "dead":
        _ask(name, at_risk)
    words = contact.call("node.confirm_down", {"name": name}, type=str)
    ended = [
        _again(contact, row, began, wait_s, quiet=wants_json(context)) for row in at_risk if row.wanted == "online"
    ]
    if wants_json(context):
        output.json({"node": name, "words": words, "groups": [row for row, _ in ended]})
    else:
        output.line(words)
        for _, text in ended:
            output.line(text)
    if wait_s != 0 and any(row.state != "online" for row, _ in ended):
        raise ControlError("impossible", f"not all that ran on {name} is online again")


@app.command()
def fence(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, whatever it runs.")] = False,
    stay_off: Annotated[bool, typer.Option("--stay-off", help="Do not switch it on again afterwards.")] = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Switch a node off by its fence devices, now, and write down that it is dead.

    What runs there is cut off, as if its power had failed, and starts on other nodes.
    """
    contact = client(context)
    row = contact.call("node.show", {"name": name}, type=NodeRow)
    alive = row.state in MEMBERS
    if alive and not yes:
        _ask_to_fence(name, [row for row in contact.call("group.list", type=list[GroupRow]) if row.owner == name])
    question = {"name": name, "alive": alive, "stay_off": stay_off}
    done = contact.call("node.fence", question, type=NodeFenced, timeout_s=wait_s or FENCE_S)
    if wants_json(context):
        output.json(done)
    else:
        output.line(Cell(done.words, "green"))
        if done.at_risk:
            output.line(f"What it owned starts elsewhere: {', '.join(done.at_risk)}")


load.add_to(app)
maintenance.add_to(app)


@app.command()
def evict(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Take a node out of the cluster for good: one that is dead, or that left. It must own nothing."""
    words = client(context).call("node.evict", {"name": name}, type=str, timeout_s=CALL_S)
    if wants_json(context):
        output.json({"node": name, "words": words})
    else:
        output.line(words)


def _ask(name: str, at_risk: list[GroupRow]) -> None:
    if not sys.stdin.isatty():
        raise ControlError(
            "usage", f"cannot ask you whether {name} is off: there is no terminal; if you have made sure, add --yes"
        )
    if at_risk:
        names = ", ".join(row.name for row in at_risk)
        output.line(Cell(f"{name} owns: {names}.", "bold"))
        output.line(
            f"Say yes only if {name} is certainly off (you have seen it, or cut its power). "
            "If it still runs, these run twice and destroy their disks."
        )
    typer.confirm(f"Is {name} off?", abort=True)


def _ask_to_fence(name: str, at_risk: list[GroupRow]) -> None:
    if not sys.stdin.isatty():
        raise ControlError(
            "usage", f"cannot ask you whether {name} may be cut off: there is no terminal; if you mean it, add --yes"
        )
    names = ", ".join(row.name for row in at_risk if row.state != "offline")
    what = f"It runs {names}, which are cut off as if its power had failed." if names else "It owns nothing that runs."
    output.line(Cell(f"{name} is alive. {what}", "bold"))
    typer.confirm(f"Switch {name} off?", abort=True)


def _again(contact: Client, row: GroupRow, began: float, wait_s: float | None, *, quiet: bool) -> tuple[GroupRow, str]:
    """How a group of the dead node fares, and a sentence about it."""
    if wait_s == 0:
        return row, f"{output.named(row.name)} will be placed on another node"
    left_s = None if wait_s is None else max(0.1, wait_s - (time.monotonic() - began))
    now = waiting.follow(contact, row, waiting.online(), left_s, quiet=quiet)
    after = times.duration(time.monotonic() - began)
    return now, f"{output.named(row.name)} is {waiting.present(now)} after {after}"
