"""outlast events: what happened, and why, as the cluster wrote it down."""

from typing import Annotated

import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.model.event import Event

app = typer.Typer()
WITH_DATE = 100
"""A narrower terminal shows the time of day only."""

KIND_STYLES = {
    "node-joined": "green",
    "node-left": "yellow",
    "node-silent": "bold yellow",
    "node-dead": "bold red",
    "node-changed": "blue",
    "joining": "blue",
    "coordinator": "blue",
    "fence": "yellow",
    "access": "blue",
    "settings": "blue",
    "vote": "yellow",
    "notice": "yellow",
    "promise": "bold yellow",
    "protection": "bold yellow",
    "failed": "bold red",
    "decided": "bold cyan",
    "online-pending": "yellow",
    "online": "green",
    "partially-online": "yellow",
    "restarted": "yellow",
    "guest": "yellow",
    "guest-reset": "red",
    "offline": "dim",
    "handed-over": "green",
    "not-moved": "yellow",
    "saved": "yellow",
    "unknown": "magenta",
    "intent": "blue",
    "definition": "blue",
    "console": "blue",
    "volume": "yellow",
    "group-changed": "blue",
    "rule": "blue",
    "armed": "bold yellow",
    "host-died": "yellow",
    "network": "bold yellow",
    "doubted": "yellow",
    "slow": "yellow",
    "type": "yellow",
    "stopped": "bold red",
    "outage": "yellow",
    "upkeep": "yellow",
    "backup": "yellow",
    "permit": "bold red",
}
KIND_WIDTH = max(map(len, KIND_STYLES))


@app.command()
def events(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on, and show each event as it happens.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many of the past.")] = 30,
    group: Annotated[str, typer.Option(metavar="GROUP", help="Only those of this group (or VM).")] = "",
    node: Annotated[str, typer.Option(metavar="NODE", help="Only those of this node.")] = "",
    as_json: options.Json = False,
) -> None:
    """What happened, and why: newest last."""
    contact = client(context)
    which = {"group": group, "node": node}
    if not follow and limit == 0:
        raise ControlError("usage", "--limit 0 shows nothing without --follow")
    past = contact.call("events", {"limit": limit, **which}, type=list[Event]) if limit else []
    in_json = wants_json(context)
    if in_json and not follow:
        output.json(past)
        return
    for event in past:
        output.json_line(event) if in_json else show(event)
    if not past and not follow:
        output.line(Cell(_nothing(group, node), "dim"))
    if follow:
        seen = {event.id for event in past}
        for event in contact.stream("events.follow", which, type=Event):
            if event.id not in seen:
                output.json_line(event) if in_json else show(event)


def _nothing(group: str, node: str) -> str:
    """A mistyped name must not look like a quiet cluster."""
    about = " and ".join(f'the {noun} "{name}"' for noun, name in (("group", group), ("node", node)) if name)
    return f"the event log has nothing about {about}" if about else "nothing has happened yet"


def show(event: Event) -> None:
    wide = output.console().width >= WITH_DATE
    at = times.moment(event.at_s) if wide else times.clock(event.at_s)
    output.line(Cell(at, "dim"), "  ", f"{event.node:<4} ", kind(event, KIND_WIDTH), "  ", output.one_line(event.words))


def kind(event: Event, width: int = 0) -> Cell:
    return Cell(f"{event.kind:<{width}}", KIND_STYLES.get(event.kind, ""))
