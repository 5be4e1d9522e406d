"""Tables of commands: one way to write them as Markdown, and one to show them at any width."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import rich.table
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from linearizer.display.console import say, tell
from linearizer.measurement import MISSED

GAP = 2


@dataclass(frozen=True)
class Table:
    """Rows of text under names of columns; a name may be empty.

    Example:
        >>> from linearizer.display.tables import Table
        >>> print(Table(["law", "measured"], [["round trip", "1e-07"]]).markdown())
        | law | measured |
        |---|---|
        | round trip | 1e-07 |
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table in Markdown, without an end of line."""
        lines = [
            "|" + "".join(f" {cell} |" if cell else " |" for cell in row)
            for row in (self.columns, *self.rows)
        ]
        return "\n".join([lines[0], f"|{'---|' * len(self.columns)}", *lines[1:]])

    def show(self, console: Console | None = None) -> None:
        """Print it: on a terminal folded between words, or as `name: value` lines if it must.

        In a pipe every row is one line, whatever `COLUMNS` says.
        """
        console = console or Console()
        columns = list(zip(self.columns, *self.rows, strict=True))
        widths = [max(map(cell_len, column)) for column in columns]
        room = console.width - GAP * (len(widths) - 1)
        if console.is_terminal and sum(widths) > room:
            widths = _squeezed(columns, widths, room)
        if sum(widths) > room and console.is_terminal:
            self._show_lines(console)
        else:
            self._show_columns(console, widths)

    def _show_lines(self, console: Console) -> None:
        for i, row in enumerate(self.rows):
            if i:
                say("", console)
            for name, cell in zip(self.columns, row, strict=True):
                if cell:
                    say(f"{name}: {cell}" if name else cell, console)

    def _show_columns(self, console: Console, widths: Sequence[int]) -> None:
        grid = rich.table.Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        for i, (name, width) in enumerate(zip(self.columns, widths, strict=True)):
            numbers = bool(self.rows) and all(_is_number(row[i]) for row in self.rows)
            grid.add_column(Text(name), width=width, justify="right" if numbers else "left")
        for row in self.rows:
            grid.add_row(*(Text(cell, "red" if cell == MISSED else "") for cell in row))
        if not console.is_terminal:
            console.width = sum(widths) + GAP * len(widths)  # its default is 80, or COLUMNS
        console.print(grid, crop=False)


def _squeezed(columns: Sequence[Sequence[str]], widths: Sequence[int], room: int) -> list[int]:
    """Narrower widths, down to the room if words allow it, for a table with few lines."""
    least = [max(map(cell_len, " ".join(column).split()), default=0) for column in columns]
    widths = list(widths)
    heights = [_heights(column, width) for column, width in zip(columns, widths, strict=True)]
    while sum(widths) > room and widths != least:
        options = []
        for i, width in enumerate(widths):
            if width > least[i]:
                squeezed = [*heights]
                squeezed[i] = _heights(columns[i], width - 1)
                lines = sum(map(max, zip(*squeezed, strict=True)))
                options.append((lines, -width, i, squeezed))
        *_, i, heights = min(options)
        widths[i] -= 1
    return widths


def _heights(column: Sequence[str], width: int) -> list[int]:
    return [len(textwrap.wrap(cell, width, break_on_hyphens=False)) for cell in column]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


Page = Sequence[Table | str]
"""Tables and paragraphs between them, one below the other."""


def page_markdown(page: Page) -> str:
    """A page in Markdown.

    Example:
        >>> from linearizer.display.tables import Table, page_markdown
        >>> print(page_markdown([Table(["n"], [["1"]]), "One row."]))
        | n |
        |---|
        | 1 |
        <BLANKLINE>
        One row.
        <BLANKLINE>
    """
    return "\n\n".join(p.markdown() if isinstance(p, Table) else p for p in page) + "\n"


def show_page(page: Page, console: Console | None = None) -> None:
    """Print a page."""
    console = console or Console()
    for i, part in enumerate(page):
        if i:
            say("", console)
        if isinstance(part, Table):
            part.show(console)
        else:
            tell(part, console)
