"""Commands that run nothing: `list`, `status`, `show`, `diff`, `table`, `network`."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsenet_cli.cli.completion import complete_signature, complete_study
from parsenet_cli.cli.options import (
    DEFAULT_RESULTS,
    AnyProfile,
    AsJson,
    FormatName,
    Overrides,
    ProfileName,
    Results,
    SignatureName,
    print_grid,
    say,
)
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import read_bytes

if TYPE_CHECKING:
    from parsenet_cli.config.deviations import Setting
    from parsenet_cli.report.blocks import Grid
    from parsenet_cli.runner.state import RunSummary
    from parsenet_cli.store.run import Run, Store

REFRESH_SECONDS = 2.0
QUEUE_SECONDS = 10.0
"""How often the queue is asked."""

IDLE_LOOKS = 2
"""Looks without a running run after which --watch ends: between one run and the next there may be a moment without any."""

FIRST = ("running", "failed", "lost", "queued", "new", "done")
"""What --watch shows where not everything fits."""


def list_() -> None:
    """Show tables, axes, recipes, profiles and data sets."""
    from parsenet_cli.cli import catalogue

    for grid in catalogue.grids():
        print_grid(grid)


def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again, until nothing runs or waits in a queue; Ctrl-C leaves.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show how every run of the results folder stands."""
    from parsenet_cli.runner.state import summaries
    from parsenet_cli.store.run import Store, passed_over

    store = Store(results)
    if watch and as_json:
        raise UserError("--watch and --json: choose one; `parsenet status --json` says how the runs stand now")
    if watch:
        watch_runs(store)
        return
    runs, left_out = store.runs_and_left_out()
    lines, notes = summaries(store, runs=runs), passed_over(left_out)
    if as_json:
        say(json.dumps([vars(line) for line in lines], indent=2))
    elif lines:
        print_grid(status_grid(lines, store, notes))
    else:
        say("\n".join([f"no runs in {store.root}", *notes]))


def status_grid(lines: Sequence[RunSummary], store: Store, notes: Sequence[str], more: int = 0) -> Grid:
    """One row per run with its state and what it is for; `more` runs are only counted."""
    from parsenet_cli.report.blocks import Cell, words
    from parsenet_cli.runner.state import counts
    from parsenet_cli.store import study

    labels = study.labels(study.load_all(store))
    rows = [
        (Cell(line.signature, code=True), Cell(line.state, tone=line.state), labels.get(line.signature, ""), line.says)
        for line in lines
    ]
    below = [*([f"… and {more} more"] if more else []), counts(lines), *notes]
    return words(("run", "state", "for", "how it stands"), rows, notes=below)


