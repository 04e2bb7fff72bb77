"""What a report says, apart from how it looks: sections of blocks, which page.py and markdown.py render alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One entry of a grid."""

    text: str
    bold: bool = False
    quiet: bool = False
    """Printed in the paper, or otherwise in the background."""
    code: bool = False
    marks: str = ""
    """Letters of the notes below the grid."""
    under: str = ""
    """A second line, smaller: points against the baseline, or the reason."""
    shade: float = 0.0
    """-1 (far below the baseline) to 1 (far above): the colour behind the number."""
    tone: str = ""
    """supported | refuted | undecided | collapsed | failed, or empty."""
    tip: tuple[str, ...] = ()
    """Lines that are shown while the pointer or the keyboard is on the number."""
    target: str = ""
    """The line (`Line.key`) that says the same on paper and in Markdown."""


@dataclass(frozen=True)
class Line:
    """A line of a grid."""

    fields: tuple[Field, ...]
    key: str = ""
    """Unique in the document, if something points here."""


@dataclass(frozen=True)
class Grid:
    """A table: label columns (left-aligned), then groups of columns."""

    labels: tuple[str, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    lines: tuple[Line, ...]
    notes: tuple[tuple[str, str], ...] = ()
    """Letter (or nothing) and text."""
    prose: bool = False
    """Whether the columns hold sentences, to be broken and left-aligned, rather than numbers."""


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
class Picture:
    """A picture with its caption. Either an inline SVG that this package has drawn, or addresses of `data:`."""

    says: str
    """What is to be seen, for those who cannot see it."""
    caption: str = ""
    svg: str = ""
    data: str = ""
    dark: str = ""
    """The same for a dark page, if it differs."""
    patches: tuple[tuple[str, str], ...] = ()
    """A legend: colour (`#rrggbb`) and name."""


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side; `small` ones fit four to a line, `wide` ones take a line each."""

    pictures: tuple[Picture, ...]
    small: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Legend:
    """What colours or strokes of the pictures around mean: (a key of page.css or `#rrggbb`, name)."""

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


Block = Paragraph | Listing | Grid | Tiles | Gallery | Legend | Fold | Part


@dataclass(frozen=True)
class Section:
    """A chapter; `key` is its address on the page."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    outlined: bool = True
    """Whether the table of contents names its parts too."""


@dataclass(frozen=True)
class Document:
    """The whole report."""

    title: str
    about: str
    sections: tuple[Section, ...]
    digest: str
    """Of everything it was made from."""
