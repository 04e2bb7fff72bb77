"""What `parsenet show` says of one run: in one screen, in full, and for machines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from parsenet_cli.config import deviations
from parsenet_cli.config.deviations import Setting, as_text
from parsenet_cli.config.sweep import METRIC_HEADERS
from parsenet_cli.core import yaml_text
from parsenet_cli.core.code import Code
from parsenet_cli.core.files import is_plain
from parsenet_cli.core.text import duration
from parsenet_cli.report import tables
from parsenet_cli.runner.state import RunSummary, summary_of
from parsenet_cli.store import artifacts, study
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run
from parsenet_cli.store.study import Study

LOG_LINES = 5
"""Of a failed run's log, on the screen."""

BEST = 3
"""Classes that are named where there are too many for all: the best, and as many of the worst."""

Field = tuple[str, str, int]
"""Head, text, and how many lines it may take: together at most 24, which is a terminal's screen."""


def content(run: Run, studies: Sequence[Study]) -> dict[str, Any]:
    """Everything, for machines; `studies` are those of the store."""
    config, summary, result = run.config(), summary_of(run), run.result()
    return {
        "signature": run.signature,
        "state": summary.state,
        "job": summary.job,
        "serves": list(served_cells(studies, run)),
        "protocol": [setting.as_json() for setting in deviations.settings_of(config.science)],
        "science": config.science.model_dump(mode="json"),
        "runtime": config.runtime.model_dump(mode="json"),
        "status": run.status().content,
        "result": result.content if result else None,
        "environment": run.environment().content or None,
        "earlier_results": [str(folder) for folder in run.earlier_results],
    }


def everything(run: Run, studies: Sequence[Study]) -> Iterator[str]:
    """The same, for a reader: the protocol, then each file as it is kept."""
    known, summary, cells = content(run, studies), summary_of(run), served_cells(studies, run)
    yield from (_headline(run, summary), *(f"  {cell}" for cell in cells))
    yield from ("", "protocol", *_protocol(deviations.settings_of(run.config().science), cells))
    if known["result"]:
        known["result"] = {key: value for key, value in known["result"].items() if key != "protocol"}
    for part in ("science", "runtime", "result", "environment"):
        if known[part]:
            yield f"\n{part}\n{yaml_text.dump(dict(known[part])).rstrip()}"
    for sentence in [
        *artifacts.damage_reports([run]),
        *(f"earlier result: {folder}" for folder in run.earlier_results),
    ]:
        yield f"\n{sentence}"
    if summary.state == "failed":
        yield from ("", "log", *run.log_tail())


def screen(run: Run, studies: Sequence[Study], width: int) -> list[str]:
    """What is asked first, in at most 24 lines of this width."""
    summary, studies = summary_of(run), study.in_reading_order(studies)
    fields = [("", _headline(run, summary), 2), ("for", _purpose(studies, run), 2), ("network", _network(run), 2)]
    fields += _measured(run)
    fields += [("deviates in", _deviations(studies, run), 3)]
    besides = {
        "damaged or gone": artifacts.damaged(run),
        "replaced results": [path.name for path in run.earlier_results],
    }
    fields += [("besides", "; ".join(f"{what}: {', '.join(names)}" for what, names in besides.items() if names), 2)]
    fields += [("log", line, 1) for line in (run.log_tail(LOG_LINES) if summary.state == "failed" else ())]
    fields += [("files", f"{run.folder}: {', '.join(_files(run))}", 3), ("next", _next(run, summary), 2)]
    return [line for field in fields for line in _laid_out(*field, width)]


def served_cells(studies: Sequence[Study], run: Run) -> dict[str, Mapping[str, Any] | None]:
    """The cells that the run serves, in words, and what each of them sets; None where it is a run by itself.

    Those of tables come first: a run that was also trained alone is judged by its table's cell.
    """
    served: dict[str, Mapping[str, Any] | None] = {}
    for each in study.in_reading_order(each for each in studies if run.signature in each.signatures):
        sets = tables.what_cells_set(each)
        for cell in each.cells:
            if cell.signature == run.signature:
                text = f"{each.table.name} ({each.profile}): row {cell.row}, column {cell.column}, seed {cell.seed}"
                served.setdefault(text, sets.get(cell.key))
    return dict(sorted(served.items(), key=lambda item: item[1] is None))


def _headline(run: Run, summary: RunSummary) -> str:
    return f"{run.signature}  {summary.state}  {summary.says}"


def _purpose(studies: Sequence[Study], run: Run) -> str:
    first, *others = served_cells(studies, run) or ["no study of this folder"]
    return first + (f" (and {len(others)} more)" if others else "")


def _network(run: Run) -> str:
    science = run.config().science
    parts = [f"data={science.data}", f"trunk={science.trunk}", f"body={science.body}"]
    parts += [f"layers={as_text(science.layers)}", f"norm={science.norm}", f"fusion={science.fusion}"]
    recipe = science.recipe
    return f"{' '.join(parts)}; {recipe.steps} steps of {recipe.images} images, seed {science.seed}"


