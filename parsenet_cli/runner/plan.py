"""`parsenet plan`: what a command would do, what is done already, how long it will take and how much disk it needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from parsenet_cli.config import table as ablation
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.table import TableSpec
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import duration
from parsenet_cli.data import sets
from parsenet_cli.models import support
from parsenet_cli.runner.cost import CostKey, CostModel
from parsenet_cli.runner.launcher import open_launcher
from parsenet_cli.store.artifacts import verify_weights_file
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, StudyCell

if TYPE_CHECKING:
    from rich.console import Console


def plan_table(
    spec: TableSpec,
    composer: Composer,
    seeds: Sequence[int],
    *,
    cited: bool = False,
    rows: Iterable[str] | None = None,
    columns: Iterable[str] | None = None,
) -> tuple[Study, dict[str, RunConfig]]:
    """Expand a table into a study and the runs it needs, by signature. Nothing is written.

    A cell whose trunk has no such body gets a reason instead of a run. Raises `UserError` for anything that is wrong.
    """
    cells: list[StudyCell] = []
    configs: dict[str, RunConfig] = {}
    for cell in spec.cells(cited=cited, rows=rows, columns=columns):
        try:
            first = composer.run_config(cell.overrides)
        except UserError as problem:
            raise UserError(f"{spec.name}, row {cell.row.key}, column {cell.column.key}: {problem}") from None
        verify_weights_file(first.runtime.weights_file)
        reason = support.unsupported(first.science) or sets.unpublished_mean(first.science)
        for seed in seeds:
            config = first.model_copy(update={"science": first.science.model_copy(update={"seed": seed})})
            signature = None if reason else config.signature
            cells.append(StudyCell(cell.row.key, cell.column.key, seed, signature, reason or ""))
            if signature:
                configs[signature] = config
    content = [asdict(cell) for cell in cells], ablation.digest_content(spec), composer.profile.name, list(seeds)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    study = Study(
        name=f"{spec.name}-{composer.profile.name}-{digest}",
        created="",
        profile=composer.profile.name,
        overrides=tuple(composer.command_line),
        seeds=tuple(seeds),
        table=spec,
        cells=tuple(cells),
    )
    return study, configs


WITHOUT_MODEL = "to do again: its model was not kept"
"""The state of a run that is done, but not with the model that keep_model=true asks for."""


@dataclass(frozen=True)
class PlannedCell:
    """One cell: the runs behind it, one per seed, and how each stands."""

    table: str
    row: str
    column: str
    signatures: tuple[str, ...]
    states: tuple[str, ...]
    reason: str
    shared_with: str
    """The first cell that needs the same runs, if it is another one."""
    steps: int
    """Optimisation steps of each run; 0 where there is none."""
    images: int
    """Images in a step."""
    seconds: float | None
    """Expected duration of each run; None while nothing of its kind was measured."""


@dataclass(frozen=True)
class PlanSummary:
    """What `plan` prints."""

    cells: tuple[PlannedCell, ...]
    runs: int
    missing: int
    slots: int
    steps: int
    """Of all runs that are missing."""
    images: int
    """Seen in those steps, counted each time."""
    seconds: float | None
    bytes: float | None

    def as_json(self) -> dict[str, Any]:
        """For --json: seconds and bytes are null where nothing was measured yet."""
        return {
            "cells": [vars(cell) for cell in self.cells],
            "runs": self.runs,
            "missing": self.missing,
            "slots": self.slots,
            "steps": self.steps,
            "images": self.images,
            "seconds": self.seconds,
            "bytes": self.bytes,
        }

    def show(self, console: Console) -> None:
        """Print one line per cell and the totals."""
        from rich import box
        from rich.table import Table

        grid = Table(box=box.SIMPLE_HEAD)
        for header in ("table", "row", "column", "steps x images", "a run takes", "runs (one per seed)", "state"):
            grid.add_column(header, no_wrap=header != "state")
        for cell, columns in _rows(self.cells):
            state = f"n/a: {cell.reason}" if cell.reason else _counted(cell.states)
            shared = f" (as {cell.shared_with})" if cell.shared_with else ""
            size = f"{cell.steps} x {cell.images}" if cell.steps else ""
            takes = duration(cell.seconds) if cell.seconds is not None else ""
            grid.add_row(cell.table, cell.row, columns, size, takes, " ".join(cell.signatures), state + shared)
        console.print(grid)
        console.print(
            f"{len(self.cells)} cells, {self.runs} distinct runs, {self.runs - self.missing} done, {self.missing} to do"
        )
        if self.missing:
            unknown = "unknown until a run is done"
            time = f"{duration(self.seconds)} with {self.slots} at a time" if self.seconds is not None else unknown
            disk = f"{self.bytes / 2**20:.1f} MB" if self.bytes is not None else unknown
            hint = " (--probe measures)" if self.seconds is None else ""
            console.print(f"to do: {self.steps} steps over {self.images} images")
            console.print(f"expected time: {time}{hint}; disk: {disk}")


def summarize(
    planned: Sequence[tuple[Study, dict[str, RunConfig]]],
    store: Store,
    launcher: dict[str, Any],
    *,
    probe: bool,
    progress: Callable[[str], None],
) -> PlanSummary:
    """Look at the store; with `probe`, measure some steps of every kind of run that is missing, telling `progress`."""
    configs = {signature: config for _, each in planned for signature, config in each.items()}
    states = {signature: _state(store.run(signature), config) for signature, config in configs.items()}
    missing = [configs[signature] for signature, state in states.items() if state != "done"]
    estimate = CostModel(store)
    carrier = open_launcher(launcher, max(1, len(missing)))
    if probe:
        _probe(missing, estimate, store, carrier.threads, progress)
    first_use: dict[tuple[str, ...], str] = {}
    cells = []
    for study, _ in planned:
        for place in dict.fromkeys((cell.row, cell.column) for cell in study.cells):
            of_place = [cell for cell in study.cells if (cell.row, cell.column) == place]
            signatures = tuple(cell.signature for cell in of_place if cell.signature)
            name = f"{study.table.name} {place[0]}.{place[1]}"
            user = first_use.setdefault(signatures, name) if signatures else name
            states_here = tuple(states[signature] for signature in signatures)
            shared_with = "" if user == name else user
            science = configs[signatures[0]].science if signatures else None
            cells.append(
                PlannedCell(
                    study.table.name,
                    *place,
                    signatures,
                    states_here,
                    of_place[0].reason,
                    shared_with,
                    steps=science.recipe.steps if science else 0,
                    images=science.recipe.images if science else 0,
                    seconds=estimate.seconds(science) if science else None,
                )
            )
    seconds = estimate.total_seconds([config.science for config in missing], carrier.slots)
    disk = estimate.total_bytes(missing)
    steps = sum(config.science.recipe.steps for config in missing)
    images = sum(config.science.recipe.steps * config.science.recipe.images for config in missing)
    return PlanSummary(tuple(cells), len(configs), len(missing), carrier.slots, steps, images, seconds, disk)


def _state(run: Run, config: RunConfig) -> str:
    """How a run stands for this command, which may ask for a model that an earlier one did not keep."""
    state = run.state(config.runtime.keep_model)
    return WITHOUT_MODEL if state == "queued" and run.done() else state


def _probe(
    missing: Sequence[RunConfig], estimate: CostModel, store: Store, threads: int, progress: Callable[[str], None]
) -> None:
    from parsenet_cli.engine.probe import parameters, seconds_per_step

    kinds = {CostKey.of(config.science): config for config in missing}
    for number, (kind, config) in enumerate(kinds.items(), start=1):
        progress(
            f"measuring {number} of {len(kinds)}: {kind.trunk} {kind.body}, {kind.layers} layers, {kind.batch} images a step"
        )
        estimate.add(config.science, seconds_per_step(config, threads, store.cache))
        if config.runtime.keep_model:
            estimate.parameters[CostKey.of(config.science)] = parameters(config.science)


def _rows(cells: Sequence[PlannedCell]) -> Iterator[tuple[PlannedCell, str]]:
    """The first of neighbours in a row that measure different things of the same runs, and all their columns."""
    for _, group in groupby(cells, key=lambda cell: (cell.table, cell.row, cell.signatures, cell.reason)):
        alike = list(group)
        columns = alike[0].column if len(alike) == 1 else f"{alike[0].column} … {alike[-1].column} ({len(alike)})"
        yield alike[0], columns


def _counted(states: Sequence[str]) -> str:
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    if len(counts) == 1:
        return states[0].replace("new", "to do")
    return ", ".join(f"{count} {state}" for state, count in counts.items()).replace("new", "to do")
