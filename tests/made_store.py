"""A results folder as the commands leave it, made without training: drawn confusion matrices, maps, losses and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.table import TableSpec
from parsenet_cli.core import metric_names, metrics
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner.plan import plan_table
from parsenet_cli.store import artifacts, samples, study
from parsenet_cli.store.result import RunEnvironment, RunResult
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study

CLASSES = ("background", "cat", "dog")
IDS = tuple(f"val_{i:04}" for i in range(8))
SIDE = 24


def add_table(store: Store, name: str, seeds: Sequence[int] = (0, 1, 2), spec: TableSpec | None = None) -> Study:
    """Study and finished runs of a table under the quick profile; `spec` where it has no file."""
    plan = plan_table(spec or table_file.load(name), Composer(profile.load("quick"), [], store.cache), seeds)
    for config in plan.configs.values():
        add_run(store, config)
    return study.save(plan.study, store)


def add_two_tables(store: Store) -> Store:
    """All that a report can show: a narrow table and the widest, with three seeds, and the images behind them."""
    add_table(store, "table4")
    add_table(store, "table8")
    for data_id in {run.config().science.data_id for run in store.runs()}:
        add_images(store, data_id)
    return store


def add_run(store: Store, config: RunConfig, **other: Any) -> Run:
    """One finished run whose numbers are drawn from its signature; `other` replaces parts of its result."""
    run = store.run(config.signature)
    run.create(config)
    rng = np.random.default_rng(int(config.signature, 16))
    truths = _truths()
    right = rng.uniform(0.4, 0.9)
    maps = [
        np.where(rng.random(t.shape) < right, t, rng.integers(0, 3, t.shape, np.uint8)).astype(np.uint8) for t in truths
    ]
    confusions = np.array([metrics.confusion(m, t, len(CLASSES), 255) for m, t in zip(maps, truths, strict=True)])
    artifacts.write_confusions(run, confusions.astype(np.int32), IDS)
    artifacts.write_predictions(run, dict(zip(IDS, maps, strict=True)))
    for iteration in range(10, 60, 10):
        run.append_metrics({"iteration": iteration, "loss": 1e4 / iteration, "lr": 1e-3, "seconds": iteration / 10})
    run.record_environment(
        RunEnvironment("c0ffee", versions={"torch": "2.6"}, device="a processor", data_id=config.science.data_id)
    )
    run.update_status(state="done")
    cost = {"steps": 50, "train_seconds": 5.0, "evaluate_seconds": 1.0, "peak_memory_mb": 400}
    run.record_result(result_of(run.signature, confusions.sum(axis=0), **{**cost, **other}))
    return run


def result_of(signature: str, total: metrics.Counts, **other: Any) -> RunResult:
    """What is said of a run with this confusion matrix; `other` replaces parts of it."""
    result = RunResult(
        signature,
        "converged",
        predicted_classes=CLASSES,
        metrics={name: metrics.measure(name, total, CLASSES) for name in metric_names.names()},
        iu=dict(zip(CLASSES, map(float, metrics.iu(total)), strict=True)),
        classes=CLASSES,
        ignore=255,
    )
    return replace(result, **other)


def add_images(store: Store, data_id: str) -> Path:
    """The images and the truth behind the runs' kept predictions."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8) for _ in IDS]
    file = samples.file_of(store, data_id, CLASSES)
    samples.write(file, IDS, images, _truths())
    return file


def _truths() -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    rng = np.random.default_rng(1)
    return [np.kron(rng.integers(0, 3, (4, 4)), np.ones((6, 6))).astype(np.uint8) for _ in IDS]