def _measured(run: Run) -> Iterator[Field]:
    """Scores in percent, what they cost, and which code made them."""
    result = run.result()
    if result is None:
        return
    scores = {head: result.metrics.get(name) for name, head in METRIC_HEADERS.items()}
    yield "scores", ", ".join(f"{head} {_percent(value)}" for head, value in scores.items()), 2
    yield "IU", _classes(result), 3
    environment = run.environment()
    parts = [f"training {duration(result.train_seconds)}", f"evaluation {duration(result.evaluate_seconds)}"]
    parts += [f"{result.threads} thread{'s' if result.threads > 1 else ''}"] if result.threads else []
    parts += [f"{result.peak_memory_mb} MB"] if result.peak_memory_mb else []
    devices = [each for each in result.device_names if each != environment.device]  # before the last
    yield "took", ", ".join([*parts, "; then ".join([*devices, environment.device or "unknown device"])]), 2
    remark = Code(run.results.cache).remark(result.code, result.modules)
    commit = f"commit {environment.commit[:9] or 'unknown'}{' with changes' if environment.uncommitted else ''}"
    yield "code", f"{commit}; {f'{remark} (--rerun-stale)' if remark else 'this code'}", 1


def _classes(result: RunResult) -> str:
    known = {name: value for name, value in result.iu.items() if value is not None}
    every = ", ".join(f"{name} {_percent(value)}" for name, value in known.items())
    if len(known) <= 2 * BEST:
        return every
    ordered = sorted(known, key=lambda name: known[name], reverse=True)
    best, worst = (
        ", ".join(f"{name} {_percent(known[name])}" for name in part) for part in (ordered[:BEST], ordered[-BEST:])
    )
    return f"best {best}; worst {worst} (of {len(known)} classes)"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _deviations(studies: Sequence[Study], run: Run) -> str:
    """What deviates from the first cell that the run serves, without what the profile replaces by design."""
    settings = deviations.settings_of(run.config().science)
    serving = [each for each in studies if run.signature in each.signatures]
    first = min(serving, key=lambda study: not tables.is_table(study), default=None)
    if first is None:
        found, beyond = deviations.deviations_of(settings), ""
    else:
        key = next(cell.key for cell in first.cells if cell.signature == run.signature)
        found = tables.told_deviations(first, settings, tables.what_cells_set(first).get(key))
        beyond = f" beyond what profile {first.profile} replaces" if first.profile != "paper" else ""
    texts = [f"{each.key}={as_text(each.value)} (not {as_text(each.expected)})" for each in found]
    return "; ".join(texts) or f"nothing{beyond}"


def _files(run: Run) -> list[str]:
    return sorted(path.name for path in run.folder.iterdir() if not path.name.startswith((".", "earlier-")))


def _next(run: Run, summary: RunSummary) -> str:
    """What there is to do with a run in this state."""
    signature = run.signature
    whole = f"parsenet show {signature} --all"
    match summary.state:
        case "done" if is_plain(run.model_file):
            return f"parsenet predict {signature} photos/ --out maps, {whole}"
        case "done":
            return f"{whole}; parsenet keep {signature} trains it again and keeps its network"
        case "running":
            return f"parsenet status --watch; parsenet cancel {signature} stops it with a checkpoint"
        case "failed":
            return f"{whole} (its log); issue its command again, after two failures with --retry"
        case _:
            return f"issue its command again: it goes on from where it stopped; {whole}"


def _laid_out(head: str, text: str, most: int, width: int) -> list[str]:
    """The text beside its head, broken at the width; what does not fit in so many lines is cut, with an ellipsis."""
    if not text:
        return []
    indent = " " * (INDENT if head else 0)
    room = max(20, width - len(indent))
    lines = textwrap.wrap(" ".join(text.split()) if head else text, room, break_on_hyphens=False)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1][: room - 1].rstrip()}…"]
    return [f"{head if number == 0 else '':{len(indent)}}{line}" for number, line in enumerate(lines)]


INDENT = 13


def _protocol(settings: Sequence[Setting], cells: Mapping[str, Mapping[str, Any] | None]) -> Iterator[str]:
    """One line per question that arises: mark, value, and whether it is as the first cell that the run serves has it."""
    cell, sets = next(iter(cells.items()), ("", None))
    width = max(len(setting.question) for setting in settings)
    found = deviations.deviations_of(settings, sets)
    for setting in settings:
        deviating = [each for each in found if each.question == setting.question]
        if not setting.arises and not deviating:
            continue
        status = "default"
        if deviating:
            status = "deviates from " + " ".join(f"{each.key}={as_text(each.expected)}" for each in deviating)
        elif setting.deviating:
            status = f"as {cell.partition(',')[0].replace(': row ', ' ')} sets it"
        value = " ".join(f"{key}={as_text(each)}" for key, each in setting.settings.items())
        yield f"{setting.question:{width}}  {setting.mark:8}  {value}: {status}"
