"""A report as GitHub-flavoured Markdown: the same tables and sentences; pictures are on the page alone."""

from __future__ import annotations

import re
from html import escape

from parsenet_cli.report.blocks import (
    Block,
    Document,
    Field,
    Fold,
    Gallery,
    Grid,
    Legend,
    Listing,
    Paragraph,
    Part,
    Tiles,
)
from parsenet_cli.report.formats.render import markdown_line, markdown_text
from parsenet_cli.report.redact import redact_paths


def to_markdown(document: Document) -> str:
    """The whole report as one file; its first line says what it was made from."""
    out = [f"<!-- parsenet-inputs: {document.digest} -->", f"# {_text(document.title)}", _text(document.about)]
    for section in document.sections:
        out += [f"## {_text(section.title)}", *_blocks(section.blocks, 3)]
    return "\n\n".join(out) + "\n"


def _blocks(blocks: tuple[Block, ...], level: int) -> list[str]:
    return [text for block in blocks for text in _block(block, level)]


def _block(block: Block, level: int) -> list[str]:
    match block:
        case Paragraph():
            return [_text(block.text)]
        case Listing():
            return ["\n".join(["```", *(redact_paths(line) for line in block.lines), "```"])]
        case Tiles():
            return [" · ".join(f"**{_text(number)}** {_text(what)}" for number, what, _ in block.tiles)]
        case Grid():
            return _grid(block)
        case Gallery():
            return [f"Pictures on the page: {_text(', '.join(p.caption or p.says for p in block.pictures))}."]
        case Legend():
            return []
        case Fold():
            title = escape(redact_paths(block.title))
            return [f"<details><summary>{title}</summary>", *_blocks(block.blocks, level), "</details>"]
        case Part():
            return [f"{'#' * level} {_text(block.title)}", *_blocks(block.blocks, level + 1)]


def _grid(grid: Grid) -> list[str]:
    heads = [*grid.labels, *(f"{head} {below}".strip() for head, group in grid.groups for below in group)]
    right = len(heads) - len(grid.labels)
    rule = ["---"] * len(grid.labels) + ["---" if grid.prose else "---:"] * right
    lines = [markdown_line([_text(head) or " " for head in heads]), markdown_line(rule)]
    lines += [markdown_line([_field(field) for field in line.fields]) for line in grid.lines]
    notes = [f"<sup>{mark}</sup> {_text(note)}" if mark else _text(note) for mark, note in grid.notes]
    return ["\n".join(lines), *notes]


def _field(field: Field) -> str:
    text = _text(field.text)
    text = f"**{text}**" if field.bold and text else text
    text += f" ({_text(field.under)})" if field.under else ""
    return text + (f"<sup>{field.marks}</sup>" if field.marks else "")


def _text(text: str) -> str:
    return re.sub(r"([`\[\]])", r"\\\1", markdown_text(redact_paths(" ".join(text.split()))))
