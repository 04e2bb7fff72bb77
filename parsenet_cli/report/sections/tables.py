"""Every table in the paper's layout, measured beside printed, and behind each number how it was made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from parsenet_cli.claims.estimate import Interval
from parsenet_cli.report import tables
from parsenet_cli.report.blocks import Block, Field, Fold, Grid, Legend, Line, Paragraph, Part, Section
from parsenet_cli.report.collect import ReportInput
from parsenet_cli.report.formats import render
from parsenet_cli.report.paper_table import Entry, Table, layout, tabulate
from parsenet_cli.store.frame import results_frame
from parsenet_cli.store.study import Study

Intervals = Mapping[tuple[str, str], Interval]


@dataclass(frozen=True)
class _Behind:
    """What stands behind one measured number."""

    key: str
    lines: tuple[str, ...]
    effect: float | None


def section(survey: ReportInput, intervals: Mapping[str, Intervals]) -> Section:
    """One part per study; `intervals` are those of its cells, by the study's name."""
    parts = [_part(one, survey, intervals.get(one.name, {})) for one in survey.studies]
    return Section("tables", "Tables", tuple(parts))


def part_key(study: Study) -> str:
    """The address of a study's table on the page."""
    return f"{study.profile}-{study.table.name}"


def _part(study: Study, survey: ReportInput, intervals: Intervals) -> Part:
    lines = results_frame(study, survey.store)
    warnings = tables.warnings(study, survey.store)
    table = tabulate(study, lines, warnings)
    baselines = {column.key: _baseline(study, table, i) for i, column in enumerate(study.table.columns)}
    behind = _behind(study, survey, table, lines, intervals, baselines)
    largest = max((abs(one.effect) for one in behind.values() if one.effect is not None), default=0.0)
    plan = layout(table)
    grid = Grid(
        plan.labels,
        plan.groups,
        tuple(Line(tuple(_field(entry, behind, largest) for entry in line)) for line in plan.lines),
        tuple(render.marked_notes(table)),
    )
    blocks: list[Block] = [Paragraph(f"{table.caption}.", "caption"), grid]
    if largest:
        rows = dict.fromkeys(" ".join(table.rows[i].labels) for i in baselines.values() if i is not None)
        blocks.insert(1, Legend((("more", "above"), ("less", f"below the row {' or '.join(rows)}, in points"))))
    if behind:
        blocks.append(Fold("How each number was made", (_footnotes(study, table, behind),)))
    name = study.table.name
    return Part(part_key(study), f"{name}: {table.title} ({study.profile})", tuple(blocks))


def _baseline(study: Study, table: Table, column: int) -> int | None:
    """The first row that has a number in this column; None where there is nothing to compare it with."""
    rows = [i for i, row in enumerate(table.rows) if row.cells[column].measured.mean is not None]
    return rows[0] if len(rows) > 1 else None


def _behind(
    study: Study,
    survey: ReportInput,
    table: Table,
    lines: pd.DataFrame,
    intervals: Intervals,
    baselines: Mapping[str, int | None],
) -> dict[tuple[int, int], _Behind]:
    found = {}
    places = dict(list(lines.groupby(["row", "column"], sort=False)))
    for i, row in enumerate(study.table.rows):
        for j, column in enumerate(study.table.columns):
            seeds = places.get((row.key, column.key))
            if seeds is None or not seeds["signature"].any():
                continue
            mean, base = table.rows[i].cells[j].measured.mean, baselines[column.key]
            effect = None
            if mean is not None and base is not None and base != i:
                effect = mean - (table.rows[base].cells[j].measured.mean or 0.0)
            said = [_seed(line, survey) for line in seeds.to_dict("records")]
            if (interval := intervals.get((row.key, column.key))) is not None:
                said.append(f"mean {interval.estimate:.2f}, 95 % interval {interval.low:.2f} to {interval.high:.2f}")
            if effect is not None and base is not None:
                said.append(f"{_signed(effect)} points against {' '.join(table.rows[base].labels)}")
            found[i, j] = _Behind(f"{part_key(study)}-{i}-{j}", tuple(said), effect)
    return found


def _seed(line: Mapping[Any, Any], survey: ReportInput) -> str:
    seen = survey.runs[str(line["signature"])]
    value = line["value"]
    number = "no value" if math.isnan(value) else f"{value:.2f}"
    outcome = seen.outcome
    if seen.result and outcome == "collapsed":
        outcome = f"collapsed @ {seen.result.collapsed_at}"
    return f"seed {line['seed']}: {number}, {outcome}, run {seen.signature}"


def _field(entry: Entry, behind: Mapping[tuple[int, int], _Behind], largest: float) -> Field:
    marks = render.letters(entry.marks)
    one = behind.get(entry.place) if entry.place is not None else None
    if one is None:
        return Field(entry.text, entry.bold, entry.printed, marks=marks)
    # The square root keeps small effects visible beside a collapse.
    shade = 0.0 if not one.effect else math.copysign(math.sqrt(abs(one.effect) / largest), one.effect)
    tone = "failed" if "failed" in entry.text else "collapsed" if "collapsed" in entry.text else ""
    return Field(
        entry.text,
        entry.bold,
        marks=marks,
        under="" if one.effect is None else _signed(one.effect),
        shade=round(shade, 3),
        tone=tone,
        tip=one.lines,
        target=one.key,
    )


def _footnotes(study: Study, table: Table, behind: Mapping[tuple[int, int], _Behind]) -> Grid:
    lines = []
    for (i, j), one in behind.items():
        place = " · ".join(filter(None, [*table.rows[i].labels, table.columns[j]]))
        lines.append(Line((Field(place), Field("; ".join(one.lines))), one.key))
    return Grid(("cell",), (("seeds, runs, interval, effect", ("",)),), tuple(lines), prose=True)


def _signed(effect: float) -> str:
    """`+4.1`, `−0.2`, `0.0`."""
    text = f"{effect:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")
