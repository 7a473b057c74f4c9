"""outlast node pause, drain, resume, release, set: nodes in maintenance; and what runs before a machine is shut down.

As with all commands, what was asked for is written down first and the cluster goes on with it by itself, whether
anybody waits or not.
"""

import math
import time
from typing import Annotated

import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row, named
from outlast.client.control import Client, ControlError
from outlast.model.answers import Leaving, LeftRow, NodeProgress, Outlook

Name = Annotated[str, typer.Argument(metavar="NODE", help="A node of the cluster.")]
CALL_S = 60.0
ROUND_S = 30.0
"""Without a limit of the user's, it is asked again after this time. What is stuck stays so for all of it."""
MARGIN_S = 10.0
SHOWN = 4
PATIENCE_S = 30.0
"""For so long a machine that is shut down tries to tell the cluster."""
STARTING_S = 10.0
"""Likewise when the cluster service does not answer: it may just be restarted, which takes it about a second."""
RETRY_S = 1.0


def add_to(app: typer.Typer) -> None:
    app.command()(pause)
    app.command()(drain)
    app.command()(resume)
    app.command()(release)
    app.command("set")(set_node)
    app.command("before-shutdown")(before_shutdown)


def pause(context: typer.Context, name: Name, wait_s: options.Wait = None, as_json: options.Json = False) -> None:
    """Give a node nothing new; what it runs stays there."""
    _tell(context, name, client(context).call("node.pause", {"name": name}, type=str, timeout_s=wait_s or CALL_S))


def drain(
    context: typer.Context,
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Take offline what no other node can take, and move what is locked.")
    ] = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Move all that runs on a node to other nodes, and give it nothing new until it is resumed."""
    contact, began = client(context), time.monotonic()
    question = {"name": name, "force": force}
    if what_if:
        _show_outlook(context, contact.call("node.outlook", question, type=list[Outlook]), name, force=force)
        return
    words = contact.call("node.drain", question, type=str, timeout_s=CALL_S)
    if wait_s == 0:
        _tell(context, name, words)
        return
    end = _follow(contact, name, f"draining {name}", wait_s, quiet=wants_json(context), patient=wait_s is not None)
    _tell_end(context, end, f"{name} is empty", began)
    if not end.done:
        hint = "" if force else f"; `outlast node drain {name} --force` takes offline what can go nowhere"
        raise ControlError("impossible", f"{name} is not empty yet: {_still(end)}. The cluster goes on with it{hint}")


def resume(
    context: typer.Context,
    name: Name,
    failback: Annotated[
        bool, typer.Option("--failback", help="Bring back at once what left it when it was drained.")
    ] = (False),
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Let a node that was paused or drained take groups again."""
    contact, began = client(context), time.monotonic()
    question = {"name": name, "failback": failback}
    words = contact.call("node.resume", question, type=str, timeout_s=CALL_S)
    if wait_s == 0 or not failback:
        _tell(context, name, words)
        return
    quiet, patient = wants_json(context), wait_s is not None
    end = _follow(contact, name, f"calling back to {name}", wait_s, quiet=quiet, patient=patient)
    _tell_end(context, end, f"{name} takes groups again, and all that had left it is back", began)
    if not end.done:
        raise ControlError("impossible", f"not all is back on {name} yet: {_still(end)}. The cluster goes on with it")


def release(context: typer.Context, name: Name, wait_s: options.Wait = None, as_json: options.Json = False) -> None:
    """End a node's quarantine, and forget how often it was lost."""
    _tell(context, name, client(context).call("node.release", {"name": name}, type=str, timeout_s=wait_s or CALL_S))


