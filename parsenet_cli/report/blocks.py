"""What is shown, apart from how it looks: tables and the other blocks of a report. `formats/` writes them, all alike.

The text in them is anybody's: of tables, of studies in a results folder, of file names. It is made printable here, once for all
formats; each format has one function that escapes what is markup to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from parsenet_cli.core.text import printable


def mapped(value: Any, change: Callable[[str], str], *, blocks: bool = True) -> Any:
    """The same value with `change` applied to every text in it; `blocks`: also to those of the blocks inside."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): mapped(inner, change, blocks=blocks) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        inner = [mapped(each, change, blocks=blocks) for each in value]
        return tuple(inner) if isinstance(value, tuple) else inner
    if isinstance(value, Drawing) and blocks:
        svg = re.sub(r"(?<=>)[^<>]+(?=<)", lambda words: change(words[0]), value.svg)
        return Drawing(svg, change(value.description), change(value.caption))
    if is_dataclass(value) and not isinstance(value, type) and blocks:
        return replace(value, **{each.name: mapped(getattr(value, each.name), change) for each in fields(value)})
    return value


_NUMBERS = (int, float)


class Printable:
    """Whatever its fields hold, no character of it steers a terminal or the direction of text."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            harmless = value.isprintable() if isinstance(value, str) else isinstance(value, _NUMBERS)
            if not harmless:
                object.__setattr__(self, name, mapped(value, printable, blocks=False))


@dataclass(frozen=True)
class Cell(Printable):
    """One entry of a grid.

    Attributes:
        quiet: Printed in the paper, or otherwise in the background.
        marks: Letters of the notes below the grid.
        under: A second line, smaller: points against the baseline, or the reason.
        shade: -1 (far below the baseline) to 1 (far above): the colour behind the number.
        tone: supported | refuted | undecided | neither | collapsed | failed, or empty.
        tip: Lines that are shown while the pointer or the keyboard is on the number.
        target: The row (`Row.key`) that says the same on paper and in Markdown.
    """

    text: str = ""
    bold: bool = False
    quiet: bool = False
    code: bool = False
    marks: str = ""
    under: str = ""
    shade: float = 0.0
    tone: str = ""
    tip: tuple[str, ...] = ()
    target: str = ""


@dataclass(frozen=True)
class Row(Printable):
    """A line of a grid.

    Attributes:
        key: Unique in the document, if something points here.
    """

    cells: tuple[Cell, ...]
    key: str = ""


@dataclass(frozen=True)
class Grid(Printable):
    """A table: label columns (left-aligned), then columns in groups. Every table that is printed or written is one.

    Attributes:
        labels: Headers of the label columns.
        groups: A header and the headers below it: `("w/ Norm", ("paper", "measured"))`, or `("mean", ("",))`.
        notes: Letter (or nothing) and text.
        prose: Whether the columns hold words, left-aligned and broken where they have to be, rather than numbers.
        records: What the grid was made from, one flat mapping per line: what `csv` writes, and `json` in place of the
            rows.
        data: What `json` writes, where it is not a list of records.
    """

    labels: tuple[str, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    rows: tuple[Row, ...]
    notes: tuple[tuple[str, str], ...] = ()
    prose: bool = False
    name: str = ""
    title: str = ""
    caption: str = ""
    records: tuple[Mapping[str, Any], ...] = ()
    data: Mapping[str, Any] | None = None

    @property
    def heads(self) -> list[str]:
        """The headers of all columns but the labels, in one row."""
        return [f"{head} {below}".strip() for head, group in self.groups for below in group]


def words(
    heads: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    labels: int = 1,
    notes: Iterable[str] = (),
    **other: Any,
) -> Grid:
    """A grid of words: the first `labels` columns are its labels, `notes` have no letters. `other`: fields of `Grid`."""
    made = (Row(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row)) for row in rows)
    groups = tuple((head, ("",)) for head in heads[labels:])
    below = tuple(("", note) for note in notes)
    return Grid(tuple(heads[:labels]), groups, tuple(made), below, **{"prose": True, **other})


@dataclass(frozen=True)
class Paragraph(Printable):
    """Plain text."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Listing(Printable):
    """Lines of commands, to be copied."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Tiles(Printable):
    """A few large numbers: (number, what it counts, tone)."""

    tiles: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Drawing(Printable):
    """A figure as an SVG element whose ink is `currentColor`.

    Attributes:
        description: What is to be seen, for those who cannot see it.
    """

    svg: str
    description: str
    caption: str = ""


@dataclass(frozen=True)
class Legend(Printable):
    """What the shades of a table mean: (a class of page.css, name)."""

    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fold(Printable):
    """Blocks that are shown on demand; always on paper."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Part(Printable):
    """A section inside a section."""

    key: str
    title: str
    blocks: tuple[Block, ...]


Block = Paragraph | Listing | Grid | Tiles | Drawing | Legend | Fold | Part


@dataclass(frozen=True)
class Section(Printable):
    """A chapter; `key` is its address on the page.

    Attributes:
        outlined: Whether the table of contents names its parts too.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    outlined: bool = True


@dataclass(frozen=True)
class Document(Printable):
    """A whole page.

    Attributes:
        digest: Of everything it was made from.
    """

    title: str
    about: str
    sections: tuple[Section, ...]
    digest: str = ""
