"""What is shown, apart from how it looks: tables and the other blocks of a report. `formats/` writes them, all alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One entry of a grid.

    Attributes:
        quiet: Printed in the paper, or otherwise in the background.
        marks: Letters of the notes below the grid.
        under: A second line, smaller: points against the baseline, or the reason.
        shade: -1 (far below the baseline) to 1 (far above): the colour behind the number.
        tone: supported | refuted | undecided | collapsed | failed, or empty.
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
class Row:
    """A line of a grid.

    Attributes:
        key: Unique in the document, if something points here.
    """

    cells: tuple[Cell, ...]
    key: str = ""


@dataclass(frozen=True)
class Grid:
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
class Paragraph:
    """Plain text."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Listing:
    """Lines of commands, to be copied."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Tiles:
    """A few large numbers: (number, what it counts, tone)."""

    tiles: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Drawing:
    """A figure as an SVG element whose ink is `currentColor`.

    Attributes:
        description: What is to be seen, for those who cannot see it.
    """

    svg: str
    description: str
    caption: str = ""


@dataclass(frozen=True)
class Legend:
    """What the shades of a table mean: (a class of page.css, name)."""

    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fold:
    """Blocks that are shown on demand; always on paper."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Part:
    """A section inside a section."""

    key: str
    title: str
    blocks: tuple[Block, ...]


Block = Paragraph | Listing | Grid | Tiles | Drawing | Legend | Fold | Part


@dataclass(frozen=True)
class Section:
    """A chapter; `key` is its address on the page.

    Attributes:
        outlined: Whether the table of contents names its parts too.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    outlined: bool = True


@dataclass(frozen=True)
class Document:
    """A whole page.

    Attributes:
        digest: Of everything it was made from.
    """

    title: str
    about: str
    sections: tuple[Section, ...]
    digest: str = ""