def set_node(
    context: typer.Context,
    name: Name,
    settings: options.Assignments = None,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Say where a node stands, for rules about what must not fail together: rack=, site=."""
    question = {"name": name, "values": options.assigned(settings)}
    _tell(context, name, client(context).call("node.set", question, type=str, timeout_s=wait_s or CALL_S))


def before_shutdown(context: typer.Context, wait_s: options.Wait = None, as_json: options.Json = False) -> None:
    """Drain this node because its machine is being shut down. outlast-drain.service runs it; nobody else need.

    It waits for as long as the cluster's shutdown_drain_s says, at most. After the boot the node takes groups again by
    itself.
    """
    contact, began = client(context), time.monotonic()
    quiet = wants_json(context)
    leaving = _leave(contact)
    if leaving.why_not:
        _tell(context, leaving.node, f"nothing is waited for: {leaving.why_not}")
        return
    limit_s = leaving.limit_s if wait_s is None else min(wait_s, leaving.limit_s)
    if not quiet:
        output.line(f"{leaving.node} is drained before its machine is shut down, for at most {times.duration(limit_s)}")
    while True:
        left_s = max(0.0, limit_s - (time.monotonic() - began))
        # What moves no more now never will: whoever decides about it may be going down as well.
        end = _follow(contact, leaving.node, f"draining {leaving.node}", left_s, quiet=quiet, patient=False)
        if end.state in ("drained", "draining") or time.monotonic() - began >= limit_s:
            break
        # Its service has begun another life meanwhile, which knows nothing of a shutdown.
        time.sleep(RETRY_S)
        if _leave(contact).why_not:
            break
    _tell_end(context, end, f"{leaving.node} is empty", began)
    if not end.done:
        raise ControlError("impossible", f"{leaving.node} is not empty, and its machine goes down: {_still(end)}")


def _leave(contact: Client) -> Leaving:
    """The database may just be electing a leader, because another machine is shut down, too."""
    began = time.monotonic()
    patience_s = {"impossible": PATIENCE_S, "no-contact": STARTING_S}
    while True:
        try:
            return contact.call("node.leaving", type=Leaving, timeout_s=CALL_S)
        except ControlError as error:
            if time.monotonic() - began > patience_s.get(error.kind, 0.0):
                raise
        time.sleep(RETRY_S)


def _follow(
    contact: Client, name: str, doing: str, wait_s: float | None, *, quiet: bool, patient: bool
) -> NodeProgress:
    """How far it is when it is done, when the time is up, or (unless `patient`) when nothing moves any more."""
    deadline = math.inf if wait_s is None else time.monotonic() + wait_s
    latest: NodeProgress | None = None
    with output.progress(doing, quiet=quiet) as tell:
        while True:
            before = latest
            left_s = min(ROUND_S, max(0.0, deadline - time.monotonic()))
            question = {"name": name, "timeout_s": left_s}
            for latest in contact.stream("node.wait", question, type=NodeProgress, timeout_s=left_s + MARGIN_S):
                tell(_still(latest))
            if latest is None:
                raise ControlError("no-contact", f"the cluster service did not say how far {name} is")
            if latest.done or time.monotonic() >= deadline or (not patient and _is_stuck(before, latest)):
                return latest


def _is_stuck(before: NodeProgress | None, now: NodeProgress) -> bool:
    """Nothing has moved, and everything that is left waits for something that may never come."""
    return before == now and not any(row.to or row.state.endswith("pending") for row in now.left)


def _still(now: NodeProgress) -> str:
    if not now.left:
        return f"{now.node} is {now.state}" + (f" ({now.why})" if now.why else "")
    more = f", and {len(now.left) - SHOWN} more" if len(now.left) > SHOWN else ""
    return f"{len(now.left)} to go: {'; '.join(_one(row) for row in now.left[:SHOWN])}{more}"


def _one(row: LeftRow) -> str:
    to = f" to {row.to}" if row.to else ""
    why = f" ({row.why})" if row.why and not row.to else ""
    return f"{named(row.group)}{to}{why}"


def _tell(context: typer.Context, name: str, words: str) -> None:
    if wants_json(context):
        output.json({"node": name, "words": words})
    else:
        output.line(words)


def _tell_end(context: typer.Context, end: NodeProgress, done: str, began: float) -> None:
    if wants_json(context):
        output.json(end)
        return
    if end.done:
        output.line(Cell(done, "green"), f" after {times.duration(time.monotonic() - began)}")
    if end.coming:
        output.line(f"About to start on another node: {', '.join(named(name) for name in end.coming)}")
    if end.down:
        names = ", ".join(named(name) for name in end.down)
        output.line(Cell(f"Down until another node can take it, or {end.node} is resumed: {names}", "yellow"))
    if end.kept:
        output.line(Cell(f"Down: {'; '.join(_one(row) for row in end.kept)}", "yellow"))


def _show_outlook(context: typer.Context, found: list[Outlook], name: str, *, force: bool) -> None:
    if wants_json(context):
        output.json(found)
        return
    stays = "is taken offline" if force else "stays"
    table = [Row((one.group, one.to or Cell(stays, "yellow")), why=one.why) for one in found]
    output.table(("group", "goes to"), table, empty=f"nothing runs on {name}")
