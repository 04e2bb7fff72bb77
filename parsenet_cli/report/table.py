"""A frame laid out as the paper lays out its table: the same rows and columns, measured beside printed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from parsenet_cli.ablation import Printed
from parsenet_cli.report.frame import DAMAGED
from parsenet_cli.study import Study

if TYPE_CHECKING:
    import pandas as pd

STANDS_FOR_NOTHING = "–"
_EXPLAINED = {
    "failed": "failed: `parsenet show {}` says more",
    DAMAGED: "damaged: the confusion.npz of run {} cannot be read; remove the run's folder and issue the command again",
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
