"""How does a command that changes something wait until it is done, and how does it end?

The change itself is one write of an intent; the cluster then goes on by itself, whether anybody waits or not. So a
wait that runs out undoes nothing, and says so.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer

from outlast.cli import output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import named
from outlast.client.control import Client, ControlError
from outlast.model.answers import GroupRow

ROUND_S = 30.0
"""Without a limit of the user's, it is asked again after this time. A group that is stuck stays so for all of it."""
MARGIN_S = 10.0
WRITTEN = "What you asked for is written down: the cluster goes on with it"
PENDING = ("online pending", "offline pending")


@dataclass(frozen=True, slots=True)
class Goal:
    to_do: str
    """"bring {name} online"."""
    done: str
    """"{name} is online on {owner}"."""
    reached: Callable[[GroupRow], bool]


def online() -> Goal:
    return Goal("bring {name} online", "{name} is online on {owner}", lambda row: row.state == "online")


def offline(to_do: str) -> Goal:
    return Goal(to_do, "{name} is offline", lambda row: row.state == "offline" and row.wanted == "offline")


def moved(start: GroupRow, to: str) -> Goal:
    """Where it arrives, it is as it was wanted before."""

    def reached(row: GroupRow) -> bool:
        there = row.owner == to if to else row.owner != start.owner
        return there and not row.move_to and row.state == row.wanted

    return Goal(
        f"move {{name}} {f'to {to}' if to else 'away'}", f"{{name}} moved from {start.owner} to {{owner}}", reached
    )


def carry_out(
    context: typer.Context, verb: str, arguments: dict[str, Any], goal: Goal, wait_s: float | None, *, name: str = ""
) -> None:
    """Ask for it, wait, and say how it ended. `name`: what the user called the thing, when not by its group."""
    contact = client(context)
    began = time.monotonic()
    asked = contact.call(verb, arguments, type=GroupRow)
    row = settle(contact, asked, goal, wait_s, name=name, quiet=wants_json(context))
    if wants_json(context):
        output.json(row)
        return
    words = sentence(goal, row, name)
    if wait_s != 0:
        output.line(output.Cell(words, "green"), f" after {times.duration(time.monotonic() - began)}")
    elif goal.reached(row):
        output.line(output.Cell(words, "green"))
    else:
        output.line(f"asked the cluster to {goal.to_do.format(name=named(name or row.name))}; it is {present(row)} now")


def settle(
    contact: Client, asked: GroupRow, goal: Goal, wait_s: float | None, *, name: str = "", quiet: bool = False
) -> GroupRow:
    """The group when it is as it was asked to be. Raises `ControlError` when it will not or not in time."""
    if wait_s == 0:
        return asked
    try:
        row = follow(contact, asked, goal, wait_s, quiet=quiet, name=name or asked.name)
    except ControlError as error:
        if error.kind != "no-contact":
            raise
        raise ControlError(error.kind, f"{error}. {WRITTEN}") from None
    except KeyboardInterrupt:
        if not quiet:
            sys.stderr.write(f"\nno longer waiting. {WRITTEN}\n")
        raise
    if goal.reached(row):
        return row
    raise ControlError(*problem(contact, goal, row, wait_s, name or row.name))


def follow(
    contact: Client, row: GroupRow, goal: Goal, wait_s: float | None, *, quiet: bool = False, name: str = ""
) -> GroupRow:
    """The group as it is when it has settled or the time is up."""
    deadline = None if wait_s is None else time.monotonic() + wait_s
    latest = row
    with output.progress(goal.to_do.format(name=named(name or row.name)), quiet=quiet) as tell:
        while True:
            tell(present(latest))
            before = latest
            left_s = ROUND_S if deadline is None else max(0.0, deadline - time.monotonic())
            question = {"name": row.name, "timeout_s": left_s}
            for latest in contact.stream("group.wait", question, type=GroupRow, timeout_s=left_s + MARGIN_S):
                tell(present(latest))
            if latest.settled or deadline is not None or _stuck(before, latest):
                return latest


def _stuck(before: GroupRow, now: GroupRow) -> bool:
    """Nothing is being done about it: it waits for something that may never come, and says for what."""
    unmoved = (before.state, before.owner, before.epoch) == (now.state, now.owner, now.epoch)
    return unmoved and bool(now.why) and now.state not in PENDING


def problem(contact: Client, goal: Goal, row: GroupRow, wait_s: float | None, name: str) -> tuple[str, str]:
    """Kind and words of the error for a group that did not get there."""
    to_do = goal.to_do.format(name=named(name))
    if row.state == "failed":
        return "failed", f"cannot {to_do}: it is {present(row)}"
    if not row.settled and wait_s is not None:
        return "impossible", f"{to_do}: not done within {wait_s:g} s; it is {present(row)}. The cluster goes on with it"
    reason = row.why or _last_intent(contact, row)
    return "impossible", f"cannot {to_do} now: it is {present(row, reason)}"


def present(row: GroupRow, why: str = "") -> str:
    """A state never without its reason."""
    where = f" on {row.owner}" if row.owner and row.state != "offline" else ""
    reason = why or row.why
    return f"{row.state}{where}" + (f" ({reason})" if reason else "")


def sentence(goal: Goal, row: GroupRow, name: str = "") -> str:
    return goal.done.format(name=named(name or row.name), owner=row.owner)


def _last_intent(contact: Client, row: GroupRow) -> str:
    """Why a wish was dropped stands in the event log."""
    from outlast.model.event import Event

    events = contact.call("events", {"limit": 20, "group": row.name}, type=list[Event])
    return next((event.words for event in reversed(events) if event.kind == "intent"), "")
