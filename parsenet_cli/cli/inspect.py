"""`status`, `show` and `diff`: what the results folder says, without running anything."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsenet_cli.cli.options import (
    DEFAULT_RESULTS,
    AnyProfile,
    AsJson,
    Overrides,
    ProfileName,
    Results,
    SignatureName,
    complete_table,
    console,
)
from parsenet_cli.config import deviations
from parsenet_cli.config.deviations import Setting, as_text
from parsenet_cli.runner import launch
from parsenet_cli.runner.state import RunSummary, counts, queue_of, summaries, summary_of
from parsenet_cli.store import artifacts, study
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import labels

if TYPE_CHECKING:
    from rich.console import Console

    from parsenet_cli.runner.state import Queue


def print_status(store: Store, console: Console, as_json: bool) -> None:
    """One line per run with its state, and how many there are of each."""
    lines = summaries(store)
    if as_json:
        console.print_json(json.dumps([asdict(line) for line in lines]))
        return
    served = labels(study.load_all(store))
    for line in lines:
        console.print(line.text(served), markup=False)
    console.print(counts(lines) if lines else f"no runs in {store.root}")


def print_run(store: Store, prefix: str, console: Console, as_json: bool) -> None:
    """Everything the store holds of one run, and every switch of the protocol as it has it."""
    run = store.find(prefix)
    config = run.config()
    served = _served(store, run)
    switches = deviations.settings_of(config.science)
    content: dict[str, Any] = {
        "signature": run.signature,
        "state": (summary := summary_of(run)).state,
        "job": summary.job,
        "serves": list(served),
        "protocol": [switch.as_json() for switch in switches],
        "science": config.science.model_dump(mode="json"),
        "runtime": config.runtime.model_dump(mode="json"),
        "status": run.status(),
        "result": run.result(),
        "environment": run.environment() or None,
    }
    if as_json:
        console.print_json(json.dumps(content))
        return
    from omegaconf import OmegaConf

    console.print(f"[bold]{run.signature}[/]  {summary.state}  {summary.says}")
    for place in content["serves"]:
        console.print(f"  {place}", markup=False)
    console.print("\n[bold]protocol[/]")
    for line in _protocol(switches, served):
        console.print(line, markup=False, soft_wrap=True)
    if content["result"]:
        content["result"] = {key: value for key, value in content["result"].items() if key != "protocol"}
    for part in ("science", "runtime", "result", "environment"):
        if content[part]:
            console.print(f"\n[bold]{part}[/]")
            console.print(OmegaConf.to_yaml(content[part]).rstrip(), markup=False)
    for sentence in artifacts.damage_reports([run]):
        console.print(f"\n{sentence}", markup=False, soft_wrap=True)
    if content["state"] == "failed":
        console.print("\n[bold]log[/]")
        console.print("\n".join(run.log_tail()), markup=False)


def print_diff(store: Store, first: str, second: str, console: Console) -> None:
    """The keys in which two runs' science differs, and both results."""
    runs = [store.find(first), store.find(second)]
    flat = [_flat(run.config().science.model_dump(mode="json")) for run in runs]
    for key in dict.fromkeys([*flat[0], *flat[1]]):
        ours, theirs = (each.get(key) for each in flat)
        if ours != theirs:
            console.print(f"{key}: {ours} -> {theirs}", markup=False)
    if flat[0] == flat[1]:
        console.print("the same run")
    for run in runs:
        summary = summary_of(run)
        console.print(f"{run.signature}  {summary.state:8}  {summary.says}", markup=False)


def _served(store: Store, run: Run) -> dict[str, dict[str, Any]]:
    """The cells that the run serves, in words, and what each of them sets."""
    served: dict[str, dict[str, Any]] = {}
    for one in study.load_all(store):
        overrides = {(cell.row.key, cell.column.key): cell.overrides for cell in one.table.cells(cited=True)}
        for cell in one.cells:
            if cell.signature == run.signature:
                place = f"{one.table.name} ({one.profile}): row {cell.row}, column {cell.column}, seed {cell.seed}"
                served[place] = deviations.cell_settings(overrides.get((cell.row, cell.column), ()))
    return served


