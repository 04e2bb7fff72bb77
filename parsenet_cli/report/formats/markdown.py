"""Tables and reports as GitHub-flavoured Markdown; of a report's drawings, the captions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
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
from parsenet_cli.report.redact import redact_paths

SUFFIX = "md"

_Escape = Callable[[str], str]


def text(grid: Grid) -> str:
    """A table with its name, title and caption above and its notes below."""
    head = []
    if grid.name or grid.title:
        name = f"**{': '.join(filter(None, [grid.name, plain(grid.title)]))}**"
        head = [f"{name} ({plain(grid.caption)})" if grid.caption else name]
    return "\n\n".join([*head, *_grid(grid, plain)]) + "\n"


def document(report: Document) -> str:
    """A whole report as one file; its first line says what it was made from."""
    out = [f"<!-- parsenet-inputs: {report.digest} -->", f"# {private(report.title)}", private(report.about)]
    for section in report.sections:
        out += [f"## {private(section.title)}", *_blocks(section.blocks, 3)]
    return "\n\n".join(out) + "\n"


def plain(words: str) -> str:
    """Text in which nothing makes a table, emphasis or HTML."""
    return re.sub(r"([|*_<>\\])", r"\\\1", words)


def private(words: str) -> str:
    """Text in which nothing is Markdown, without anybody's folders."""
    return re.sub(r"([`\[\]])", r"\\\1", plain(redact_paths(" ".join(words.split()))))


def _blocks(blocks: Sequence[Block], level: int) -> list[str]:
    return [text for block in blocks for text in _block(block, level)]


def _block(block: Block, level: int) -> list[str]:
    match block:
        case Paragraph():
            return [private(block.text)]
        case Listing():
            return ["\n".join(["```", *map(redact_paths, block.lines), "```"])]
        case Tiles():
            return [" · ".join(f"**{private(number)}** {private(what)}" for number, what, _ in block.tiles)]
        case Grid():
            return _grid(block, private)
        case Drawing():
            return [f"Drawn on the page: {private(block.description)} {private(block.caption)}".rstrip()]
        case Legend():
            return []
        case Fold():
            title = escape(redact_paths(block.title))
            return [f"<details><summary>{title}</summary>", *_blocks(block.blocks, level), "</details>"]
        case Part():
            return [f"{'#' * level} {private(block.title)}", *_blocks(block.blocks, level + 1)]


def _grid(grid: Grid, escaped: _Escape) -> list[str]:
    heads = [escaped(head) or " " for head in (*grid.labels, *grid.heads)]
    rule = ["---"] * len(grid.labels) + ["---" if grid.prose else "---:"] * len(grid.heads)
    lines = [heads, rule, *([_cell(cell, escaped) for cell in row.cells] for row in grid.rows)]
    notes = [f"<sup>{mark}</sup> {escaped(note)}" if mark else escaped(note) for mark, note in grid.notes]
    return ["\n".join(f"| {' | '.join(line)} |" for line in lines), *notes]


def _cell(cell: Cell, escaped: _Escape) -> str:
    text = escaped(cell.text.replace("\n", " "))
    text = f"**{text}**" if cell.bold and text else text
    text += f" ({escaped(cell.under)})" if cell.under else ""
    return text + (f"<sup>{cell.marks}</sup>" if cell.marks else "")
