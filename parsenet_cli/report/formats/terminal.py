"""Tables on a terminal, as wide as it is; 160 columns where the output goes into a file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from parsenet_cli.core.text import printable
from parsenet_cli.report.blocks import Cell, Grid

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

SUFFIX = ""
MANY = 16
"""With more columns of numbers than this they stand close together and are never broken."""

TONES = {"supported": "green", "refuted": "red", "undecided": "yellow", "failed": "red"}


def console() -> Console:
    """A console as wide as the terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160
    return Console(width=width, highlight=False)


def line(words: str, style: str = "") -> Text:
    """Words of whatever origin for a rich console, which would read markup in a bare string."""
    from rich.text import Text

    return Text(printable(words), style=style)


def text(grid: Grid) -> str:
    """The table with its title, caption and notes, in colour where the output is a terminal."""
    screen = console()
    with screen.capture() as captured:
        screen.print(renderable(grid))
    return captured.get()


def renderable(grid: Grid) -> RenderableType:
    """The same for a rich console."""
    from rich import box
    from rich.console import Group
    from rich.table import Table

    close = not grid.prose and len(grid.heads) > MANY
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0 if close else (0, 1))
    for label in grid.labels:
        table.add_column(line(label), overflow="fold")
    for head in grid.heads:
        table.add_column(line(head), justify="left" if grid.prose else "right", no_wrap=close, overflow="fold")
    for row in grid.rows:
        table.add_row(*map(_cell, row.cells))
    title = ": ".join(filter(None, [grid.name, grid.title]))
    above = [line(""), line(title, "bold")] if title else []
    above += [line(grid.caption, "dim")] if grid.caption else []
    notes = [line(f" {mark:1} {note}", "dim") for mark, note in grid.notes]
    return Group(*above, table, *notes)


def _cell(cell: Cell) -> Text:
    style = TONES.get(cell.tone) or ("bold" if cell.bold else "dim" if cell.quiet else "")
    text = line(cell.text, style)
    text.append(f" {cell.marks}" if cell.marks else "", style="dim")
    return text
