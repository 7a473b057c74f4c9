"""How long did each step of a failover take? From the cluster's own events and the guest's serial output.

All times count from the fault. The lab's nodes share one clock, so their events can be compared.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from outlast.cli import output
from outlast.cli.output import Cell, Row
from outlast.model.event import Event

TITLES = ("what failed", "VM", "moved", "seen", "fenced", "decided", "start issued", "guest answers")


@dataclass(frozen=True, slots=True)
class Failover:
    what: str
    vm: str
    source: str
    target: str
    """"" when the log does not tell."""
    alone: bool
    """Only the VM failed: nothing was to be fenced."""
    seen_s: float | None
    fenced_s: float | None
    decided_s: float | None
    started_s: float | None
    answers_s: float | None


@dataclass(frozen=True, slots=True)
class Other:
    """Something that took a time and moved no VM."""

    what: str
    how: str
    took_s: float


def failover(
    what: str, vm: str, source: str, events: Iterable[Event], *, fault_at_s: float, answered_at_s: float, node: str = ""
) -> Failover:
    """`node`: the one that died; without it, only the VM did."""
    after = [event for event in events if event.at_s >= fault_at_s]
    decided = _first(after, "decided", group=vm)

    def since(event: Event | None) -> float | None:
        return None if event is None else event.at_s - fault_at_s

    return Failover(
        what=what,
        vm=vm,
        source=source,
        target=decided.about if decided else "",
        alone=not node,
        seen_s=since(_first(after, "node-silent", about=node) if node else _first(after, "failed", group=vm)),
        fenced_s=since(_first(after, "node-dead", about=node)) if node else None,
        decided_s=since(decided),
        started_s=since(_first(after, "online-pending", group=vm)),
        answers_s=answered_at_s - fault_at_s,
    )


def tables(failovers: Sequence[Failover], others: Sequence[Other], width: int) -> list[Any]:
    found: list[Any] = [output.joined(Cell("How long each step took, in seconds from the fault", "bold"))]
    found.append(output.grid(TITLES, [_row(each) for each in failovers], width))
    if others:
        rows = [Row((each.what, each.how, f"{each.took_s:.2f}")) for each in others]
        found += ["", output.grid(("besides", "what the cluster did", "took"), rows, width)]
    return found


def _row(each: Failover) -> Row:
    seen, fenced, decided, started, answers = map(
        _written, (each.seen_s, each.fenced_s, each.decided_s, each.started_s, each.answers_s)
    )
    moved = f"{each.source} to {each.target or '?'}"
    return Row(
        (each.what, each.vm, moved, seen, "-" if each.alone else fenced, decided, started, Cell(answers, "green"))
    )


def _written(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:.2f}"


def _first(events: Iterable[Event], kind: str, *, group: str = "", about: str = "") -> Event | None:
    for event in events:
        if event.kind == kind and (not group or event.group == group) and (not about or event.about == about):
            return event
    return None
