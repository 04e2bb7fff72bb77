"""Where the entries of a table go, for every output alike: measured beside printed, or below it in a wide table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parsenet_cli.report.table import STANDS_FOR_NOTHING, Table, TableRow

WIDE = 8
"""With more columns than this, printed and measured stand below each other (Table 8 has 22)."""


@dataclass(frozen=True)
class Entry:
    """One field: its text, and the footnotes behind it."""

    text: str
    bold: bool = False
    printed: bool = False
    """Whether it is the paper's."""
    marks: tuple[int, ...] = ()
    place: tuple[int, int] | None = None
    """Row and column of the table, where it is the number that was measured there."""


@dataclass(frozen=True)
class Layout:
    """Label columns, then columns in groups, then lines of entries."""

    labels: tuple[str, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    """A header and the headers below it: `("w/ Norm", ("paper", "measured"))`, or `("mean", ("",))`."""
    lines: tuple[tuple[Entry, ...], ...]

    @property
    def heads(self) -> list[str]:
        """The headers of all columns but the labels in one row."""
        return [f"{head} {below}".strip() for head, group in self.groups for below in group]


def layout(table: Table) -> Layout:
    """Choose by the number of columns; a table without printed numbers has the measured ones alone."""
    if table.has_paper and len(table.columns) > WIDE:
        lines = tuple(line for i, row in enumerate(table.rows) for line in _stacked(i, row))
        return Layout((*table.labels, ""), tuple((column, ("",)) for column in table.columns), lines)
    below = ("paper", "measured") if table.has_paper else ("",)
    return Layout(
        table.labels,
        tuple((column, below) for column in table.columns),
        tuple(_beside(i, row, table) for i, row in enumerate(table.rows)),
    )


def _labels(row: TableRow) -> list[Entry]:
    *others, last = row.labels
    return [*(Entry(text) for text in others), Entry(last, marks=row.marks)]


def _beside(number: int, row: TableRow, table: Table) -> tuple[Entry, ...]:
    line = _labels(row)
    for i, cell in enumerate(row.cells):
        if table.has_paper:
            line.append(Entry(cell.paper.text, cell.paper.bold, printed=True))
        line.append(Entry(cell.measured.text, cell.measured.bold, marks=cell.measured.marks, place=(number, i)))
    return tuple(line)


def _stacked(number: int, row: TableRow) -> Iterator[tuple[Entry, ...]]:
    """A line with the paper's numbers, one with the measured ones, one with their spread; the last two only if there are any."""
    yield (*_labels(row), Entry("paper"), *(Entry(c.paper.text, c.paper.bold, printed=True) for c in row.cells))
    blank = [Entry("")] * len(row.labels)
    measured = [cell.measured for cell in row.cells]
    if any(m.text != STANDS_FOR_NOTHING for m in measured):
        texts = [" ".join(filter(None, [m.number, m.remark])) for m in measured]
        entries = (
            Entry(text, m.bold, marks=m.marks, place=(number, i))
            for i, (text, m) in enumerate(zip(texts, measured, strict=True))
        )
        yield (*blank, Entry("measured"), *entries)
    if any(m.spread for m in measured):
        yield (*blank, Entry("±"), *(Entry(m.spread.removeprefix("± ")) for m in measured))
