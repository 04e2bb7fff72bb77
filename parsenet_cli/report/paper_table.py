"""Where the entries of a table go, for every output alike: measured beside printed, or below it in a wide table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from parsenet_cli.config.table import Printed
from parsenet_cli.store.frame import DAMAGED
from parsenet_cli.store.study import Study

if TYPE_CHECKING:
    import pandas as pd

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


STANDS_FOR_NOTHING = "–"
_EXPLAINED = {
    "failed": "failed: `parsenet show {}` says more",
    DAMAGED: "damaged: the confusion matrices of run {} cannot be read; remove the run's folder and issue the command again",
}
"""Outcomes with a footnote that names the first run."""


@dataclass(frozen=True)
class Measured:
    """What was measured for one cell: the mean over seeds in percent and what a reader must know of it."""

    number: str = STANDS_FOR_NOTHING
    spread: str = ""
    """`± 0.8`, with several seeds."""
    remark: str = ""
    """`(n=2/3)`, `collapsed 3/3`."""
    bold: bool = False
    mean: float | None = None
    marks: tuple[int, ...] = ()
    """Footnotes, as indices into the table's."""

    @property
    def text(self) -> str:
        """All of it in one line."""
        return " ".join(filter(None, [self.number, self.spread, self.remark]))


@dataclass(frozen=True)
class TableCell:
    """Printed and measured, side by side."""

    paper: Printed
    measured: Measured


@dataclass(frozen=True)
class TableRow:
    labels: tuple[str, ...]
    marks: tuple[int, ...]
    cells: tuple[TableCell, ...]


@dataclass(frozen=True)
class Table:
    """What every renderer renders."""

    name: str
    title: str
    caption: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    has_paper: bool
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...]


class _Notes:
    """Footnotes in the order of their first mark; the same text gets the same mark."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, *texts: str) -> tuple[int, ...]:
        for text in texts:
            if text and text not in self.texts:
                self.texts.append(text)
        return tuple(self.texts.index(text) for text in texts if text)


def tabulate(study: Study, frame: pd.DataFrame, warnings: Iterable[str] = ()) -> Table:
    """Lay out a study. Cells of rows that are only shown, or narrowed away, keep the paper's number and a dash."""
    spec, notes = study.table, _Notes()
    by_place = dict(list(frame.groupby(["row", "column"], sort=False)))
    reasons = {(cell.row, cell.column): cell.reason for cell in study.cells if cell.reason}
    grid: dict[tuple[str, str], Measured] = {}
    for row in spec.rows:
        for column in spec.columns:
            place = (row.key, column.key)
            if place in reasons:
                grid[place] = Measured("n/a", marks=notes.mark(reasons[place]))
            elif place in by_place:
                grid[place] = _measured(by_place[place], spec.decimals(column.key), len(study.seeds), notes)
            else:
                grid[place] = Measured()
    for place in _best(study, grid):
        grid[place] = replace(grid[place], bold=True)
    rows = []
    for row in spec.rows:
        cells = tuple(TableCell(row.paper.get(c.key, Printed()), grid[row.key, c.key]) for c in spec.columns)
        sources = {printed.cited for printed in row.paper.values() if printed.cited}
        rows.append(TableRow(row.labels, notes.mark(row.note, *(f"cited from {s}" for s in sorted(sources))), cells))
    for column in spec.columns:
        notes.mark(f"{column.header}: {column.note}" if column.note else "")
    return Table(
        name=spec.name,
        title=spec.title,
        caption=_caption(study),
        labels=spec.labels,
        columns=tuple(column.header for column in spec.columns),
        has_paper=any(row.paper for row in spec.rows),
        rows=tuple(rows),
        notes=(*notes.texts, *filter(None, [spec.note]), *warnings),
    )


def _measured(lines: pd.DataFrame, decimals: int, seeds: int, notes: _Notes) -> Measured:
    """Mean ± standard deviation over the seeds that are done; `n=2/3` where one is missing."""
    done = lines[lines["outcome"].isin(["converged", "collapsed"])]
    values = done["value"].dropna()
    states = sorted(set(lines["outcome"]) - {"converged", "collapsed"})
    marks = notes.mark(*(_EXPLAINED[state].format(_first(lines, state)) for state in states if state in _EXPLAINED))
    if values.empty:
        return Measured(", ".join(states) or STANDS_FOR_NOTHING, marks=marks)
    mean = float(values.mean())
    remarks = [f"(n={len(done)}/{seeds})"] if len(done) < seeds else []
    collapsed = int((done["outcome"] == "collapsed").sum())
    if collapsed:
        remarks.append("collapsed" if collapsed == len(done) == 1 else f"collapsed {collapsed}/{len(done)}")
    return Measured(
        number=f"{mean:.{decimals}f}",
        spread=f"± {values.std(ddof=1):.{decimals}f}" if len(values) > 1 else "",
        remark=" ".join(remarks),
        mean=mean,
        marks=marks,
    )


def _first(lines: pd.DataFrame, outcome: str) -> str:
    return str(lines[lines["outcome"] == outcome]["signature"].iloc[0])


def _best(study: Study, grid: dict[tuple[str, str], Measured]) -> list[tuple[str, str]]:
    """The best measured cells, sought where the paper seeks them: per column if it prints bold in several, else once."""
    spec = study.table
    bold = {column for row in spec.rows for column, printed in row.paper.items() if printed.bold}
    places = [place for place, measured in grid.items() if measured.mean is not None and not math.isnan(measured.mean)]
    if len({row for row, _ in places}) < 2 or (not bold and any(row.paper for row in spec.rows)):
        return []
    groups = [[p for p in places if p[1] == column.key] for column in spec.columns] if len(bold) > 1 else [places]
    return [max(group, key=lambda place: grid[place].mean or 0.0) for group in groups if group]


def _caption(study: Study) -> str:
    seeds = f"{len(study.seeds)} seeds, mean ± standard deviation" if len(study.seeds) > 1 else "1 seed"
    words = [f"profile {study.profile}", seeds, "percent"]
    if study.overrides:
        words.insert(1, " ".join(study.overrides))
    if study.profile != "paper" and any(row.paper for row in study.table.rows):
        words.append("other data and another network than the paper's: compare effects, not numbers")
    return "; ".join(words)
