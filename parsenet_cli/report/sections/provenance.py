"""How the numbers came about: failures, environment, commands, durations, and what is not shown."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from parsenet_cli.core.sealed import parse_json
from parsenet_cli.core.text import duration
from parsenet_cli.report.blocks import Block, Cell, Fold, Grid, Listing, Paragraph, Section, words
from parsenet_cli.report.collect import ReportInput
from parsenet_cli.report.redact import Private
from parsenet_cli.store.study import Study, StudyRun


def failures(report: ReportInput, private: Private) -> Section:
    """Collapsed, failed and missing runs, each with what is known of it but for where it was carried out."""
    runs = report.runs.values()
    collapsed = [(*_run(read), _collapse(read)) for read in runs if read.outcome == "collapsed"]
    missing = [(*_run(read), private.error(_state(read))) for read in runs if read.result is None]
    reasons = {
        (study.table.name, cell.key): cell.reason for study in report.studies for cell in study.cells if cell.reason
    }
    absent = [(table, f"{key.row}, {key.column}", reason) for (table, key), reason in reasons.items()]
    blocks: list[Block] = []
    for text, tone, heads, rows in (
        ("Collapsed runs. They are results and count in their cells.", "", ("run", "cell", "how"), collapsed),
        ("Runs without a result. The cells that miss them say so.", "warning", ("run", "cell", "state"), missing),
        ("Cells that cannot be run.", "", ("table", "row, column", "reason"), absent),
    ):
        if rows:
            blocks += [Paragraph(text, tone), words(heads, rows)]
    if not blocks:
        blocks = [Paragraph("None: every run of every cell and seed is done, and none collapsed.")]
    return Section("failures", "Collapsed, failed and missing runs", tuple(blocks))


def making(report: ReportInput) -> Section:
    """Environment, commands, durations of every run and in all."""
    done = [read for read in report.runs.values() if read.result]
    seconds = sum(read.result.seconds for read in done if read.result)
    studies = [(study.name, study.created[:19].replace("T", " ")) for study in report.shown]
    return Section(
        "making",
        "How it was made",
        (
            Paragraph("The commands behind these tables, each carried out when its study says."),
            words(("study", "made (UTC)"), studies),
            Listing(tuple(command(study) for study in report.shown)),
            Paragraph("The environments in which the runs were carried out."),
            _environments(done),
            Paragraph(f"{len(done)} runs took {duration(seconds)} in all, counted one after the other."),
            Fold("Every run: durations, memory, steps", (_durations(report.runs.values()),)),
        ),
    )


def left_out(report: ReportInput) -> Section:
    """What lies in the results folder and is not on this page."""
    if not report.left_out:
        nothing = Paragraph("Nothing: everything in the results folder is on this page.")
        return Section("left-out", "Not shown", (nothing,))
    text = f"{len(report.left_out)} entries of the results folder are not on this page, or only in part."
    grid = words(("what", "why"), report.left_out)
    return Section("left-out", "Not shown", (Paragraph(text), Fold("Which, and why", (grid,))))


def command(study: Study) -> str:
    """The command that asks for this study again."""
    options = ["--profile", study.profile]
    if study.table.name.startswith("train-"):
        return shlex.join(["parsenet", "train", *study.overrides, *_seed(study), *options])
    seeds = ["--seeds", str(len(study.seeds))]
    if study.table.name.startswith("sweep-"):
        asked = study.table.title.removeprefix("mean IU of ").split(" ")
        named = any(text.startswith("seed=") for text in asked)
        return shlex.join(["parsenet", "sweep", *asked, *options, *([] if named else seeds)])
    options += seeds
    parts = ["parsenet", "ablate", study.table.name, *study.overrides]
    rows, columns = ({getattr(cell, kind) for cell in study.cells} for kind in ("row", "column"))
    runnable = study.table.cells()
    for option, kept, every in (
        ("--rows", rows, dict.fromkeys(cell.row.key for cell in runnable)),
        ("--columns", columns, dict.fromkeys(cell.column.key for cell in runnable)),
    ):
        if not kept.issuperset(every):
            parts += [option, ",".join(key for key in every if key in kept)]
    cited = {cell.key for cell in study.cells} - {cell.key for cell in runnable}
    return shlex.join([*parts, *options, *(["--cited"] if cited else [])])


def _seed(study: Study) -> list[str]:
    return [] if study.seeds == (0,) or any("seed=" in text for text in study.overrides) else [f"seed={study.seeds[0]}"]


def _environments(done: Iterable[StudyRun]) -> Grid:
    counts: Counter[str] = Counter()
    for read in done:
        environment = read.environment
        changed = bool(environment.uncommitted or environment.patch)
        known = (environment.device, environment.commit, changed, environment.versions, read.code_remark)
        counts[json.dumps(known, sort_keys=True)] += 1
    rows = []
    for text, count in counts.items():
        device, commit, changed, versions, remark = parse_json(text)
        code = (commit or "not from a clone") + (", with uncommitted changes" if changed else "")
        code += f"; {remark}" if remark else ""
        packages = ", ".join(f"{name} {number}" for name, number in versions.items())
        rows.append((str(count), device or "not recorded", code, packages or "not recorded"))
    return words(("runs", "device", "commit", "versions"), rows)


def _durations(runs: Iterable[StudyRun]) -> Grid:
    heads = ("run", "cell", "outcome", "steps", "training, s", "evaluation, s", "peak memory, MB")
    keys = ("steps", "train_seconds", "evaluate_seconds", "peak_memory_mb")
    rows: list[tuple[str | Cell, ...]] = []
    for read in runs:
        tone = read.outcome if read.outcome in ("collapsed", "failed") else ""
        numbers = [_number(getattr(read.result, key, None)) for key in keys]
        rows.append((*_run(read), Cell(read.outcome, tone=tone), *numbers))
    return words(heads, rows, labels=2, prose=False)


def _run(read: StudyRun) -> tuple[Cell, str]:
    return Cell(read.signature, code=True), read.label


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def _collapse(read: StudyRun) -> str:
    predicted: Sequence[str] = read.result.predicted_classes if read.result else ()
    iteration = read.result.collapsed_at if read.result else None
    names = f"{', '.join(predicted)} everywhere" if len(predicted) == 1 else f"{len(predicted)} classes"
    return f"after {iteration} iterations; predicts {names}"


def _state(read: StudyRun) -> str:
    error = read.run.status().error
    return f"{read.state}: {error}" if error else read.state
