"""A study laid out as the paper lays out its table: the same rows and columns, measured beside printed or below it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from parsenet_cli.config.table import CellKey, Printed
from parsenet_cli.config.table import Row as TableRow
from parsenet_cli.report.blocks import Cell, Grid, Row
from parsenet_cli.report.redact import redact_paths
from parsenet_cli.store.frame import DAMAGED
from parsenet_cli.store.study import Study

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "–"
"""Stands where nothing was measured."""

WIDE = 8
"""With more columns than this, printed and measured stand below each other (Table 8 has 22)."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"

# Outcomes with a footnote that names the first run.
_EXPLAINED = {
    "failed": "failed: `parsenet show {}` says more",
    DAMAGED: "damaged: the confusion matrices of run {} cannot be read; remove the run's folder and issue the command again",
}


@dataclass(frozen=True)
class Measured:
    """What was measured for one cell: the mean over seeds in percent and what a reader must know of it.

    Attributes:
        spread: `± 0.8`, with several seeds.
        remark: `(n=2/3)`, `collapsed 3/3`.
    """

    number: str = NOTHING
    spread: str = ""
    remark: str = ""
    bold: bool = False
    mean: float | None = None
    marks: str = ""

    @property
    def text(self) -> str:
        """All of it in one line."""
        return " ".join(filter(None, [self.number, self.spread, self.remark]))


class Footnotes:
    """Footnotes in the order of their first mark; the same text gets the same letter."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._marked: set[str] = set()

    def mark(self, *texts: str) -> str:
        """The letters behind an entry with these notes: `a,c`."""
        given = [text for text in texts if text]
        self.add(*given)
        self._marked.update(given)
        return ",".join(_letter(self._texts.index(text)) for text in given)

    def add(self, *texts: str) -> None:
        """Notes that nothing in the table refers to."""
        self._texts += [text for text in dict.fromkeys(texts) if text and text not in self._texts]

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Each note with its letter; those that nothing refers to have none."""
        return tuple((_letter(i) if text in self._marked else "", text) for i, text in enumerate(self._texts))


def measure_cells(
    study: Study, frame: pd.DataFrame, notes: Footnotes, footnotes: Mapping[str, str] | None = None
) -> dict[CellKey, Measured]:
    """What was measured, cell by cell. Cells of rows that are only shown, or narrowed away, have a dash.

    `footnotes`: of the cells behind which a run stands, by its signature.
    """
    lines = {CellKey(*map(str, key)): group for key, group in frame.groupby(["row", "column"], sort=False)}
    reasons = {cell.key: cell.reason for cell in study.cells if cell.reason}
    measured: dict[CellKey, Measured] = {}
    for row in study.table.rows:
        for column in study.table.columns:
            key = CellKey(row.key, column.key)
            if key in reasons:
                measured[key] = Measured("n/a", marks=notes.mark(reasons[key]))
            elif key in lines:
                value = _measured(lines[key], study.table.decimals(column.key), len(study.seeds), notes)
                told = dict.fromkeys((footnotes or {}).get(signature, "") for signature in lines[key]["signature"])
                marks = ",".join(filter(None, [value.marks, notes.mark(*told)]))
                measured[key] = replace(value, marks=marks)
            else:
                measured[key] = Measured()
    for key in _best(study, measured):
        measured[key] = replace(measured[key], bold=True)
    return measured


