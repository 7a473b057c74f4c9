"""outlast status: how is the cluster, on one screen? What is not well comes with its reason; what is well is short."""

import dataclasses
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from outlast.cli import options, output, rows, times
from outlast.cli.contact import client, shows_notices, wants_json
from outlast.cli.output import Cell
from outlast.model.answers import MEMBERS, ClusterStatus, GroupRow, VmRow

app = typer.Typer()
LONG_REASON = 60
MOST_VMS = 30
"""More than these, and only those that are not well are listed."""


@app.command()
def status(
    context: typer.Context,
    show_all: Annotated[bool, typer.Option("--all", help="List every VM, however many there are.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show it again whenever something changes.")] = False,
    as_json: options.Json = False,
) -> None:
    """How the cluster is: its nodes, its VMs, and what is not well."""
    shows_notices(context)  # they are among the alarms
    contact = client(context)
    in_json = wants_json(context)
    if not follow:
        answer = contact.call("status", type=ClusterStatus)
        output.json(answer) if in_json else output.parts(view(answer, output.console().width, show_all=show_all))
    elif in_json:
        for answer in contact.stream("follow", type=ClusterStatus):
            output.json_line(answer)
    else:
        with output.live() as update:
            for answer in contact.stream("follow", type=ClusterStatus):
                update(view(answer, output.console().width, show_all=show_all))


def view(answer: ClusterStatus, width: int, *, show_all: bool = False) -> list[Any]:
    """What is to be printed, part by part."""
    found = _head(answer)
    then = f", as {answer.answered_by} knew them last" if answer.session or answer.age_s else ""
    then += f", {times.duration(answer.age_s)} ago" if answer.age_s else ""
    found += ["", _title(f"Nodes{then}")]
    found.append(output.grid(rows.NODE_TITLES, [rows.node(row) for row in answer.nodes], width, "there is no node"))
    own = f" (those of {answer.answered_by} as they are now)" if then else ""
    found += _vms(answer.vms, width, then + own, show_all=show_all)
    of_vms = {row.group for row in answer.vms}
    others = [rows.group(row) for row in answer.groups if row.name not in of_vms]
    if others:
        found += ["", _title("Other groups"), output.grid(rows.GROUP_TITLES, others, width)]
    return [*found, "", _verdict(answer)]


def _title(text: str) -> Any:
    return output.joined(Cell(text, "bold"))


def _head(answer: ClusterStatus) -> list[Any]:
    coordinator = f"coordinator {answer.coordinator} (term {answer.term})" if answer.coordinator else "no coordinator"
    rest = f": {coordinator}, answered by {answer.answered_by}, node timeout {answer.node_timeout_s:g} s"
    found: list[Any] = [output.joined(Cell(f"Cluster {answer.name}", "bold"), rest)]
    if answer.session:
        words = f"{answer.answered_by} has no session, and may run nothing until it has: {answer.session}"
        found.append(output.joined(Cell(words, "bold red")))
    for alarm in answer.alarms:
        found += ["", output.joined(Cell(f"! {alarm}", "bold red"))]
    if answer.quorum:
        found.append(output.joined(Cell(f"Cluster database: {answer.quorum}", "yellow")))
    return found


def _vms(vms: tuple[VmRow, ...], width: int, then: str, *, show_all: bool) -> list[Any]:
    listed = vms if show_all or len(vms) <= MOST_VMS else tuple(row for row in vms if not well(row))
    found: list[Any] = ["", _title(f"VMs ({len(vms)}){then}" if vms else "VMs")]
    if listed or not vms:
        empty = "none is protected yet; see: outlast vm protect --help"
        found.append(output.grid(rows.VM_TITLES, _told_once(rows.vm(row) for row in listed), width, empty))
    if len(listed) < len(vms):
        more = " more" if listed else ""
        words = f"{len(vms) - len(listed)}{more} as wanted and protected (outlast status --all lists them)"
        found.append(output.joined(Cell(words, "dim")))
    return found


def _told_once(listed: Iterable[output.Row]) -> list[output.Row]:
    """Twenty VMs of one dead node wait for the same: the reason, which is long, stands with the first of them."""
    found: list[output.Row] = []
    first: dict[str, str] = {}
    for row in listed:
        name = str(row.cells[0])
        told = first.setdefault(row.why, name)
        found.append(row if told == name or len(row.why) < LONG_REASON else dataclasses.replace(row, why=f"as {told}"))
    return found


def well(row: VmRow) -> bool:
    return row.state == row.wanted and row.protected and not row.at_risk_because and not row.why


def _verdict(answer: ClusterStatus) -> Any:
    """One last line that says it all: whoever has scrolled needs no more."""
    down = [row.name for row in answer.nodes if row.state not in MEMBERS]
    amiss = [row for row in answer.groups if not _as_wanted(row)]
    online = [row for row in answer.groups if row.state == row.wanted == "online"]
    bare = [row for row in online if not row.protected]
    weak = [row for row in online if row.protected and row.at_risk_because]
    problems = []
    if answer.alarms:
        problems.append("see the alarms above" if len(answer.alarms) > 1 else "see the alarm above")
    if answer.session:
        problems.append(f"{answer.answered_by} has no session, so its answers may be old")
    if answer.quorum:
        problems.append("see the cluster database above")
    if not answer.coordinator:
        problems.append("nobody coordinates the cluster")
    if down:
        problems.append(f"{_count(len(down), 'node')} not up ({', '.join(down)})")
    ailing = [row.name for row in answer.nodes if row.state == "up" and row.why]
    if ailing:
        problems.append(f"{_count(len(ailing), 'node')} not fit for everything ({', '.join(ailing)})")
    if amiss:
        problems.append(f"{_count(len(amiss), 'group')} not as wanted ({_names(amiss)})")
    if bare:
        problems.append(f"{_count(len(bare), 'group')} not protected ({_names(bare)})")
    if weak:
        problems.append(f"{_count(len(weak), 'group')} at risk ({_names(weak)})")
    if problems:
        return output.joined(Cell(f"Not well: {'; '.join(problems)}.", "bold yellow"))
    running = sum(1 for row in answer.groups if row.state in ("online", "partially online"))
    nodes = _count(len(answer.nodes), "node")
    return output.joined(Cell(f"All is well: {nodes} up, {_count(running, 'group')} online.", "green"))


def _as_wanted(row: GroupRow) -> bool:
    """Also when what is off in it is off on purpose, or nothing is in it."""
    return row.state == row.wanted or (row.settled and row.state in ("partially online", "offline"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _names(groups: list[GroupRow]) -> str:
    names = [row.name for row in groups[:5]]
    return ", ".join(names) + (", ..." if len(groups) > len(names) else "")
