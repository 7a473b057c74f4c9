"""outlast node load: what the machines had to do in the last day.

Bars show the share of all processors that worked, from none to all of them; of a point's time nothing is known.
"""

import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated

import typer

from outlast.cli import options, output
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Row
from outlast.core.load import KEPT, MINUTE_S, rolled_up
from outlast.model.load import Load, NodeLoad

Name = Annotated[str, typer.Argument(metavar="[NODE]", help="A node of the cluster; none: all of them.")]
TITLES = ("node", "CPU", "mean", "peak", "memory", "VMs", "CPU, last day")
HOUR_TITLES = ("from", "CPU", "peak", "memory", "peak", "VMs", "CPU by 5 min")
BARS = "▁▂▃▄▅▆▇█"
NOTHING = "·"
HOUR_MIN, STEP_MIN = 60, 5


def add_to(app: typer.Typer) -> None:
    app.command()(load)


def load(context: typer.Context, name: Name = "", as_json: options.Json = False) -> None:
    """What the nodes had to do in the last day: processors, memory, VMs."""
    if wants_json(context):
        output.json(client(context).call("node.load", {"node": name}, type=list[NodeLoad]))
        return
    step_min = STEP_MIN if name else HOUR_MIN
    found = client(context).call("node.load", {"node": name, "step_min": step_min}, type=list[NodeLoad])
    if name and not found[0].why:
        _one(found[0])
    else:
        output.table(TITLES, map(_row, found), empty="there is no node")


def _row(node: NodeLoad) -> Row:
    now, day = node.now, node.day
    return Row(
        (
            node.node,
            percent(now.cpu) if now else "",
            percent(day.cpu) if day else "",
            percent(day.cpu_peak) if day else "",
            f"{gib(now.memory_mib)} of {gib(node.memory_mib)} GiB" if now else "",
            str(now.vms) if now else "",
            bars(node.steps, node.step_min, node.at_s) if node.steps else "",
        ),
        why=node.why,
    )


def _one(node: NodeLoad) -> None:
    now, day = node.now, node.day
    if day is None:
        output.line(f"Nothing is known yet of what {output.named(node.node)} had to do.")
        return
    busiest = max(node.steps, key=lambda step: step.cpu_peak)
    fullest = max(node.steps, key=lambda step: step.memory_peak_mib)
    peak = f"{percent(day.cpu_peak)} at the peak ({_clock(busiest.at_s)})"
    used = f"{gib(day.memory_peak_mib)} GiB at the peak ({_clock(fullest.at_s)})"
    output.fields(
        [
            ("node", node.node),
            ("CPU", f"{_now(percent(now.cpu) if now else '')}{percent(day.cpu)} at the mean, {peak}, of {node.cpus}"),
            ("memory", f"{_now(f'{gib(now.memory_mib)} GiB' if now else '')}{used}, of {gib(node.memory_mib)} GiB"),
            ("VMs", f"{_now(str(now.vms) if now else '')}{day.vms} at the most"),
            ("known since", _clock(day.at_s)),
            ("not known", ", ".join(f"{_clock(begin)} to {_clock(end)}" for begin, end in gaps(node.steps, STEP_MIN))),
        ]
    )
    output.heading("By the hour")
    output.table(HOUR_TITLES, (_hour(hour, node) for hour in rolled_up(node.steps, HOUR_MIN)))


def _now(words: str) -> str:
    return f"{words} now, " if words else ""


def _hour(hour: Load, node: NodeLoad) -> Row:
    end_s = hour.at_s + HOUR_MIN * MINUTE_S
    steps = [step for step in node.steps if hour.at_s <= step.at_s < end_s]
    return Row(
        (
            _clock(hour.at_s),
            percent(hour.cpu),
            percent(hour.cpu_peak),
            f"{gib(hour.memory_mib)} GiB",
            f"{gib(hour.memory_peak_mib)} GiB",
            str(hour.vms),
            _bars(steps, range(hour.at_s, end_s, STEP_MIN * MINUTE_S)),
        )
    )


def bars(steps: Sequence[Load], step_min: int, until_s: float) -> str:
    """One for each step of the last day."""
    step_s = step_min * MINUTE_S
    last = int(until_s // step_s) * step_s
    return _bars(steps, range(last - (KEPT // step_min - 1) * step_s, last + 1, step_s))


def _bars(steps: Sequence[Load], times: Iterable[int]) -> str:
    known = {step.at_s: step.cpu for step in steps}
    return "".join(
        BARS[min(len(BARS) - 1, int(known[at_s] * len(BARS)))] if at_s in known else NOTHING for at_s in times
    )


def gaps(steps: Sequence[Load], step_min: int) -> list[tuple[int, int]]:
    """From when to when nothing is known, between the first step and the last one."""
    step_s = step_min * MINUTE_S
    return [(one.at_s + step_s, other.at_s) for one, other in pairwise(steps) if other.at_s > one.at_s + step_s]


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def gib(mib: int) -> str:
    return f"{mib / 1024:.1f}"


def _clock(at_s: int) -> str:
    return time.strftime("%H:%M", time.localtime(at_s))
