"""Tables on a terminal, as wide as it is; 160 columns where the output goes into a file.

A table that is wider than the terminal is wrapped at blanks. Where its words still do not fit, columns go into further parts
below the first, each with the labels. No word and no number is cut: one that is longer than its column stands on a line of its
own.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from parsenet_cli.core.text import printable
from parsenet_cli.report.blocks import Cell, Grid

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Text

SUFFIX = ""
MANY = 16
"""With more columns of numbers than this they stand close together."""

LONG = 24
"""No column of words is widened by a word of more characters, such as an address or a path, where there are several parts."""

TONES = {"supported": "green", "refuted": "red", "undecided": "yellow", "neither": "yellow", "failed": "red"}

_WORD = re.compile(r" *[^ ]+(?:(?: ± |(?<=\d) x (?=\d)|(?<=\d) (?=\d{3}(?!\w)))[^ ]+)*")
"""What no line end breaks, and the blanks before it: `38.1 ± 0.4`, `800 x 2` and `20 505 429` are one number each."""

Line = list[tuple[str, str]]
"""Pieces of a line with their styles."""


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
        screen.print(renderable(grid), crop=False)
    return captured.get()


def renderable(grid: Grid) -> RenderableType:
    """The same for a rich console."""
    return _Drawing(grid)


def rows_that_fit(grid: Grid, screen: Console) -> int:
    """How many rows of a table fit on a screen: all, or so many that one more line fits as well."""
    drawing = _Drawing(grid)
    heights = drawing.heights(drawing.parts(screen.width))
    room = screen.height - sum(1 for _ in drawing.lines(screen.width)) + sum(heights)
    return len(heights) if sum(heights) <= room else sum(height < room for height in accumulate(heights))


def wrapped(words: str, width: int, indent: str = "") -> list[str]:
    """Lines of `width` characters, broken at blanks only: a longer word is a line of its own. `indent`: of all but the first."""
    if len(words) <= width and words.isascii() and words.isprintable():
        return [words]
    lines = []
    for given in words.expandtabs(8).split("\n"):
        now = ""
        for word in _WORD.findall(given):
            if now and _length(now + word) > width:
                lines.append(now)
                now = indent + word.lstrip(" ")
            else:
                now += word
        lines.append(now)
    return lines


@dataclass(frozen=True)
class _Column:
    """A column before it has a width."""

    head: str
    cells: tuple[Cell, ...]
    right: bool

    @cached_property
    def texts(self) -> list[str]:
        """Of its cells, with their marks."""
        return [f"{cell.text} {cell.marks}" if cell.marks else cell.text for cell in self.cells]

    @cached_property
    def natural(self) -> int:
        """The width that breaks nothing."""
        return max(_length(each) for text in {self.head, *self.texts} for each in text.expandtabs(8).split("\n"))

    @cached_property
    def words(self) -> list[set[int]]:
        """The lengths of the words of its header and of each cell."""
        texts = (text.expandtabs(8).split("\n") for text in (self.head, *self.texts))
        return [{_length(word.lstrip(" ")) for each in text for word in _WORD.findall(each)} for text in texts]

    @property
    def head_floor(self) -> int:
        """The least width that breaks no word of the header."""
        return max(self.words[0], default=1)

    def floor(self, longest: int) -> int:
        """The least width that breaks no word; those that are longer than `longest` are not counted."""
        return max((length for lengths in self.words for length in lengths if length <= longest), default=1)

    def overflowing(self, width: int) -> int:
        """In how many cells a word would be longer than the column."""
        return sum(max(lengths, default=0) > width for lengths in self.words)


@dataclass(frozen=True)
class _Part:
    """Columns that stand beside each other, their widths, and the blanks between them."""

    columns: Sequence[_Column]
    widths: Sequence[int]
    gap: int

    def head(self) -> list[Line]:
        """The lines of the headers, which stand on the rule below them."""
        return self._lines([column.head for column in self.columns], ["bold"] * len(self.columns), bottom=True)

    def row(self, number: int) -> list[Line]:
        """The lines of a row."""
        cells = [column.cells[number] for column in self.columns]
        return self._lines([column.texts[number] for column in self.columns], list(map(_style, cells)), cells)

    def blank(self, filled: str = " ") -> Line:
        """A line without words."""
        return [(f" {filled * (_total(self.widths, self.gap) - 2)} ", "")]

    def _lines(
        self, texts: Sequence[str], styles: Sequence[str], cells: Sequence[Cell] = (), *, bottom: bool = False
    ) -> list[Line]:
        broken = [wrapped(text, width) for text, width in zip(texts, self.widths, strict=True)]
        # From the first word that is longer than its column, the lines of a cell stand below those of the others.
        fits = [
            next((i for i, each in enumerate(lines) if _length(each) > width), len(lines))
            for lines, width in zip(broken, self.widths, strict=True)
        ]
        height = max(fits)
        between, drawn = " " * self.gap, []
        for i in range(height):
            pieces: Line = [(" ", "")]
            for j, (lines, width) in enumerate(zip(broken, self.widths, strict=True)):
                at = i - (height - fits[j]) if bottom else i
                words = lines[at] if 0 <= at < fits[j] else ""
                marks = cells[j].marks if cells and at == len(lines) - 1 else ""
                fill = " " * (width - _length(words))
                pieces += [(between if j else "", ""), (fill if self.columns[j].right else "", "")]
                pieces += _pieces(words, styles[j], marks)
                pieces.append(("" if self.columns[j].right else fill, ""))
            drawn.append([*pieces, (" ", "")])
        whole, start = _total(self.widths, self.gap) - 2, 0
        for j, (lines, width) in enumerate(zip(broken, self.widths, strict=True)):
            for words in lines[fits[j] :]:
                length = _length(words)
                at = start + width - length if self.columns[j].right else min(start, whole - length)
                drawn.append([(" " * (1 + max(at, 0)), ""), *_pieces(words, styles[j])])
            start += width + self.gap
        return drawn


class _Drawing:
    """A table as lines for a console of any width."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        heads = [*grid.labels, *grid.heads]
        columns = zip(*(row.cells for row in grid.rows), strict=True) if grid.rows else [()] * len(heads)
        right = [False] * len(grid.labels) + [not grid.prose] * len(grid.heads)
        self._columns = [_Column(*each) for each in zip(heads, columns, right, strict=True)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment

        rule = "-" if options.ascii_only else "─"
        coloured = console.color_system is not None
        for pieces in self.lines(options.max_width, rule):
            if coloured:
                yield from (
                    Segment(words, console.get_style(style) if style else None) for words, style in pieces if words
                )
            else:
                yield Segment("".join(words for words, _ in pieces))
            yield Segment.line()

    def lines(self, width: int, rule: str = "─") -> Iterator[Line]:
        """Title, caption, the table in its parts, notes."""
        grid = self._grid
        if title := ": ".join(filter(None, [grid.name, grid.title])):
            yield []
            yield from ([(each, "bold")] for each in wrapped(title, width))
        if grid.caption:
            yield from ([(each, "dim")] for each in wrapped(grid.caption, width))
        for part in self.parts(width):
            yield part.blank()
            yield from part.head()
            yield part.blank(rule)
            for number in range(len(grid.rows)):
                yield from part.row(number)
        yield part.blank()
        for mark, note in grid.notes:
            yield from ([(each, "dim")] for each in wrapped(f" {mark:1} {note}", width))

    def parts(self, width: int) -> list[_Part]:
        """The table in one part where it fits and breaks no word, and otherwise in the way that takes fewest lines."""
        grid, columns = self._grid, self._columns
        gaps = (1,) if not grid.prose and len(grid.heads) > MANY else (3, 2)
        naturals = [column.natural for column in columns]
        if _total(naturals, gaps[0]) <= width:
            return [_Part(columns, naturals, gaps[0])]
        floors = [column.floor(width) for column in columns]
        for gap in gaps:
            if _total(floors, gap) <= width:
                return [self._part(range(len(columns)), floors, gap, width)]
        divided = self._divided(gaps[0], width)
        if not (floors := self._squeezed(gaps[-1], width)):
            return divided
        return min(
            [self._part(range(len(columns)), floors, gaps[-1], width)],
            divided,
            key=lambda parts: sum(self.heights(parts)),
        )

    def heights(self, parts: Sequence[_Part]) -> list[int]:
        """The number of lines of each row."""
        return [sum(len(part.row(number)) for part in parts) for number in range(len(self._grid.rows))]

    def _squeezed(self, gap: int, width: int) -> list[int]:
        """Floors with which all columns fit, some words being longer than theirs, in as few cells as possible; empty if none."""
        floors = [column.floor(width) for column in self._columns]
        while _total(floors, gap) > width:
            words = enumerate(self._columns) if self._grid.prose else ()
            lower = {i: c.floor(floors[i] - 1) for i, c in words if i >= len(self._grid.labels)}
            lower = {i: least for i, least in lower.items() if self._columns[i].head_floor <= least < floors[i]}
            if not lower:
                return []
            rarest = min(lower, key=lambda i: self._columns[i].overflowing(lower[i]))
            floors[rarest] = lower[rarest]
        return floors

    def _divided(self, gap: int, width: int) -> list[_Part]:
        """As few parts as possible, about as wide as each other; what the paper groups stays together."""
        grid, columns, labels = self._grid, self._columns, range(len(self._grid.labels))
        ends = list(accumulate((len(group) for _, group in grid.groups), initial=len(labels)))
        groups = [range(start, end) for start, end in pairwise(ends)]
        for longest in (width, LONG, LONG // 2, LONG // 4, 1):
            others = min(longest, LONG) if grid.prose else longest
            floors = [column.floor(longest if i in labels else others) for i, column in enumerate(columns)]
            if all(_total([floors[i] for i in (*labels, *group)], gap) <= width for group in groups):
                break

        def filled(room: int) -> list[list[int]]:
            """The columns of each part where none is wider than `room`, if it has more than one group."""
            parts: list[list[int]] = []
            for group in groups:
                if parts and _total([floors[i] for i in (*parts[-1], *group)], gap) <= room:
                    parts[-1] += group
                else:
                    parts.append([*labels, *group])
            return parts or [[*labels]]

        fewest = len(filled(width))
        even = next(parts for room in range(width + 1) if len(parts := filled(room)) == fewest)
        return [self._part(part, floors, gap, width) for part in even]

    def _part(self, chosen: Sequence[int], floors: Sequence[int], gap: int, width: int) -> _Part:
        columns = [self._columns[i] for i in chosen]
        naturals = [column.natural for column in columns]
        return _Part(columns, _narrowed(naturals, [floors[i] for i in chosen], gap, width), gap)


def _narrowed(widths: Sequence[int], floors: Sequence[int], gap: int, width: int) -> list[int]:
    """The widths, the largest of them cut until all fit; none goes below its floor."""
    widths, last = list(widths), len(widths) - 1
    blanks = [(gap - 1) // 2 if i in (0, last) else gap - 1 for i in range(len(widths))]
    excess = _total(widths, gap) - width
    while excess > 0 and (free := [i for i in range(len(widths)) if widths[i] > floors[i]]):
        taken = [widths[i] + blanks[i] for i in free]
        most = max(taken)
        step = min(excess, most - max((each for each in taken if each < most), default=0))
        widest = [i for i, each in zip(free, taken, strict=True) if each == most]
        for place, i in enumerate(widest):
            cut = min(step, widths[i] - floors[i], round(excess / (len(widest) - place)))
            widths[i] -= cut
            excess -= cut
    return widths


def _total(widths: Sequence[int], gap: int) -> int:
    """The width of a table of these columns."""
    return sum(widths) + gap * (len(widths) - 1) + 2


def _length(words: str) -> int:
    """The columns of a terminal that words take."""
    from rich.cells import cell_len

    return len(words) if words.isascii() else cell_len(words)


def _style(cell: Cell) -> str:
    return TONES.get(cell.tone) or ("bold" if cell.bold else "dim" if cell.quiet else "")


def _pieces(words: str, style: str, marks: str = "") -> Line:
    """The words, and the marks at their end, if any, in the background."""
    if not marks or not words.endswith(marks):
        return [(words, style)]
    return [(words.removesuffix(marks), style), (marks, f"{style} dim".strip())]
