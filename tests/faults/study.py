"""The small studies that are disturbed, and what an undisturbed one leaves: the measure of every other."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from safetensors import safe_open

from parsenet_cli.core.files import tag_cache
from parsenet_cli.store.run import Run, Store
from tests.conftest import command, environment

STEPS = 100
"""Optimisation steps of every run; every second one is recorded."""

MEASURED = {"train_seconds", "evaluate_seconds", "peak_memory_mb", "files"}
"""Entries of result.json that differ from one time to the next; `files` has checksums, of times too, and in any order."""

STATISTICAL = {"micro_batch", "ran_out_of_memory", "metrics", "iu", "convention", "predicted_classes"}
"""Entries that may differ as well once a run has gone on with a smaller micro-batch."""


@dataclass(frozen=True)
class Study:
    """A sweep of `2 * seeds` runs of about a second each. The table's caption tells the arguments, also `more` of them."""

    seeds: int
    more: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        return (
            *(
                "sweep",
                "data=synthetic_siftflow",
                "weights=none",
                "recipe.frozen=[]",
                f"recipe.iterations={STEPS}",
                "norm=none,l2",
            ),
            *("checkpoint_seconds=0.05", "keep_model=true", "launcher.threads=1", "launcher.slots=2"),
            *(*self.more, "--seeds", str(self.seeds)),
        )


FEW, MANY = Study(seeds=2), Study(seeds=5)
WATCHED = Study(seeds=5, more=("launcher.silence_seconds=5",))
"""Its workers are taken for dead after a few seconds."""


class Undisturbed:
    """Stores in which nothing went wrong, made when they are first asked for; and the cache that all stores share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        tag_cache(self.cache)
        self._made: dict[Study, Store] = {}
        self._making = Lock()

    def new(self, results: Path) -> Path:
        """An empty results folder on the shared cache."""
        results.mkdir()
        (results / "cache").symlink_to(self.cache)
        return results

    def store(self, study: Study = FEW) -> Store:
        """Raises `RuntimeError` where the command fails without any disturbance."""
        with self._making:
            if study not in self._made:
                self._made[study] = self._make(study)
            return self._made[study]

    def _make(self, study: Study) -> Store:
        results = self.new(self.folder / f"study-{len(self._made)}")
        done = subprocess.run(
            command(*study.arguments), cwd=self.folder, env=environment(results), capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{done.args} ended with {done.returncode}: {done.stderr}")
        return Store(results)


def differences(
    expected: Store, found: Store, without: frozenset[str] = frozenset(), statistical: str = ""
) -> list[str]:
    """In words, every way in which the results in `found` are not those in `expected`; times and memory apart.

    Runs in `without` are passed over, and with them the tables, which show them. Of the run `statistical` only the
    outcome counts.
    """
    told = []
    for ours in expected.runs():
        if ours.signature in without:
            continue
        theirs = found.run(ours.signature)
        ignored = MEASURED | (STATISTICAL if ours.signature == statistical else set())
        for name, first, second in _compared(ours, theirs, ignored, arrays=ours.signature != statistical):
            if first != second:
                told.append(f"{theirs.signature}: {name}: {_difference(first, second)}")
    surplus = {run.signature for run in found.runs()} - {run.signature for run in expected.runs()}
    told += [f"{signature}: a run that nobody asked for" for signature in sorted(surplus)]
    if not without and not statistical:
        for file in sorted(expected.tables.rglob("*.*")):
            there = found.tables / file.relative_to(expected.tables)
            if not there.is_file() or there.read_bytes() != file.read_bytes():
                told.append(f"the table {there.name} is not the same")
    return told


def _compared(ours: Run, theirs: Run, ignored: set[str], arrays: bool) -> list[tuple[str, Any, Any]]:
    first, second = (_result(run, ignored) for run in (ours, theirs))
    pairs = [(f"result.json {key}", first.get(key), second.get(key)) for key in sorted({*first, *second})]
    if not arrays:
        return pairs
    pairs += [(name, _arrays(ours.folder / name), _arrays(theirs.folder / name)) for name in _ARRAYS]
    pairs.append(("metrics.jsonl", _metrics(ours), _metrics(theirs)))
    pairs.append(("model.safetensors", _model(ours), _model(theirs)))
    return pairs


def _difference(first: Any, second: Any) -> str:
    """The first of two lists' entries that differ, or both values."""
    if isinstance(first, list) and isinstance(second, list):
        for ours, theirs in zip_longest(first, second):
            if ours != theirs:
                return f"{theirs}, undisturbed {ours}"
    return f"{second}, undisturbed {first}"[:300]


_ARRAYS = ("confusion.npz", "predictions.npz")


def _result(run: Run, ignored: set[str]) -> dict[str, Any]:
    result = run.result()
    return {key: json.dumps(value) for key, value in result.content.items() if key not in ignored} if result else {}


def _metrics(run: Run) -> list[tuple[Any, ...]]:
    return [(record["iteration"], record["loss"], record["lr"]) for record in run.metrics()]


def _arrays(file: Path) -> list[tuple[str, tuple[int, ...], int]] | str:
    """Names, shapes and the content as one number, so that it can be told in a line."""
    try:
        with np.load(file) as stored:
            return [(name, stored[name].shape, hash(stored[name].tobytes())) for name in sorted(stored.files)]
    except Exception as problem:
        return f"unreadable ({type(problem).__name__})"


def _model(run: Run) -> Any:
    """What the file holds; safetensors writes its metadata in any order."""
    try:
        with safe_open(run.model_file, "numpy") as file:
            content = {name: hash(file.get_tensor(name).tobytes()) for name in sorted(file.keys())}
            return [*sorted(file.metadata().items()), *content.items()]
    except Exception as problem:
        return f"unreadable ({type(problem).__name__})"
