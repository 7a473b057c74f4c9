"""What do the keys do? How the user wants to see it, as a value, and what it is after each key."""

import enum
from dataclasses import dataclass, replace

from outlast.cli.top.seen import WELL_FROM, Line


class Sort(enum.Enum):
    TROUBLE = "trouble"
    NAME = "name"
    OWNER = "owner"
    STATE = "state"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class View:
    sort: Sort = Sort.TROUBLE
    filter: str = ""
    typing: bool = False
    """The filter is being typed."""
    only_amiss: bool = False
    chosen: int = -1
    """Row; -1: none."""
    help: bool = False
    ended: bool = False


PAGE = 10
HELP = (
    ("q", "end"),
    ("s", "sort by the next: trouble, name, owner, state, memory"),
    ("/", "filter: by part of a name, owner, state or reason; Esc drops it"),
    ("w", "leave out what is well, or show it again"),
    ("up, down, k, j", "choose a row: its reason is shown whole"),
    ("PgUp, PgDn, Home", "further; back to the first"),
    ("?, h", "this help, and back"),
)
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -PAGE, "page down": PAGE}


def after(view: View, key: str, count: int) -> View:
    """`key`: a letter, or the name of a key. `count`: how many rows there are to choose from."""
    if key == "interrupt":
        return replace(view, ended=True)
    if view.typing:
        return _typed(view, key)
    if key == "q":
        return replace(view, ended=True)
    if view.help or key in ("?", "h"):
        return replace(view, help=not view.help)
    if key in _STEPS:
        return replace(view, chosen=max(-1, min(view.chosen + _STEPS[key], count - 1)))
    match key:
        case "home" | "g":
            return replace(view, chosen=-1)
        case "end" | "G":
            return replace(view, chosen=count - 1)
        case "s":
            orders = list(Sort)
            return replace(view, sort=orders[(orders.index(view.sort) + 1) % len(orders)], chosen=-1)
        case "/":
            return replace(view, typing=True, filter="", chosen=-1)
        case "w":
            return replace(view, only_amiss=not view.only_amiss, chosen=-1)
        case "escape":
            return replace(view, filter="", only_amiss=False, chosen=-1)
    return view


def _typed(view: View, key: str) -> View:
    match key:
        case "enter":
            return replace(view, typing=False)
        case "escape":
            return replace(view, typing=False, filter="")
        case "backspace":
            return replace(view, filter=view.filter[:-1])
    return replace(view, filter=view.filter + key) if len(key) == 1 and key.isprintable() else view


def shown(view: View, lines: list[Line]) -> list[Line]:
    """Those that the user wants to see, in order."""
    wanted = view.filter.lower()
    found = [
        line
        for line in lines
        if not (view.only_amiss and line.rank >= WELL_FROM)
        and wanted in f"{line.name} {line.owner} {line.state} {line.why}".lower()
    ]
    return sorted(found, key=lambda line: (_order(view.sort, line), line.name))


def _order(sort: Sort, line: Line) -> tuple[int, str]:
    match sort:
        case Sort.TROUBLE:
            return (line.rank, "")
        case Sort.NAME:
            return (0, "")
        case Sort.OWNER:
            return (0 if line.owner else 1, line.owner)
        case Sort.STATE:
            return (0, line.state)
        case Sort.MEMORY:
            return (-line.memory_mib, "")
