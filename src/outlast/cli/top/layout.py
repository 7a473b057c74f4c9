"""How do rows with reasons get into lines of a screen? Each takes one line. Where there is room to spare, reasons that
do not fit are unfolded below their rows, those that come first, first.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlast.cli import output
from outlast.cli.output import Cell, joined

if TYPE_CHECKING:
    from rich.text import Text

LONGEST_CELL = 28
NARROWEST = 20


@dataclass(frozen=True, slots=True)
class Told:
    """A row: cells side by side, and words that may take more than the rest of the line."""

    cells: Sequence[Cell | str] = ()
    widths: Sequence[int] = ()
    words: str = ""
    style: str = ""
    chosen: bool = False

    def line(self, width: int) -> "Text":
        """`width` 0: as long as it is."""
        text = self._cells()
        text.append_text(joined(Cell(output.one_line(self.words), self.style)))
        if self.chosen:
            text.pad_right(max(0, width - text.cell_len))
            text.stylize("reverse")
        if width:
            text.truncate(width, overflow="ellipsis")
        return text

    def unfolded(self, width: int) -> list["Text"]:
        """As many lines as it takes."""
        if self.fits(width):
            return [self.line(width)]
        indent = " " * output.INDENT
        words = textwrap.wrap(
            output.one_line(self.words),
            max(NARROWEST, width),
            initial_indent=indent if self.cells else "",
            subsequent_indent=indent,
        )
        head = [Told(self.cells, self.widths, chosen=self.chosen).line(width)] if self.cells else []
        return head + [joined(Cell(line, self.style)) for line in words]

    def fits(self, width: int) -> bool:
        return not width or self._cells().cell_len + joined(output.one_line(self.words)).cell_len <= width

    def _cells(self) -> "Text":
        text = joined()
        for cell, wide in zip(self.cells, self.widths, strict=True):
            part = joined(cell)
            part.truncate(wide, overflow="ellipsis")
            text.append_text(part)
            text.append(" " * (wide - part.cell_len + output.GAP))
        return text


def table(titles: Sequence[str], rows: Sequence[Told], width: int) -> list[Told]:
    """The rows, their cells below each other, and their titles on top."""
    columns = zip(titles, *(row.cells for row in rows), strict=True)
    longest = LONGEST_CELL if width else output.PIPE_WIDTH
    widths = [min(longest, max(joined(cell).cell_len for cell in column)) for column in columns]
    head = Told([Cell(title, "bold") for title in titles], widths)
    return [head, *(Told(row.cells, widths, row.words, row.style, row.chosen) for row in rows)]


def laid_out(parts: Sequence[Sequence[Told]], width: int, spare: int) -> list[list["Text"]]:
    """Each part's lines. `spare`: so many lines may be used for unfolding. The row that is chosen comes before all."""
    lines = [[[row.line(width)] for row in part] for part in parts]
    order = [(not row.chosen, at, number) for at, part in enumerate(parts) for number, row in enumerate(part)]
    for _, at, number in sorted(order):
        whole = parts[at][number].unfolded(width)
        if len(whole) - 1 <= spare:
            spare -= len(whole) - 1
            lines[at][number] = whole
    return [[line for row in part for line in row] for part in lines]
