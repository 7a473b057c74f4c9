"""How does a command that changes something wait until it is done, and how does it end?

The change itself is one write of an intent; the cluster then goes on by itself, whether anybody waits or not. So a
wait that runs out undoes nothing, and says so.
"""

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import typer

from outlast.cli import output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import named
from outlast.client.control import Client, ControlError
from outlast.model.answers import GroupRow, ResourceRow

ROUND_S = 30.0
"""Without a limit of the user's, it is asked again after this time. A group that is stuck stays so for all of it."""
MARGIN_S = 10.0
BAR = 20
"""Characters."""
WRITTEN = "What you asked for is written down: the cluster goes on with it"
PENDING = ("online pending", "offline pending")


@dataclasses.dataclass(frozen=True, slots=True)
class Goal:
    to_do: str
    """"bring {name} online"."""
    done: str
    """"{name} is {state} on {owner}"."""
    reached: Callable[[GroupRow], bool]
    of: str = ""
    """The resource of the group that it is about; empty: the group as a whole."""

    def subject(self, row: GroupRow) -> GroupRow | ResourceRow:
        return next((member for member in row.members if member.name == self.of), row)


def online() -> Goal:
    return Goal("bring {name} online", "{name} is {state} on {owner}", _runs)


def _runs(row: GroupRow) -> bool:
    """Also when a part of it is off on purpose."""
    return row.state == "online" or (row.state == "partially online" and row.settled)


def offline(to_do: str) -> Goal:
    return Goal(to_do, "{name} is offline", lambda row: row.state == "offline" and row.wanted == "offline")


def resource_online(name: str) -> Goal:
    return _member(name, Goal("bring {name} online", "{name} is {state} on {owner}", lambda row: False), "online")


def resource_offline(name: str) -> Goal:
    return _member(name, Goal("take {name} offline", "{name} is offline", lambda row: False), "offline")


def resource_failed(name: str) -> Goal:
    """Whatever becomes of it: it runs again, or it stays failed."""
    goal = Goal("see what becomes of {name}", "{name} has failed", lambda row: False, of=name)
    return dataclasses.replace(goal, reached=lambda row: goal.subject(row).state in ("online", "failed"))


def _member(name: str, goal: Goal, state: str) -> Goal:
    goal = dataclasses.replace(goal, of=name)
    return dataclasses.replace(goal, reached=lambda row: goal.subject(row).state == state)


def moved(asked: GroupRow) -> Goal:
    """`asked`: as it was when that had just been wished. Where it arrives, it is as it was wanted before."""
    to, source = asked.move_to, asked.owner

    def reached(row: GroupRow) -> bool:
        there = row.owner == to if to else row.owner != source
        return there and not row.move_to and (row.state == row.wanted or _runs(row))

    return Goal(f"move {{name}} {f'to {to}' if to else 'away'}", f"{{name}} moved from {source} to {{owner}}", reached)


def stays() -> Goal:
    """It is called back from a move, or has arrived before that."""
    return Goal("keep {name} where it is", "{name} is {state} on {owner}", lambda row: not row.move_to and _runs(row))


def carry_out(
    context: typer.Context,
    verb: str,
    arguments: dict[str, Any],
    goal: Goal | Callable[[GroupRow], Goal],
    wait_s: float | None,
    *,
    name: str = "",
) -> None:
    """Ask for it, wait, and say how it ended. `goal`: or what it follows from, when that has been wished. `name`: what
    the user called the thing, when not by its group."""
    contact = client(context)
    began = time.monotonic()
    asked = contact.call(verb, arguments, type=GroupRow)
    goal = goal if isinstance(goal, Goal) else goal(asked)
    row = settle(contact, asked, goal, wait_s, name=name, quiet=wants_json(context))
    if wants_json(context):
        output.json(row)
        return
    if asked.warning:
        output.line(output.Cell(f"warning: {asked.warning}", "yellow"))
    words = sentence(goal, row, name)
    if wait_s != 0:
        output.line(output.Cell(words, "green"), f" after {times.duration(time.monotonic() - began)}")
    elif goal.reached(row):
        output.line(output.Cell(words, "green"))
    else:
        to_do = goal.to_do.format(name=named(name or row.name))
        output.line(f"asked the cluster to {to_do}; it is {present(goal.subject(row))} now")


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
    output.get_ready()
    deadline = None if wait_s is None else time.monotonic() + wait_s
    latest = row
    with output.progress(goal.to_do.format(name=named(name or row.name)), quiet=quiet) as tell:
        while True:
            tell(present(goal.subject(latest)))
            before = latest
            left_s = ROUND_S if deadline is None else max(0.0, deadline - time.monotonic())
            question = {"name": goal.of or row.name, "timeout_s": left_s}
            verb = "resource.wait" if goal.of else "group.wait"
            for latest in contact.stream(verb, question, type=GroupRow, timeout_s=left_s + MARGIN_S):
                tell(bar(latest) + present(goal.subject(latest)))
                if quiet and latest.transfer is not None:
                    sys.stderr.write(f"{msgspec.json.encode({'progress': latest.transfer}).decode()}\n")
            if goal.subject(latest).settled or deadline is not None or _stuck(goal, before, latest):
                return latest


def bar(row: GroupRow) -> str:
    """How far a live migration has come."""
    if row.transfer is None:
        return ""
    full = max(0, min(BAR, round(row.transfer.percent * BAR / 100)))
    return f"[{'#' * full}{'.' * (BAR - full)}] "


def _stuck(goal: Goal, before: GroupRow, after: GroupRow) -> bool:
    """Nothing is being done about it: it waits for something that may never come, and says for what."""
    was, now = goal.subject(before), goal.subject(after)
    unmoved = (was.state, before.owner, before.epoch) == (now.state, after.owner, after.epoch)
    unmoved = unmoved and before.transfer == after.transfer  # a slow migration is none that stands still
    return unmoved and bool(now.why) and now.state not in PENDING


def problem(contact: Client, goal: Goal, row: GroupRow, wait_s: float | None, name: str) -> tuple[str, str]:
    """Kind and words of the error for a group that did not get there."""
    to_do = goal.to_do.format(name=named(name))
    now = goal.subject(row)
    if now.state == "failed":
        return "failed", f"cannot {to_do}: it is {present(now)}"
    if not now.settled and wait_s is not None:
        return "impossible", f"{to_do}: not done within {wait_s:g} s; it is {present(now)}. The cluster goes on with it"
    reason = now.why or _last_intent(contact, row)
    return "impossible", f"cannot {to_do} now: it is {present(now, reason)}"


def present(row: GroupRow | ResourceRow, why: str = "") -> str:
    """A state never without its reason."""
    where = f" on {row.owner}" if row.owner and row.state != "offline" else ""
    reason = why or row.why
    return f"{row.state}{where}" + (f" ({reason})" if reason else "")


def sentence(goal: Goal, row: GroupRow, name: str = "") -> str:
    return goal.done.format(name=named(name or row.name), owner=row.owner, state=goal.subject(row).state)


def _last_intent(contact: Client, row: GroupRow) -> str:
    """Why a wish was dropped stands in the event log."""
    from outlast.model.event import Event

    events = contact.call("events", {"limit": 20, "group": row.name}, type=list[Event])
    return next((event.words for event in reversed(events) if event.kind == "intent"), "")
