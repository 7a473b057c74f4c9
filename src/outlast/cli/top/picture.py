"""How does the cluster look on a screen of that size? What is worst comes first; what does not fit is counted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlast.cli import events, output, rows, times
from outlast.cli.output import Cell, joined
from outlast.cli.top.layout import LONGEST_CELL, Told, laid_out, table
from outlast.cli.top.seen import Line, Seen, lines, node_rank, operations
from outlast.cli.top.view import HELP, View, shown
from outlast.core.quorum.margin import LOST
from outlast.model.answers import NodeRow
from outlast.model.event import Event

if TYPE_CHECKING:
    from rich.text import Text

NODE_TITLES = ("node", "state", "vCPUs", "memory", "groups", "heard")
LINE_TITLES = ("name", "state", "owner", "protected", "memory")
FEWEST_ROWS = 3
MOST_ALARMS = 2
MOST_OPERATIONS = 4
MOST_EVENTS = 8
BAR = 10


@dataclass(frozen=True, slots=True)
class Picture:
    lines: list["Text"]
    count: int
    """Rows that can be chosen from."""


def picture(seen: Seen, view: View, width: int, height: int, now_s: float) -> Picture:
    """Exactly as many lines as fit."""
    listed = shown(view, lines(seen.status))
    if view.help:
        return Picture([_cut(text, width) for text in [*_help(), *_blank(height)][:height]], len(listed))
    head = _head(seen, now_s, MOST_ALARMS)[: max(1, height - 2)]
    room = height - 1 - len(head)
    nodes = _nodes(seen, width, max(FEWEST_ROWS, room // 3), now_s - seen.at_s)
    under_way = _operations(seen, MOST_OPERATIONS)
    room -= len(nodes) + len(under_way)
    latest = _events(seen, max(0, min(MOST_EVENTS, room // 3 - 1)))
    room = max(0, room - len(latest))
    groups = _groups(listed, len(seen.status.vms) + _others(seen), view, width, room)
    parts = laid_out([head, nodes, groups, under_way, latest], width, room - len(groups))
    above = [text for part in parts[:3] for text in part]
    below = [text for part in parts[3:] for text in part]
    middle = _blank(height - 1 - len(above) - len(below))
    found = [*above, *middle, *below][: height - 1]
    _put_clock(found[0], width)
    return Picture([*found, _cut(_foot(view), width)], len(listed))


def everything(seen: Seen) -> list["Text"]:
    """For a printer: all of it, nothing cut off."""
    listed = shown(View(), lines(seen.status))
    parts = [
        _head(seen, seen.at_s, len(seen.status.alarms)),
        _nodes(seen, 0, len(seen.status.nodes) + 1, 0.0),
        _groups(listed, len(listed), View(), 0, len(listed) + 1),
        _operations(seen, len(seen.status.groups) + len(seen.status.nodes)),
        _events(seen, MOST_EVENTS),
    ]
    return [told.line(0) for part in parts for told in part]


def _cut(text: "Text", width: int) -> "Text":
    text.truncate(width, overflow="ellipsis")
    return text


def _blank(count: int) -> list["Text"]:
    return [joined("") for _ in range(count)]


def _others(seen: Seen) -> int:
    of_vms = {row.group for row in seen.status.vms}
    return sum(1 for row in seen.status.groups if row.name not in of_vms)


def _put_clock(title: "Text", width: int) -> None:
    clock = time.strftime("%H:%M:%S")
    if title.cell_len + len(clock) < width:
        title.append(" " * (width - title.cell_len - len(clock)) + clock, "dim")


# --- the cluster ------------------------------------------------------------------------------------------------------


def _head(seen: Seen, now_s: float, most_alarms: int) -> list[Told]:
    status = seen.status
    coordinator = f"coordinator {status.coordinator}" if status.coordinator else "no coordinator"
    title = f"Cluster {status.name}: {coordinator}, answered by {status.answered_by}"
    found = [Told(words=title, style="bold"), _quorum(seen)]
    if seen.lost:
        age = f"this is how it was {times.duration(now_s - seen.at_s)} ago"
        found.append(Told(words=f"No contact, {age}: {seen.lost}", style="bold white on red"))
    elif status.age_s:
        old = f"{status.answered_by} does not reach the database: all but its own is {times.duration(status.age_s)} old"
        found.append(Told(words=old, style="bold yellow"))
    if status.session:
        words = f"{status.answered_by} has no session, and may run nothing until it has: {status.session}"
        found.append(Told(words=words, style="bold red"))
    found += [Told(words=f"! {words}", style="bold red") for words in status.alarms[:most_alarms]]
    if len(status.alarms) > most_alarms:
        found.append(Told(words=f"! {len(status.alarms) - most_alarms} more: outlast status", style="bold red"))
    return found


def _quorum(seen: Seen) -> Told:
    if seen.quorum is None:
        words = seen.status.quorum or "its members, if it has any, are not known"
        return Told(words=f"Database: {words}", style="yellow" if seen.status.quorum else "dim")
    words, margin = seen.quorum.words, seen.quorum.margin
    if words.startswith(LOST) or margin < 0:
        return Told(words=f"No quorum: {words.removeprefix(LOST)}", style="bold red")
    return Told(words=f"Quorum: {words}", style="green" if margin > 0 else "bold yellow")


# --- nodes ------------------------------------------------------------------------------------------------------------


def _nodes(seen: Seen, width: int, most: int, older_s: float) -> list[Told]:
    """`older_s`: so long ago the status came."""
    ordered = sorted(seen.status.nodes, key=lambda row: (node_rank(row), row.name))
    listed = ordered if len(ordered) < most else ordered[: max(1, most - 2)]
    found = table(NODE_TITLES, [_node(row, older_s) for row in sorted(listed, key=lambda row: row.name)], width)
    if len(listed) < len(ordered):
        rest = ordered[len(listed) :]
        ailing = sum(1 for row in rest if node_rank(row) < 2)
        words = f"and {len(rest)} more, {f'{ailing} of them not well' if ailing else 'all up'}"
        found.append(Told(words=words, style="dim"))
    return found


def _node(row: NodeRow, older_s: float) -> Told:
    heard = times.duration(row.last_record_s + older_s) + " ago" if row.last_record_s >= 0 else ""
    cells = (
        f"{row.name} *" if row.coordinator else row.name,
        output.state(row.state),
        _share(row.cpus_used, row.cpus, f"{row.cpus_used}/{row.cpus}"),
        _share(row.memory_used_mib, row.memory_mib, f"{row.memory_used_mib / 1024:.1f}/{_size(row.memory_mib)}"),
        str(row.groups),
        Cell(heard, "yellow" if row.state in ("silent", "dead") else "dim"),
    )
    return Told(cells, words=rows.node_why(row), style="yellow")


def _share(used: int, of: int, words: str) -> Cell:
    """What is given away, of what there is; nothing where that is not known."""
    if not of:
        return Cell("")
    return Cell(words, "bold red" if used > of else "yellow" if used > 0.9 * of else "")


def _size(mib: int) -> str:
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib} MiB"


# --- groups and VMs ---------------------------------------------------------------------------------------------------


def _groups(listed: Sequence[Line], of: int, view: View, width: int, room: int) -> list[Told]:
    """As many as there is room for: always the one that is chosen, with its whole reason."""
    chosen = listed[view.chosen] if 0 <= view.chosen < len(listed) else None
    space = max(1, room - 1)
    if chosen is not None and len(listed) > space:
        space = max(1, space - (len(Told(words=chosen.why).unfolded(width - output.INDENT))))
    first = max(0, min(view.chosen - space + 1, len(listed) - space))
    part = listed[first : first + space]
    found = table(LINE_TITLES, [_group(line, chosen=line is chosen) for line in part], width)
    said = [f"{first + 1}-{first + len(part)} of {len(listed)}"] if len(listed) > len(part) else []
    said += [f"{of - len(listed)} left out"] if len(listed) < of else []
    found[0] = Told(found[0].cells, found[0].widths, ", ".join(said), "cyan")
    if not listed:
        words = "none is like that" if of else "nothing is protected yet; see: outlast vm protect --help"
        found.append(Told(words=words, style="dim"))
    return found


def _group(line: Line, *, chosen: bool) -> Told:
    styles = {"yes": "green", "at risk": "yellow"}
    protection = Cell(line.protection, styles.get(line.protection, "bold yellow"))
    memory = _size(line.memory_mib) if line.memory_mib else ""
    cells = (line.name, output.state(line.state), line.owner, protection, memory)
    return Told(cells, words=line.why, style="yellow", chosen=chosen)


# --- what is under way, what happened ---------------------------------------------------------------------------------


def _operations(seen: Seen, most: int) -> list[Told]:
    found = operations(seen.status)
    if not found:
        return []
    listed = found if len(found) <= most else found[: most - 1]
    widest = min(LONGEST_CELL, max(joined(one.about).cell_len for one in listed))
    told = [Told(words=f"under way ({len(found)})", style="bold")]
    for one in listed:
        full = max(0, one.percent) * BAR // 100
        bar = f"[{'#' * full}{'.' * (BAR - full)}] " if one.percent >= 0 else ""
        told.append(Told((Cell(one.about, "cyan"),), (widest,), f"{bar}{one.words}"))
    if len(listed) < len(found):
        told.append(Told(words=f"and {len(found) - len(listed)} more", style="dim"))
    return told


def _events(seen: Seen, most: int) -> list[Told]:
    """The newest first: it is what one looks for."""
    found = latest(seen.events, most)
    return [Told(words="latest", style="bold"), *reversed(found)] if found else []


def latest(told: Sequence[Event], most: int) -> list[Told]:
    """The last events, newest last."""
    widths = (len(times.clock(0.0)), events.KIND_WIDTH)
    rows = [(Cell(times.clock(event.at_s), "dim"), events.kind(event)) for event in told]
    found = [Told(cells, widths, event.words) for cells, event in zip(rows, told, strict=True)]
    return found[-most:] if most else []


def _help() -> list["Text"]:
    found = [joined(Cell("Keys", "bold")), joined("")]
    found += [joined("  ", Cell(f"{keys:<18}", "cyan"), words) for keys, words in HELP]
    found += [joined(""), joined("vCPUs, memory: what VMs were given, of what the node has. *: coordinator.")]
    return [*found, joined("heard: since the asked node saw the last session record of that node.")]


def _foot(view: View) -> "Text":
    if view.typing:
        keys = Cell("  Enter keeps it, Esc drops it", "dim")
        return joined(Cell("filter: ", "bold"), view.filter, Cell(" ", "reverse"), keys)
    said = [f"s sort: {view.sort.value}", f"/ filter{f': {view.filter}' if view.filter else ''}"]
    said.append("w all" if view.only_amiss else "w not well only")
    return joined(Cell("  ".join(["q end", *said, "up/down choose", "? help"]), "reverse"))