def paper_grid(
    study: Study,
    frame: pd.DataFrame,
    setting: str,
    warnings: Iterable[str] = (),
    more: Mapping[CellKey, Mapping[str, Any]] | None = None,
    footnotes: Mapping[str, str] | None = None,
) -> Grid:
    """The table of a study.

    Args:
        study: its table and what was asked for.
        frame: the long frame of its runs (store/frame.py).
        setting: data and trunk, for the caption.
        warnings: what a reader of the table must know of its runs; stand below it.
        more: fields that are added to the cells of measured numbers, such as a tip.
        footnotes: of the cells behind which a run stands, by its signature.
    """
    spec, notes = study.table, Footnotes()
    measured = measure_cells(study, frame, notes, footnotes)
    labels = {row.key: _labels(row, notes) for row in spec.rows}
    notes.add(*(f"{column.header}: {column.note}" for column in spec.columns if column.note), spec.note, *warnings)
    remark = [("", f"The paper: {spec.remark}")] if spec.remark else []
    has_paper = spec.is_printed
    wide = has_paper and len(spec.columns) > WIDE

    def cell(key: CellKey, text: str) -> Cell:
        value = measured[key]
        return Cell(text, value.bold, marks=value.marks, **(more or {}).get(key, {}))

    def beside(row: TableRow) -> Row:
        cells = [*labels[row.key]]
        for column in spec.columns:
            key = CellKey(row.key, column.key)
            cells += [_printed(row, column.key)] if has_paper else []
            cells.append(cell(key, measured[key].text))
        return Row(tuple(cells))

    def stacked(row: TableRow) -> Iterator[Row]:
        """The paper's numbers, the measured ones, their spread; the last two only where there are any."""
        keys = [CellKey(row.key, column.key) for column in spec.columns]
        yield Row((*labels[row.key], Cell("paper"), *(_printed(row, key.column) for key in keys)))
        blank, values = [Cell()] * len(row.labels), [measured[key] for key in keys]
        if any(value.text != NOTHING for value in values):
            texts = [" ".join(filter(None, [value.number, value.remark])) for value in values]
            yield Row((*blank, Cell("measured"), *map(cell, keys, texts)))
        if any(value.spread for value in values):
            yield Row((*blank, Cell("±"), *(Cell(value.spread.removeprefix("± ")) for value in values)))

    below = ("paper", "measured") if has_paper and not wide else ("",)
    return Grid(
        labels=(*spec.labels, "") if wide else spec.labels,
        groups=tuple((column.header, below) for column in spec.columns),
        rows=tuple(line for row in spec.rows for line in stacked(row)) if wide else tuple(map(beside, spec.rows)),
        notes=(*remark, *notes.lines()),
        name=spec.name,
        title=spec.title,
        caption=_caption(study, setting),
        records=tuple({str(key): value for key, value in line.items()} for line in frame.to_dict("records")),
    )


def _labels(row: TableRow, notes: Footnotes) -> list[Cell]:
    sources = sorted({printed.cited for printed in row.paper.values() if printed.cited})
    *others, last = row.labels
    return [*map(Cell, others), Cell(last, marks=notes.mark(row.note, *(f"cited from {source}" for source in sources)))]


def _printed(row: TableRow, column: str) -> Cell:
    printed = row.paper.get(column, Printed())
    return Cell(printed.text, printed.bold, quiet=True)


def _measured(lines: pd.DataFrame, decimals: int, seeds: int, notes: Footnotes) -> Measured:
    """Mean ± standard deviation over the seeds that are done; `n=2/3` where one is missing."""
    done = lines[lines["outcome"].isin(["converged", "collapsed"])]
    values = done["value"].dropna()
    states = sorted(set(lines["outcome"]) - {"converged", "collapsed"})
    first = {state: lines[lines["outcome"] == state]["signature"].iloc[0] for state in states if state in _EXPLAINED}
    marks = notes.mark(*(_EXPLAINED[state].format(signature) for state, signature in first.items()))
    if values.empty:
        return Measured(", ".join(states) or NOTHING, marks=marks)
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


def _best(study: Study, measured: Mapping[CellKey, Measured]) -> list[CellKey]:
    """The best measured cells, sought where the paper seeks them: per column if it prints bold in several, else once."""
    spec = study.table
    bold = {column for row in spec.rows for column, printed in row.paper.items() if printed.bold}
    keys = [key for key, value in measured.items() if value.mean is not None and not math.isnan(value.mean)]
    if len({key.row for key in keys}) < 2 or (not bold and any(row.paper for row in spec.rows)):
        return []
    groups = [[key for key in keys if key.column == column.key] for column in spec.columns] if len(bold) > 1 else [keys]
    return [max(group, key=lambda key: measured[key].mean or 0.0) for group in groups if group]


def _caption(study: Study, setting: str) -> str:
    seeds = f"{len(study.seeds)} seeds, mean ± standard deviation" if len(study.seeds) > 1 else "1 seed"
    parts = [f"profile {study.profile}", setting, redact_paths(" ".join(study.overrides)), seeds, "percent"]
    if study.profile != "paper" and any(row.paper for row in study.table.rows):
        parts.append("other data and another network than the paper's: compare effects, not numbers")
    return "; ".join(filter(None, parts))


def _letter(index: int) -> str:
    return LETTERS[index % 26] * (index // 26 + 1)