def _protocol(switches: Sequence[Setting], served: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One line per switch that arises: question, mark, value, and whether it is the default or who sets it otherwise."""
    arising = [switch for switch in switches if switch.arises]
    width = max(len(switch.question) for switch in arising)
    for switch in arising:
        status = "default"
        if switch.deviating:
            status = "deviates from " + " ".join(f"{key}={as_text(switch.expected[key])}" for key in switch.deviating)
            setters = [
                place.partition(",")[0].replace(": row ", " ")
                for place, said in served.items()
                if all(key in said and said[key] == switch.settings[key] for key in switch.deviating)
            ]
            status += f", as {setters[0]} says" if setters else ""
        value = " ".join(f"{key}={as_text(setting)}" for key, setting in switch.settings.items())
        yield f"{switch.question:{width}}  {switch.mark:8}  {value}: {status}"


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


class Format(StrEnum):
    """Outputs of `parsenet table`."""

    terminal = "terminal"
    md = "md"
    latex = "latex"
    csv = "csv"


class Document(StrEnum):
    """Outputs of `parsenet network`."""

    terminal = "terminal"
    md = "md"


def list_() -> None:
    """Show tables, axes, recipes, profiles and data sets."""
    from parsenet_cli.cli import catalogue

    catalogue.show(console())


def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again, until nothing runs or waits in a queue; Ctrl-C leaves.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show how every run of the results folder stands."""
    from parsenet_cli.core.errors import UserError
    from parsenet_cli.store.run import Store

    if watch and as_json:
        raise UserError("--watch and --json: choose one; `parsenet status --json` says how the runs stand now")
    if watch:
        watch_runs(Store(results), console())
        return
    print_status(Store(results), console(), as_json)


def show(
    signature: SignatureName,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of one run."""
    from parsenet_cli.store.run import Store

    print_run(Store(results), signature, console(), as_json)


def diff(
    first: Annotated[str, typer.Argument(help="A run's signature, or its first digits.")],
    second: Annotated[str, typer.Argument(help="Another one's.")],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Show in what two runs differ."""
    from parsenet_cli.store.run import Store

    print_diff(Store(results), first, second, console())


def table(
    name: Annotated[str, typer.Argument(help="A table, or a study's full name.", autocompletion=complete_table)],
    to: Annotated[Format, typer.Option("--to", help="terminal, md, latex or csv.")] = Format.terminal,
    profile: AnyProfile = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Print the newest study of a table; runs nothing."""
    from parsenet_cli.report import tables
    from parsenet_cli.store import study
    from parsenet_cli.store.run import Store

    store = Store(results)
    for sentence in study.skipped(store):  # one that is passed over may be the newest of this table
        typer.echo(sentence, err=True)
    found = study.newest(store, name, profile)
    if to is Format.terminal:
        console().print(tables.for_terminal(found, store))
    else:
        typer.echo(tables.as_text(found, store, to.value), nl=False)


def network(
    overrides: Overrides = None,
    profile: ProfileName = "paper",
    size: Annotated[
        str, typer.Option("--size", help="Width x height of the image, for the sizes of the maps.")
    ] = "500x375",
    classes: Annotated[int, typer.Option("--classes", min=2, help="Classes the head tells apart.")] = 21,
    to: Annotated[Document, typer.Option("--to", help="terminal or md.")] = Document.terminal,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show networks: strides, offsets, receptive fields, parameters.

    Overrides as for `sweep`, for example body=fcn,reduced; without any, the bodies of the paper. Needs no data and no
    weights.
    """
    from parsenet_cli.config import profile as profiles
    from parsenet_cli.report import network as drawing
    from parsenet_cli.store.run import Store

    pixels = drawing.image_size(size)
    found = drawing.networks(overrides or [], profiles.load(profile), Store(results).cache, pixels, classes)
    if as_json:
        typer.echo(json.dumps([{"network": one.name, **one.content} for one in found], indent=1))
    elif to is Document.md:
        typer.echo(drawing.to_markdown(found), nl=False)
    else:
        drawing.show(found, console())


EVERY_SECONDS = 2.0
QUEUE_SECONDS = 10.0
"""How often the queue is asked."""

IDLE_LOOKS = 2
"""Looks without a running run after which it ends: between one run and the next there may be a moment without any."""

_FIRST = ("running", "failed", "lost", "queued", "new", "done")
"""What is shown where not everything fits."""


def watch_runs(store: Store, console: Console) -> None:
    """Refresh until nothing runs and no job waits in a queue; Ctrl-C leaves at once and stops no run.

    In a terminal the picture is redrawn; elsewhere a line is printed whenever a run has changed its state.
    """
    from rich.live import Live
    from rich.text import Text

    idle, said, before = 0, "", [b""]
    queue, queued, asked = launch.queue(), None, float("-inf")
    try:
        with Live(console=console, auto_refresh=False) as live:
            while idle < IDLE_LOOKS:
                if queue is not None and (idle or time.monotonic() - asked > QUEUE_SECONDS):
                    queued, asked = queue_of(store.runs(), queue), time.monotonic()
                lines = summaries(store, queued)
                preparing = _preparing(store)
                running = any(line.state == "running" or _waits(line, store, queued) for line in lines)
                idle = 0 if running or (preparing and preparing != before) else idle + 1
                before = preparing
                if console.is_terminal:
                    served = labels(study.load_all(store))
                    live.update(Text(picture(lines, served, console.height - 2), no_wrap=True), refresh=True)
                elif said != (said := counts(lines)):
                    console.print(said, markup=False)
                if idle < IDLE_LOOKS:
                    time.sleep(EVERY_SECONDS)
    except KeyboardInterrupt:
        return


def _preparing(store: Store) -> list[bytes]:
    """What is said of data and weights that are being prepared for runs, all of which still wait: it changes while they are."""
    said = []
    for file in sorted(store.runs_folder.glob("*/preparing-*.json")):
        with contextlib.suppress(OSError):
            said.append(file.read_bytes())
    return said


def _waits(line: RunSummary, store: Store, queued: Queue | None) -> bool:
    """Whether the run may still start by itself: its job is in the queue, or that cannot be told from here."""
    return line.state == "queued" and line.job is not None and (queued is None or queued(store.run(line.signature)))


def picture(lines: Sequence[RunSummary], served: dict[str, str], height: int) -> str:
    """At most `height` lines: the runs that somebody looks for first, and the counts."""
    ordered = sorted(lines, key=lambda line: _FIRST.index(line.state))
    shown = ordered if len(ordered) < height else ordered[: max(0, height - 2)]
    texts = [line.text(served) for line in shown]
    if len(shown) < len(lines):
        texts.append(f"… and {len(lines) - len(shown)} more")
    return "\n".join([*texts, counts(lines)])
