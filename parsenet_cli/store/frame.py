"""A study and its runs as one long DataFrame: one line per row, column and seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from parsenet_cli.core import metrics
from parsenet_cli.core.sealed import Damaged
from parsenet_cli.store import artifacts, choice
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, StudyRun, read_runs

if TYPE_CHECKING:
    import pandas as pd

DAMAGED = "damaged"
"""The outcome of a finished run whose number follows from a file that cannot be read."""

COLUMNS = ("table", "row", "column", "seed", "metric", "paper", "value", "outcome", "signature")


def load_frame(table: str, results: str | Path = "results", profile: str | None = None) -> pd.DataFrame:
    """A table as `parsenet table` shows it as a DataFrame, for notebooks: `COLUMNS`, values in percent.

    `table` may be a study's name. Raises `UserError` when the table has not been run.
    """
    store = Store(Path(results))
    study = choice.of_table(store, table, profile)
    return results_frame(study, read_runs([study], store))


def results_frame(study: Study, runs: Mapping[str, StudyRun]) -> pd.DataFrame:
    """One line per row, column and seed with the columns `COLUMNS`. `runs` are those of the study, by signature.

    `paper` is the printed text without its emphasis, `value` the measured percentage (nan while there is none), `outcome`
    one of converged, collapsed, damaged, n/a, or the state of a run that is not done.
    """
    import pandas as pd

    metric_of = {column.key: column.metric for column in study.table.columns}
    lines = []
    for cell in study.cells:
        metric, value, outcome = metric_of[cell.column], float("nan"), "n/a"
        if cell.signature:
            read = runs[cell.signature]
            outcome = read.outcome
            try:
                value = 100 * score(read.run, read.result, metric) if read.result else value
            except Damaged:
                outcome = DAMAGED
        printed = study.table.printed(cell.row, cell.column).text
        lines.append(
            (study.table.name, cell.row, cell.column, cell.seed, metric, printed, value, outcome, cell.signature or "")
        )
    return pd.DataFrame(lines, columns=list(COLUMNS))


def score(run: Run, result: RunResult, metric: str) -> float:
    """A metric of a finished run as a fraction; nan where it is not defined, such as the IU of a class its data lacks.

    A metric that was added after the run was done is computed from its stored confusion matrices. Raises `Damaged` where
    these are not what was written.
    """
    if metric in result.metrics:
        value = result.metrics[metric]
    elif metric.startswith("iu["):
        value = result.iu.get(metric[3:-1])
    else:
        total = artifacts.confusions(run, result).matrices.sum(axis=0)
        value = metrics.measure(metric, total, result.classes, result.class_mean)
    return float("nan") if value is None else float(value)
