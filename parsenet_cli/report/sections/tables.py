"""Every table in the paper's layout, measured beside printed, and behind each number how it was made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parsenet_cli.claims.estimate import Interval
from parsenet_cli.claims.verdict import Verdict
from parsenet_cli.config.table import CellKey
from parsenet_cli.config.table_file import group_of
from parsenet_cli.core.text import signed
from parsenet_cli.report import tables
from parsenet_cli.report.blocks import Block, Cell, Fold, Grid, Legend, Paragraph, Part, Row, Section
from parsenet_cli.report.collect import ReportInput
from parsenet_cli.report.paper_table import Footnotes, Measured, measure_cells, paper_grid
from parsenet_cli.report.sections import summary
from parsenet_cli.store import choice
from parsenet_cli.store.frame import results_frame
from parsenet_cli.store.study import Study

Intervals = Mapping[CellKey, Interval]


@dataclass(frozen=True)
class _Provenance:
    """What stands behind one measured number.

    Attributes:
        effect: Points against the first row.
    """

    target: str
    lines: tuple[str, ...]
    effect: float | None


BEYOND = (
    "What the paper says or asks and has no table for: the sentence stands below each table. Most claims on them are "
    "conjectures, and none of them counts above."
)


OWN = (
    "What is not the paper's: tables of ./ablations, sweeps and single runs, and trials, which are tables that were run with "
    "overrides besides. Claims on your own tables are judged by themselves, and none of them counts above."
)


def section(report: ReportInput, intervals: Mapping[str, Intervals]) -> Section:
    """One part per study of the paper's tables; `intervals` are those of its cells, by the study's name."""
    parts = _parts(report, intervals, "all")
    return Section("tables", "Tables", tuple(parts or [Paragraph("None of the paper's tables has been run.")]))


def beyond(report: ReportInput, intervals: Mapping[str, Intervals], verdicts: Sequence[Verdict]) -> Iterator[Section]:
    """The same of the tables beyond the paper's, with the verdicts on their claims; nothing where there is none."""
    if parts := _parts(report, intervals, "beyond"):
        claims = Part("beyond-verdicts", "Claims beyond the paper's", summary.verdict_blocks(verdicts, "beyond"))
        yield Section(
            "beyond", "Beyond the paper's tables", (Paragraph(BEYOND), *parts, *([claims] if verdicts else ()))
        )


def own(report: ReportInput, intervals: Mapping[str, Intervals], verdicts: Sequence[Verdict]) -> Iterator[Section]:
    """The same of the user's own tables, grids and runs; below them what was tried of any table with other overrides."""
    trials = [
        _part(study, report, intervals.get(study.name, {}), f": {' '.join(choice.changes(study))}")
        for study in report.trials
    ]
    if parts := [*_parts(report, intervals, "mine"), *trials]:
        claims = Part("own-verdicts", "Your own claims", summary.verdict_blocks(verdicts, "own"))
        yield Section(
            "own", "Your own tables, sweeps and trials", (Paragraph(OWN), *parts, *([claims] if verdicts else ()))
        )


def part_key(study: Study, *, trial: bool = False) -> str:
    """The address of a study's table on the page."""
    return study.name if trial else f"{study.profile}-{study.table.name}"


def _parts(report: ReportInput, intervals: Mapping[str, Intervals], group: str) -> list[Part]:
    studies = [study for study in report.studies if group_of(study.table.name) == group]
    return [_part(study, report, intervals.get(study.name, {})) for study in studies]


