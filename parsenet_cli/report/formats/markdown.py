"""Tables and reports as GitHub-flavoured Markdown; of a report's drawings, the captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from parsenet_cli.report.blocks import (
    Block,
    Cell,
    Document,
    Drawing,
    Fold,
    Grid,
    Legend,
    Listing,
    Paragraph,
    Part,
    Tiles,
)

SUFFIX = "md"

_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&$#]|^=|^[-+](?=[ -]|$)")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?= |$)")
"""What would begin an item of a list."""


def text(grid: Grid) -> str:
    """A table with its name, title and caption above and its notes below."""
    head = []
    if grid.name or grid.title:
        name = f"**{escaped(': '.join(filter(None, [grid.name, grid.title])))}**"
        head = [f"{name} ({escaped(grid.caption)})" if grid.caption else name]
    return "\n\n".join([*head, *_grid(grid)]) + "\n"


def document(report: Document) -> str:
    """A whole report as one file; its first line says what it was made from. Redacted before, as `html.document`."""
    out = [f"<!-- parsenet-inputs: {report.digest} -->", f"# {escaped(report.title)}", escaped(report.about)]
    for section in report.sections:
        out += [f"## {escaped(section.title)}", *_blocks(section.blocks, 3)]
    return "\n\n".join(out) + "\n"


def escaped(words: str) -> str:
    """Text in one line in which nothing is Markdown, HTML or mathematics."""
    return _NUMBERED.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", " ".join(words.split())))


def _blocks(blocks: Sequence[Block], level: int) -> list[str]:
    return [text for block in blocks for text in _block(block, level)]


def _block(block: Block, level: int) -> list[str]:
    match block:
        case Paragraph():
            return [escaped(block.text)]
        case Listing():
            lines = "\n".join(block.lines)
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", lines)), default=0))
            return [f"{fence}\n{lines}\n{fence}"]
        case Tiles():
            return [" · ".join(f"**{escaped(number)}** {escaped(what)}" for number, what, _ in block.tiles)]
        case Grid():
            return _grid(block)
        case Drawing():
            return [f"Drawn on the page: {escaped(block.description)} {escaped(block.caption)}".rstrip()]
        case Legend():
            return []
        case Fold():
            title = escape(" ".join(block.title.split()))
            return [f"<details><summary>{title}</summary>", *_blocks(block.blocks, level), "</details>"]
        case Part():
            return [f"{'#' * level} {escaped(block.title)}", *_blocks(block.blocks, level + 1)]


def _grid(grid: Grid) -> list[str]:
    heads = [escaped(head) or " " for head in (*grid.labels, *grid.heads)]
    rule = ["---"] * len(grid.labels) + ["---" if grid.prose else "---:"] * len(grid.heads)
    lines = [heads, rule, *([_cell(cell) for cell in row.cells] for row in grid.rows)]
    notes = [f"<sup>{escaped(mark)}</sup> {escaped(note)}" if mark else escaped(note) for mark, note in grid.notes]
    return ["\n".join(f"| {' | '.join(line)} |" for line in lines), *notes]


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    text = f"**{text}**" if cell.bold and text else text
    text += f" ({escaped(cell.under)})" if cell.under else ""
    return text + (f"<sup>{escaped(cell.marks)}</sup>" if cell.marks else "")
