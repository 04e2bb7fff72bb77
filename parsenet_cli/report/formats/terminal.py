"""Tables on a terminal, as wide as it is; 160 columns where the output goes into a file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

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
    from rich.text import Text

    close = not grid.prose and len(grid.heads) > MANY
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0 if close else (0, 1))
    for label in grid.labels:
        table.add_column(label, overflow="fold")
    for head in grid.heads:
        table.add_column(head, justify="left" if grid.prose else "right", no_wrap=close, overflow="fold")
    for row in grid.rows:
        table.add_row(*map(_cell, row.cells))
    title = ": ".join(filter(None, [grid.name, grid.title]))
    above = [Text(), Text(title, style="bold")] if title else []
    above += [Text(grid.caption, style="dim")] if grid.caption else []
    notes = [Text.assemble((f" {mark:1} ", "dim"), (note, "dim")) for mark, note in grid.notes]
    return Group(*above, table, *notes)


def _cell(cell: Cell) -> Text:
    from rich.text import Text

    style = TONES.get(cell.tone) or ("bold" if cell.bold else "dim" if cell.quiet else "")
    text = Text(cell.text, style=style)
    text.append(f" {cell.marks}" if cell.marks else "", style="dim")
    return text
