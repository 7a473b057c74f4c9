"""How does an answer look: as JSON for scripts, as tables and lines for people?

A table's last column says why; where too little room is left for it, it goes below its row, so that no reason is ever
cut off. In a pipe a row is one line, whatever its length. Colours only underline what the words say, on a terminal.
Rich is imported when something is printed for people: scripts do not wait for it.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

ROOM_FOR_WHY = 40
GAP = 2
INDENT = 4
PIPE_WIDTH = 4000
"""Of a "terminal" that is none: wide enough that no row is ever broken."""

STATE_STYLES = {
    "online": "green",
    "partially online": "yellow",
    "online pending": "yellow",
    "offline pending": "yellow",
    "offline": "dim",
    "failed": "bold red",
    "unknown": "magenta",
    "up": "green",
    "paused": "yellow",
    "draining": "yellow",
    "drained": "yellow",
    "quarantined": "bold yellow",
    "silent": "bold yellow",
    "dead": "bold red",
    "out": "dim",
}


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    cells: Sequence[Cell | str]
    why: str = ""
    """Reasons; printed beside the row or below it."""
    why_style: str = "yellow"


def state(text: str) -> Cell:
    return Cell(text, STATE_STYLES.get(text, ""))


def json(value: Any) -> None:
    """One document, indented."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def json_line(value: Any) -> None:
    """One of many documents: a line each, at once."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def line(*parts: Cell | str) -> None:
    _print(console(), joined(*parts), soft_wrap=True)


def table(titles: Sequence[str], rows: Iterable[Row], *, empty: str = "") -> None:
    """`titles` without the last one, which is "why"; `empty`: what to say when there are no rows."""
    screen = console()
    _print(screen, grid(titles, list(rows), screen.width, empty))


def grid(titles: Sequence[str], rows: Sequence[Row], width: int, empty: str = "") -> Any:
    """The table as something rich can print."""
    if not rows:
        return joined(Cell(empty, "dim"))
    from rich.table import Table

    columns = zip(titles, *(row.cells for row in rows), strict=True)
    widths = [max(joined(cell).cell_len for cell in column) for column in columns]
    with_why = any(row.why for row in rows)
    if with_why and width - sum(widths) - GAP * len(widths) < ROOM_FOR_WHY:
        return _why_below(titles, rows, widths)
    result = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for title in titles:
        result.add_column(title, no_wrap=with_why)
    if with_why:
        result.add_column("why")
    for row in rows:
        why = [joined(Cell(one_line(row.why), row.why_style))] if with_why else []
        result.add_row(*[joined(cell) for cell in row.cells], *why)
    return result


def _why_below(titles: Sequence[str], rows: Sequence[Row], widths: Sequence[int]) -> Any:
    from rich.console import Group
    from rich.padding import Padding

    lines: list[Any] = [_aligned([Cell(title, "bold") for title in titles], widths)]
    for row in rows:
        lines.append(_aligned(row.cells, widths))
        if row.why:
            lines.append(Padding(joined(Cell(one_line(row.why), row.why_style)), (0, 0, 0, INDENT)))
    return Group(*lines)


def _aligned(cells: Sequence[Cell | str], widths: Sequence[int]) -> "Text":
    text = joined()
    for cell, width in zip(cells, widths, strict=True):
        text.append_text(joined(cell))
        text.append(" " * (width - joined(cell).cell_len + GAP))
    text.rstrip()
    return text


def fields(pairs: Iterable[tuple[str, Cell | str]]) -> None:
    """Names and values, one pair a line; pairs without a value are left out."""
    from rich.table import Table

    result = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    result.add_column(no_wrap=True, style="dim")
    result.add_column()
    for name, value in pairs:
        text = joined(value)
        if text.plain:
            result.add_row(name, text)
    _print(console(), result)


def heading(text: str) -> None:
    screen = console()
    _print(screen, "")
    _print(screen, joined(Cell(text, "bold")))


def parts(found: Iterable[Any]) -> None:
    """Print what `grid` and `joined` have made, one below the other."""
    screen = console()
    for part in found:
        _print(screen, part)


@contextmanager
def live() -> Iterator[Callable[[Sequence[Any]], None]]:
    """On a terminal, each update takes the place of the one before it; elsewhere they follow each other."""
    from rich.console import Group
    from rich.live import Live

    screen = console()
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield parts
        return
    with Live(console=screen, auto_refresh=False, vertical_overflow="crop") as view:
        yield lambda found: view.update(Group(*found), refresh=True)


@contextmanager
def progress(what: str, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A line on the terminal that says what is going on until it is done; nothing in a pipe or on a dumb terminal."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM", "") in ("", "dumb"):
        yield lambda words: None
        return
    with console(stderr=True).status(joined(what)) as status:
        yield lambda words: status.update(joined(f"{what}: {words}"))


def get_ready() -> None:
    """What is needed to say how it ended is loaded while that is waited for."""
    import rich.console  # noqa: F401


def console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    wide = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(
        stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=False, width=PIPE_WIDTH if wide else None
    )


def _print(screen: "Console", part: Any, *, soft_wrap: bool = False) -> None:
    """Rich fills lines up with spaces: fine on a screen, a nuisance in a pipe."""
    if screen.is_terminal:
        screen.print(part, soft_wrap=soft_wrap)
        return
    with screen.capture() as captured:
        screen.print(part, soft_wrap=soft_wrap)
    sys.stdout.write("".join(f"{text.rstrip()}\n" for text in captured.get().splitlines()))


def joined(*parts: Cell | str) -> "Text":
    from rich.text import Text

    text = Text(overflow="fold")
    for part in parts:
        cell = part if isinstance(part, Cell) else Cell(part)
        text.append(printable(cell.text), style=cell.style or None)
    return text


def printable(text: str) -> str:
    """Names come from anywhere: nothing in them may steer the terminal."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else "\n" if letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def one_line(text: str) -> str:
    """The words of others, as QEMU's, may have several lines; a row and an event are one, for grep's sake."""
    return " ".join(text.split("\n"))


def named(name: str) -> str:
    """A name inside a sentence."""
    return f'"{name}"' if " " in name or not name else name
