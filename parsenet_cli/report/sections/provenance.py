"""How the numbers came about: troubles, environment, commands, durations, and what is not shown."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable
from typing import Any

from parsenet_cli.report.blocks import Block, Field, Fold, Grid, Line, Listing, Paragraph, Section
from parsenet_cli.report.collect import ReportInput, RunSummary
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.study import Study


def troubles(survey: ReportInput) -> Section:
    """Collapsed, failed and missing runs, each with what is known of it."""
    collapsed = [seen for seen in survey.runs.values() if seen.outcome == "collapsed"]
    missing = [seen for seen in survey.runs.values() if seen.result is None]
    blocks: list[Block] = []
    if collapsed:
        lines = [(seen.signature, seen.label, _collapse(seen.result)) for seen in collapsed]
        blocks += [
            Paragraph("Collapsed runs. They are results and count in their cells."),
            _grid(("run", "cell", "how"), lines),
        ]
    if missing:
        lines = [(seen.signature, seen.label, _why(seen)) for seen in missing]
        blocks.append(
            Paragraph("Runs without a result. Their seeds are missing from the cells, which say so.", "warning")
        )
        blocks.append(_grid(("run", "cell", "state"), lines))
    absent = [line for one in survey.studies for line in _absent(one)]
    if absent:
        blocks += [Paragraph("Cells that cannot be run."), _grid(("table", "row, column", "reason"), absent)]
    if not blocks:
        blocks = [Paragraph("None: every run of every cell and seed is done, and none collapsed.")]
    return Section("troubles", "Collapsed, failed and missing runs", tuple(blocks))


def making(survey: ReportInput) -> Section:
    """Environment, commands, durations of every run and in all."""
    done = [seen for seen in survey.runs.values() if seen.result]
    seconds = sum(_seconds(seen) for seen in done)
    words = f"{len(done)} runs took {_time(seconds)} in all, counted one after the other."
    return Section(
        "making",
        "How it was made",
        (
            Paragraph("The commands behind these tables, each carried out when its study says."),
            _grid(("study", "made (UTC)"), [(one.name, one.created[:19].replace("T", " ")) for one in survey.studies]),
            Listing(tuple(command(one) for one in survey.studies)),
            Paragraph("The environments in which the runs were carried out."),
            _environments(done),
            Paragraph(words),
            Fold("Every run: durations, memory, steps", (_runs(survey),)),
        ),
    )


def left_out(survey: ReportInput) -> Section:
    """What lies in the results folder and is not on this page."""
    if not survey.left_out:
        return Section(
            "left-out", "Not shown", (Paragraph("Nothing: everything in the results folder is on this page."),)
        )
    grid = _grid(("what", "why"), survey.left_out)
    says = f"{len(survey.left_out)} entries of the results folder are not on this page, or only in part."
    return Section("left-out", "Not shown", (Paragraph(says), Fold("Which, and why", (grid,))))


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
    words = ["parsenet", "ablate", study.table.name, *study.overrides]
    rows, columns = ({getattr(cell, kind) for cell in study.cells} for kind in ("row", "column"))
    runnable = study.table.cells()
    for option, kept, every in (
        ("--rows", rows, dict.fromkeys(cell.row.key for cell in runnable)),
        ("--columns", columns, dict.fromkeys(cell.column.key for cell in runnable)),
    ):
        if not kept.issuperset(every):
            words += [option, ",".join(key for key in every if key in kept)]
    cited = {(cell.row, cell.column) for cell in study.cells} - {(cell.row.key, cell.column.key) for cell in runnable}
    return shlex.join([*words, *options, *(["--cited"] if cited else [])])


def _seed(study: Study) -> list[str]:
    return [] if study.seeds == (0,) or any("seed=" in text for text in study.overrides) else [f"seed={study.seeds[0]}"]


def _environments(done: Iterable[RunSummary]) -> Grid:
    counts: Counter[str] = Counter()
    for seen in done:
        known = {key: getattr(seen.environment, key) for key in ("device", "commit", "uncommitted", "versions")}
        known["uncommitted"] = bool(known["uncommitted"])
        counts[json.dumps(known, sort_keys=True)] += 1
    lines = []
    for text, count in counts.items():
        known = json.loads(text)
        versions = ", ".join(f"{name} {number}" for name, number in (known["versions"] or {}).items())
        code = (known["commit"] or "not from a clone") + (", with uncommitted changes" if known["uncommitted"] else "")
        lines.append((str(count), str(known["device"] or "not recorded"), code, versions or "not recorded"))
    return _grid(("runs", "device", "commit", "versions"), lines)


def _runs(survey: ReportInput) -> Grid:
    heads = ("outcome", "steps", "training, s", "evaluation, s", "peak memory, MB")
    lines = []
    for seen in survey.runs.values():
        keys = ("steps", "train_seconds", "evaluate_seconds", "peak_memory_mb")
        numbers = [Field(_number(getattr(seen.result, key, None))) for key in keys]
        tone = seen.outcome if seen.outcome in ("collapsed", "failed") else ""
        lines.append(
            Line((Field(seen.signature, code=True), Field(seen.label), Field(seen.outcome, tone=tone), *numbers))
        )
    return Grid(("run", "cell"), tuple((head, ("",)) for head in heads), tuple(lines))


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def _time(seconds: float) -> str:
    """`57 s`, `12 min 40 s`, `3 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _seconds(seen: RunSummary) -> float:
    return seen.result.seconds if seen.result else 0.0


def _collapse(result: RunResult | None) -> str:
    assert result is not None
    predicted = result.predicted_classes
    what = (
        f"predicts {', '.join(predicted)} everywhere" if len(predicted) == 1 else f"predicts {len(predicted)} classes"
    )
    return f"after {result.collapsed_at} iterations; {what}"


def _why(seen: RunSummary) -> str:
    error = str(seen.run.status().error or "")
    return f"{seen.state}: {error}" if error else seen.state


def _absent(study: Study) -> list[tuple[str, str, str]]:
    reasons = {(cell.row, cell.column): cell.reason for cell in study.cells if cell.reason}
    return [(study.table.name, f"{row}, {column}", reason) for (row, column), reason in reasons.items()]


def _grid(heads: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> Grid:
    """Sentences in columns; a run's signature is set as code."""
    rows = tuple(Line(tuple(Field(text, code=heads[i] == "run") for i, text in enumerate(line))) for line in lines)
    return Grid(heads[:1], tuple((head, ("",)) for head in heads[1:]), rows, prose=True)