def show(
    signature: SignatureName,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of one run."""
    from parsenet_cli.config import deviations
    from parsenet_cli.runner.state import summary_of
    from parsenet_cli.store import artifacts
    from parsenet_cli.store.run import Store

    store = Store(results)
    run = store.find(signature)
    config, summary, result = run.config(), summary_of(run), run.result()
    cells = _served_cells(store, run)
    settings = deviations.settings_of(config.science)
    content: dict[str, Any] = {
        "signature": run.signature,
        "state": summary.state,
        "job": summary.job,
        "serves": list(cells),
        "protocol": [setting.as_json() for setting in settings],
        "science": config.science.model_dump(mode="json"),
        "runtime": config.runtime.model_dump(mode="json"),
        "status": run.status().content,
        "result": result.content if result else None,
        "environment": run.environment().content or None,
        "earlier_results": [str(folder) for folder in run.earlier_results],
    }
    if as_json:
        say(json.dumps(content, indent=2))
        return
    from parsenet_cli.core import yaml_text

    say("\n".join([f"{run.signature}  {summary.state}  {summary.says}", *(f"  {cell}" for cell in cells)]))
    say("\n".join(["", "protocol", *_protocol(settings, cells)]))
    if result:
        content["result"] = {key: value for key, value in result.content.items() if key != "protocol"}
    for part in ("science", "runtime", "result", "environment"):
        if content[part]:
            say(f"\n{part}\n{yaml_text.dump(dict(content[part])).rstrip()}")
    for sentence in [
        *artifacts.damage_reports([run]),
        *(f"earlier result: {folder}" for folder in run.earlier_results),
    ]:
        say(f"\n{sentence}")
    if summary.state == "failed":
        say("\n".join(["", "log", *run.log_tail()]))


def diff(
    first: SignatureName,
    second: Annotated[str, typer.Argument(help="Another one's.", autocompletion=complete_signature)],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Show in what two runs differ."""
    from parsenet_cli.runner.state import summary_of
    from parsenet_cli.store.run import Store

    runs = [Store(results).find(prefix) for prefix in (first, second)]
    ours, theirs = (_flat(run.config().science.model_dump(mode="json")) for run in runs)
    for key in dict.fromkeys([*ours, *theirs]):
        if ours.get(key) != theirs.get(key):
            say(f"{key}: {ours.get(key)} -> {theirs.get(key)}")
    if ours == theirs:
        say("the same run")
    for summary in map(summary_of, runs):
        say(f"{summary.signature}  {summary.state:8}  {summary.says}")


def table(
    name: Annotated[str, typer.Argument(help="A table, or a study's full name.", autocompletion=complete_study)],
    to: FormatName = "terminal",
    profile: AnyProfile = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Print the newest study of a table; runs nothing."""
    from parsenet_cli.report import formats, tables
    from parsenet_cli.store import study
    from parsenet_cli.store.run import Store

    formats.find(to)
    store = Store(results)
    for sentence in [*study.skipped(store), *store.passed_over()]:  # one of them may be the newest of this table
        say(sentence, err=True)
    newest = study.newest(store, name, profile)
    runs = study.read_runs([newest], store)
    for sentence in study.disbelieved(runs.values()):
        say(sentence, err=True)
    print_grid(tables.study_grid(newest, store, runs), to)


def network(
    overrides: Overrides = None,
    profile: ProfileName = "paper",
    size: Annotated[
        str, typer.Option("--size", help="Width x height of the image, for the sizes of the maps.")
    ] = "500x375",
    classes: Annotated[int, typer.Option("--classes", min=2, max=65_536, help="Classes the head tells apart.")] = 21,
    to: FormatName = "terminal",
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show networks: strides, offsets, receptive fields, parameters.

    Overrides as for `sweep`, for example body=fcn,reduced; without any, the bodies of the paper. Needs no data and no
    weights.
    """
    from parsenet_cli.config import profile as profiles
    from parsenet_cli.report.network import image_size, network_grid, networks
    from parsenet_cli.store.run import Store

    described = networks(overrides or [], profiles.load(profile), Store(results).cache, image_size(size), classes)
    if as_json:
        say(json.dumps([{"network": each.name, **each.content} for each in described], indent=1))
    else:
        print_grid(network_grid(described), to)


def watch_runs(store: Store) -> None:
    """Refresh until nothing runs and no job waits in a queue; Ctrl-C leaves at once and stops no run.

    In a terminal the table is drawn anew; elsewhere a line is printed whenever a run has changed its state.
    """
    from rich.live import Live

    from parsenet_cli.report.formats import terminal
    from parsenet_cli.runner import launch
    from parsenet_cli.runner.state import counts, in_no_queue, queue_of, summaries
    from parsenet_cli.store.run import passed_over

    idle, printed, before = 0, "", [b""]
    queue, asked, screen = launch.queue(store.root), float("-inf"), terminal.console()
    try:
        with Live(console=screen, auto_refresh=False) as live:
            while idle < IDLE_LOOKS:
                if idle or time.monotonic() - asked > QUEUE_SECONDS:
                    queued, asked = queue_of(store.runs(), queue), time.monotonic()
                runs, left_out = store.runs_and_left_out()
                lines = summaries(store, in_no_queue if queue is None else queued, runs)
                preparing = _preparing(store)
                waiting = any(line.state == "queued" and queued(store.run(line.signature)) for line in lines)
                running = waiting or any(line.state == "running" for line in lines)
                idle = 0 if running or (preparing and preparing != before) else idle + 1
                before = preparing
                if screen.is_terminal:
                    shown = _fitting(lines, store, passed_over(left_out), screen.height)
                    live.update(terminal.renderable(shown), refresh=True)
                elif printed != (printed := counts(lines)):
                    screen.print(terminal.line(printed))
                if idle < IDLE_LOOKS:
                    time.sleep(REFRESH_SECONDS)
    except KeyboardInterrupt:
        return


def _fitting(lines: Sequence[RunSummary], store: Store, notes: Sequence[str], height: int) -> Grid:
    """The runs that somebody looks for first, as many as fit, and the counts of all."""
    ordered = sorted(lines, key=lambda line: FIRST.index(line.state))
    room = max(0, height - 6)
    return status_grid(ordered[:room], store, notes, max(0, len(ordered) - room))


def _preparing(store: Store) -> list[bytes]:
    """What is said of data and weights that are being prepared for runs, all of which still wait: it changes while they are."""
    texts = []
    for file in store.prerequisite_files():
        with contextlib.suppress(OSError):
            texts.append(read_bytes(file))
    return texts


def _served_cells(store: Store, run: Run) -> dict[str, dict[str, Any]]:
    """The cells that the run serves, in words, and what each of them sets."""
    from parsenet_cli.config import deviations
    from parsenet_cli.store import study

    served: dict[str, dict[str, Any]] = {}
    for each in study.load_all(store):
        overrides = {cell.key: cell.overrides for cell in each.table.cells(cited=True)}
        for cell in each.cells:
            if cell.signature == run.signature:
                text = f"{each.table.name} ({each.profile}): row {cell.row}, column {cell.column}, seed {cell.seed}"
                served[text] = deviations.cell_settings(overrides.get(cell.key, ()))
    return served


def _protocol(settings: Sequence[Setting], cells: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One line per question that arises: mark, value, and whether it is as the first cell that the run serves has it."""
    from parsenet_cli.config import deviations
    from parsenet_cli.config.deviations import as_text

    cell, sets = next(iter(cells.items()), ("", None))
    width = max(len(setting.question) for setting in settings)
    for setting in settings:
        deviating = deviations.deviations_of([setting], sets)
        if not setting.arises and not deviating:
            continue
        status = "default"
        if deviating:
            status = "deviates from " + " ".join(f"{each.key}={as_text(each.expected)}" for each in deviating)
        elif setting.deviating:
            status = f"as {cell.partition(',')[0].replace(': row ', ' ')} sets it"
        value = " ".join(f"{key}={as_text(each)}" for key, each in setting.settings.items())
        yield f"{setting.question:{width}}  {setting.mark:8}  {value}: {status}"


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
