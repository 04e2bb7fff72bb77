"""For tests of claims: stores with runs that were never trained, and what an expression is of numbers."""

from __future__ import annotations

import ast
import hashlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from parsenet_cli.config import table_file
from parsenet_cli.config.expression import Reference, parse
from parsenet_cli.config.table import Claim, Column, Kind, Row, TableSpec
from parsenet_cli.core import files
from parsenet_cli.store import artifacts
from parsenet_cli.store.result import Outcome, RunEnvironment
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyCell, save
from tests.made_store import result_of

SEEDS = (0, 1, 2)
IMAGES = 40


def evaluate(text: str, value_of: Callable[[Reference], float], margin: float | None = None) -> float:
    """An expression's value by Python's own arithmetic, of whose expressions those of the language are a part.

    A number per cell has no spread: in its place stands their sum.
    """
    expression = parse(text)
    text = ast.unparse(expression.tree)
    for reference in expression.references:
        text = re.sub(rf"(?<![\w.]){re.escape(str(reference))}(?![\w.])", f"({value_of(reference)!r})", text)
    return eval(text, {"margin": margin, "spread": lambda *cells: sum(cells)})  # type: ignore[no-any-return]


def signature_of(name: str) -> str:
    """A signature for a run that has a name here and no configuration."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def write_run(
    store: Store,
    name: str,
    quality: float,
    seed: int = 0,
    noise: float = 0.01,
    outcome: Outcome = "converged",
    data_id: str = "images:1",
    **said: Any,
) -> None:
    """A finished run: the share `quality` of each class's pixels is right, give or take `noise` by seed and image."""
    random = np.random.default_rng([seed, *map(ord, name)])
    images = np.random.default_rng(0)
    pixels = np.round(1000 * images.dirichlet(np.ones(3), size=IMAGES)) + 10
    # A collapsed run predicts background everywhere.
    right = np.clip(quality + noise * (random.standard_normal() + random.standard_normal((IMAGES, 3))), 0, 1)
    right = np.broadcast_to([1.0, 0.0, 0.0], right.shape) if outcome == "collapsed" else right
    confusions = np.zeros((IMAGES, 3, 3), np.int32)
    for true in range(3):
        confusions[:, true, true] = np.round(pixels[:, true] * right[:, true])
        confusions[:, true, 0 if true else 1] += (pixels[:, true] - confusions[:, true, true]).astype(np.int32)
    signature = signature_of(name)
    run = store.run(signature)
    files.write_text(run.config_file, "science: {}\n")
    artifacts.write_confusions(run, confusions, [f"val_{i:04d}" for i in range(IMAGES)])
    run.record_environment(RunEnvironment(device="a processor", data_id=data_id))
    cost = {"network": {"parameters": 1000}, "train_seconds": 1.0, "steps": 10, "threads": 1, "micro_batch": 1}
    run.record_result(result_of(signature, confusions.sum(axis=0), outcome=outcome, **{**cost, **said}))


def table_of(rows: Sequence[str], *claims: Claim, name: str = "own") -> TableSpec:
    """A table with one column, `iu`, and these claims."""
    column = Column("iu", "Mean IU", "mean_iu")
    return TableSpec(name, "A table", "voc12", ("",), (column,), tuple(Row(row, (row,)) for row in rows), claims=claims)


def claim(
    holds_if: str, effect: str = "", margin: float | str | None = None, key: str = "claim", kind: Kind = "stated"
) -> Claim:
    """A claim in a few words."""
    return Claim(key, "It holds.", "Table 1", holds_if, effect, margin, kind=kind)


def measured(
    store: Store,
    table: TableSpec,
    qualities: Mapping[str, float],
    seeds: Sequence[int] = SEEDS,
    profile: str = "quick",
    noise: float = 0.01,
    collapsed: Mapping[str, Sequence[int]] | None = None,
    same: Mapping[str, str] | None = None,
    overrides: tuple[str, ...] = (),
    data_id: str = "images:1",
) -> Study:
    """A study of a table, saved, and its runs. `same`: rows that are the runs of another row."""
    cells = []
    for cell, seed in itertools.product(table.cells(), seeds):
        row, column = cell.row.key, cell.column.key
        name = f"{table.name}-{(same or {}).get(row, row)}-{column}-{seed}"
        outcome: Outcome = "collapsed" if seed in (collapsed or {}).get(row, ()) else "converged"
        if row not in (same or {}):
            write_run(store, name, qualities[row], seed, noise, outcome, data_id)
        cells.append(StudyCell(row, column, seed, signature_of(name)))
    study = Study(f"{table.name}-{profile}-0", "", profile, overrides, tuple(seeds), table, tuple(cells))
    return save(study, store)


def of_table(store: Store, name: str) -> Study:
    """A study of a shipped table in which every cell is about as good."""
    table = table_file.load(name)
    return measured(store, table, {row.key: 0.7 for row in table.rows})
