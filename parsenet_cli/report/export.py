"""`parsenet export`: curves and scores for other tools, from the results store alone."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import atomic_write, guard, remove, write_text
from parsenet_cli.core.text import Progress
from parsenet_cli.report import tensorboard
from parsenet_cli.report.formats.csv import frame_text
from parsenet_cli.store import artifacts, choice, study
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, read_runs

EVENTS = "events.out.tfevents.0.parsenet"
"""TensorBoard finds files by the middle of this name; the same one every time, so that exporting again replaces it."""

DEPTH = 4
"""Folders between the one that is exported to and an event file: profile, table, cell, seed."""


def export_studies(
    store: Store, form: str, tables: Sequence[str], profile: str | None, out: Path, progress: Progress
) -> str:
    """Write one study (store/choice.py) of each table and profile, or of `tables` alone, into `out`.

    `tensorboard`: one event file per finished run, <profile>/<table>/<row>.<column>/seed<n>/, with its curves, its scores in
    percent and its configuration as hyperparameters. `csv`: tables.csv (the long frames with their profile) and curves.csv.

    Returns what was written, in words; `progress` is told what is passed over.

    Raises:
        UserError: no such table, nothing that is done, or `out` cannot be written.
    """
    guard(out)
    studies = _studies(store, tables, profile)
    read = read_runs(studies, store)
    cells = [(one, cell, read[cell.signature]) for one in studies for cell in one.cells if cell.signature]
    places = [(one, cell, each.run, each.result) for one, cell, each in cells if each.result]
    if not places:
        raise UserError(f"{store.root}: no run is done that could be exported. Run `parsenet ablate` first")
    runs = {run.signature: run for _, _, run, _ in places}
    for sentence in [
        *study.skipped(store),
        *store.passed_over(),
        *study.disbelieved(read.values()),
        *artifacts.damage_reports(runs.values()),
    ]:
        progress(sentence)
    if form == "csv":
        write_text(out / "tables.csv", _tables(studies, store))
        write_text(out / "curves.csv", _curves(runs.values()))
        return f"written: {out / 'tables.csv'}\nwritten: {out / 'curves.csv'}"
    written = set()
    for one, cell, run, result in places:
        folder = out / one.profile / one.table.name / f"{cell.row}.{cell.column}" / f"seed{cell.seed}"
        try:
            content = b"".join(_events(run, result))
        except UserError as problem:  # a run of another version, whose configuration cannot be read
            progress(f"skipped: {problem}")
            continue
        with atomic_write(folder / EVENTS) as file:
            file.write(content)
        written.add(folder)
    _forget_others(out, written)
    return f"written: {len(written)} event files; look at them with `tensorboard --logdir {out}`"


def _forget_others(out: Path, written: Collection[Path]) -> None:
    """Remove earlier event files, which TensorBoard would show beside the new ones, and the folders that are then empty."""
    for folder, inner, names in os.walk(out):  # follows no links
        path = Path(folder)
        depth = len(path.relative_to(out).parts)
        if depth == DEPTH and EVENTS in names and path not in written:
            remove(path / EVENTS)
            with suppress(OSError):  # it holds something else
                path.rmdir()
        if depth == DEPTH:
            inner.clear()


def _studies(store: Store, tables: Sequence[str], profile: str | None) -> list[Study]:
    if tables:
        return [choice.of_table(store, table, profile) for table in dict.fromkeys(tables)]
    taken = choice.one_of_each([s for s in study.load_all(store) if profile in (None, s.profile)], store)
    return sorted(taken, key=lambda each: (each.table.name, each.profile))


def _events(run: Run, result: RunResult) -> Iterator[bytes]:
    """The event file of one run, record by record."""
    started = float(run.status().started)
    science = run.config().science.model_dump(mode="json")
    recipe = {f"recipe.{key}": value for key, value in science.pop("recipe").items()}
    yield tensorboard.version(started)
    yield tensorboard.hyperparameters({**science, **recipe, "signature": run.signature}, started)
    last = 0
    for record in run.metrics():
        last = record["iteration"]
        values = {f"train/{key}": record[key] for key in ("loss", "lr") if record.get(key) is not None}
        yield tensorboard.scalars(values, last, started + record.get("seconds", 0.0))
    ended = started + result.train_seconds
    scores = {f"val/{name}": value for name, value in result.metrics.items()}
    scores |= {f"val/iu/{name}": value for name, value in result.iu.items()}
    percent = {name: 100 * value for name, value in scores.items() if value is not None}
    percent["val/collapsed"] = float(result.outcome == "collapsed")
    yield tensorboard.scalars(percent, last, ended)
    yield tensorboard.end_of_run(ended)


def _tables(studies: Sequence[Study], store: Store) -> str:
    import pandas as pd

    from parsenet_cli.store.frame import results_frame

    frames = []
    for one in studies:
        lines = results_frame(one, read_runs([one], store))
        lines.insert(0, "profile", one.profile)
        frames.append(lines)
    return frame_text(pd.concat(frames))


def _curves(runs: Iterable[Run]) -> str:
    """Every record of every run once; tables.csv says by the signature which cells it serves."""
    stream = io.StringIO()
    columns = ("iteration", "loss", "lr", "seconds")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("signature", *columns))
    for run in runs:
        writer.writerows((run.signature, *map(record.get, columns)) for record in run.metrics())
    return stream.getvalue()