def _part(study: Study, report: ReportInput, intervals: Intervals, tried: str = "") -> Part:
    part = part_key(study, trial=bool(tried))
    frame = results_frame(study, report.runs)
    measured = measure_cells(study, frame, Footnotes())
    baselines = {column.key: _baseline(study, measured, column.key) for column in study.table.columns}
    lines: dict[CellKey, list[str]] = {}
    for line in frame[frame["signature"] != ""].to_dict("records"):
        lines.setdefault(CellKey(line["row"], line["column"]), []).append(_seed(line, report))
    behind = {
        key: _provenance(study, key, seeds, measured, baselines[key.column], intervals, part)
        for key, seeds in lines.items()
    }
    largest = max((abs(one.effect) for one in behind.values() if one.effect is not None), default=0.0)
    more = {key: _more(one, measured[key], largest) for key, one in behind.items()}
    setting, warnings = tables.setting(study, report.runs), tables.warnings(study, report.runs)
    grid = paper_grid(study, frame, setting, warnings, more, tables.code_notes(study, report.runs))
    blocks: list[Block] = [Paragraph(f"{grid.caption}.", "caption"), grid]
    labels = {row.key: row.labels for row in study.table.rows}
    if largest:
        rows = dict.fromkeys(" ".join(labels[key]) for key in baselines.values() if key)
        blocks.insert(1, Legend((("more", "above"), ("less", f"below the row {' or '.join(rows)}, in points"))))
    if behind:
        blocks.append(Fold("How each number was made", (_footnotes(study, behind),)))
    name = study.table.name
    return Part(part, f"{name}: {study.table.title} ({study.profile}){tried}", tuple(blocks))


def _footnotes(study: Study, behind: Mapping[CellKey, _Provenance]) -> Block:
    labels = {row.key: row.labels for row in study.table.rows}
    headers = {column.key: column.header for column in study.table.columns}
    rows = []
    for key, one in behind.items():
        cell = " · ".join(filter(None, [*labels[key.row], headers[key.column]]))
        rows.append(Row((Cell(cell), Cell("; ".join(one.lines))), one.target))
    return Grid(("cell",), (("seeds, runs, interval, effect", ("",)),), tuple(rows), prose=True)


def _baseline(study: Study, measured: Mapping[CellKey, Measured], column: str) -> str:
    """The first row that has a number in this column; empty where there is nothing to compare it with."""
    rows = [row.key for row in study.table.rows if measured[CellKey(row.key, column)].mean is not None]
    return rows[0] if len(rows) > 1 else ""


def _provenance(
    study: Study,
    key: CellKey,
    seeds: list[str],
    measured: Mapping[CellKey, Measured],
    baseline: str,
    intervals: Intervals,
    part: str,
) -> _Provenance:
    mean, effect = measured[key].mean, None
    lines = list(seeds)
    if (interval := intervals.get(key)) is not None:
        lines.append(f"mean {interval.estimate:.2f}, 95 % interval {interval.low:.2f} to {interval.high:.2f}")
    if mean is not None and baseline and baseline != key.row:
        effect = mean - (measured[CellKey(baseline, key.column)].mean or 0.0)
        labels = next(row.labels for row in study.table.rows if row.key == baseline)
        lines.append(f"{signed(effect)} points against {' '.join(labels)}")
    return _Provenance(f"{part}-{key.row}-{key.column}", tuple(lines), effect)


def _seed(line: Mapping[Any, Any], report: ReportInput) -> str:
    read, value = report.runs[line["signature"]], line["value"]
    number = "no value" if math.isnan(value) else f"{value:.2f}"
    collapsed = read.result is not None and read.outcome == "collapsed"
    outcome = f"collapsed @ {read.result.collapsed_at}" if collapsed and read.result else read.outcome
    return ", ".join(
        filter(None, [f"seed {line['seed']}: {number}", outcome, f"run {read.signature}", read.code_remark])
    )


def _more(one: _Provenance, measured: Measured, largest: float) -> dict[str, Any]:
    """What the page adds to a measured number."""
    # The square root keeps small effects visible beside a collapse.
    shade = 0.0 if not one.effect else math.copysign(math.sqrt(abs(one.effect) / largest), one.effect)
    return {
        "under": "" if one.effect is None else signed(one.effect),
        "shade": round(shade, 3),
        "tone": next((tone for tone in ("failed", "collapsed") if tone in measured.text), ""),
        "tip": one.lines,
        "target": one.target,
    }
