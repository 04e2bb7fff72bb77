"""The measured cells that claims are about: scores of every seed, and what each image moves them. Nothing less counts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.claims.influence import NotSmooth, influences
from parsenet_cli.config.expression import Reference
from parsenet_cli.config.table import CellKey, Printed
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.sealed import Damaged
from parsenet_cli.store import artifacts, choice
from parsenet_cli.store.frame import score
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, load_all

if TYPE_CHECKING:
    from parsenet_cli.core.metrics import Counts

Floats = NDArray[np.float64]


class Untestable(Exception):
    """Why nothing can be said of a claim, as a sentence without its full stop."""


@dataclass(frozen=True)
class CellScores:
    """A cell with all its seeds.

    Attributes:
        runs: What it is made of, by seed: cells of equal runs (and metric) are the same cell.
        scores: (seeds,), percent.
        influences: (seeds, images), percent points by which each image moves the score.
        family: `study/metric`: the cells of a table that show the same metric are alike.
        images: Which images they were scored on.
    """

    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: Floats
    influences: Floats
    collapsed: tuple[bool, ...]
    family: str
    images: str


class Measurements:
    """The cells of some studies, read once each. Tables that a claim names beside them come from the same store."""

    def __init__(self, studies: Sequence[Study], store: Store) -> None:
        self.store = store
        self._studies = {study.table.name: study for study in studies}
        self._read: dict[Run, RunResult | None] = {}
        self._cells: dict[tuple[tuple[str, ...], str], CellScores] = {}
        self._peers: dict[str, list[Floats]] = {}
        # Those of the last few runs: a cell is asked for metric by metric, and a full-size run takes 70 MB.
        self._confusions = lru_cache(maxsize=4)(lambda signature: read_confusions(store.run(signature)))

    def cell(self, reference: Reference, asking: Study) -> CellScores:
        """A cell that a claim of `asking` names.

        Raises:
            Untestable: a seed has no number.
        """
        study = self._study(reference.table or asking.table.name, asking)
        results = self._results(study, reference.key)
        metric = next(column.metric for column in study.table.columns if column.key == reference.column)
        runs, family = tuple(results), f"{study.name}/{metric}"
        if (runs, family) not in self._cells:
            moved = [self._influences(result, metric, reference.key) for result in results.values()]
            images = {self._confusions(signature)[1] for signature in runs}
            if len(images) > 1:
                raise Untestable(f"the seeds of {reference.key} were not scored on the same images")
            self._cells[runs, family] = CellScores(
                runs=runs,
                seeds=study.seeds,
                scores=self._scores(results, metric),
                influences=100 * np.stack(moved),
                collapsed=_collapsed(results),
                family=family,
                images=images.pop(),
            )
        return self._cells[runs, family]

    def collapses(self, reference: Reference, asking: Study) -> tuple[bool, ...]:
        """Which seeds of a cell collapsed.

        Raises:
            Untestable: a seed is not done.
        """
        study = self._study(reference.table or asking.table.name, asking)
        return _collapsed(self._results(study, reference.key))

    def peers(self, family: str) -> list[Floats]:
        """Scores (seeds,) of the distinct cells of a family that are complete and did not collapse."""
        if family not in self._peers:
            name, _, metric = family.partition("/")
            study = next(study for study in self._studies.values() if study.name == name)
            columns = {column.key for column in study.table.columns if column.metric == metric}
            distinct = {}
            for key in dict.fromkeys(cell.key for cell in study.cells if cell.column in columns):
                with suppress(Untestable):
                    results = self._results(study, key)
                    if not any(_collapsed(results)):
                        distinct[tuple(results)] = self._scores(results, metric)
            self._peers[family] = [scores for scores in distinct.values() if np.isfinite(scores).all()]
        return self._peers[family]

    def _study(self, table: str, asking: Study) -> Study:
        if table not in self._studies:
            try:
                under = [study for study in load_all(self.store) if study.profile == asking.profile]
                of_it = [study for study in under if study.table.name == table]
                alike = [study for study in of_it if study.overrides == asking.overrides]
                self._studies[table] = choice.of_table(self.store, table, asking.profile, alike or of_it)
            except UserError:
                raise Untestable(
                    f"it needs {table}, which has not been run under profile {asking.profile}: `parsenet ablate {table}`"
                ) from None
        study = self._studies[table]
        if (study.profile, study.overrides) != (asking.profile, asking.overrides):
            here, there = (" ".join([each.profile, *each.overrides]) for each in (asking, study))
            raise Untestable(f"{asking.table.name} was run as '{here}' and {table} as '{there}', which do not compare")
        return study

    def _results(self, study: Study, key: CellKey) -> dict[str, RunResult]:
        """The results of a cell by signature, seed by seed.

        Raises:
            Untestable: there is no such cell, or a seed of it is not done.
        """
        cells = [cell for cell in study.cells if cell.key == key]
        if not cells:
            raise Untestable(_absent(study, key))
        if cells[0].reason:
            raise Untestable(f"{key} is n/a: {cells[0].reason}")
        if len(study.seeds) < 2:
            raise Untestable("one seed does not tell an effect from chance: `--seeds 3`")
        runs = {cell.seed: self.store.run(cell.signature or "") for cell in cells}
        results = {run.signature: result for run in runs.values() if (result := self._result(run))}
        if len(results) < len(study.seeds):
            states = {seed: run.state() for seed, run in runs.items() if run.signature not in results}
            texts = (f"seed {s} {'was never run' if state == 'new' else f'is {state}'}" for s, state in states.items())
            raise Untestable(f"{key}: {', '.join(texts) or 'seeds are missing'} ({study.table.name})")
        return results

    def _result(self, run: Run) -> RunResult | None:
        if run not in self._read:
            self._read[run] = run.believed_result()
        return self._read[run]

    def _scores(self, results: Mapping[str, RunResult], metric: str) -> Floats:
        """Percent; nan where undefined, as for the class that a run's data lacks."""
        return 100 * np.array([score(self.store.run(run), result, metric) for run, result in results.items()])

    def _influences(self, result: RunResult, metric: str, key: CellKey) -> Floats:
        confusions, _ = self._confusions(result.signature)
        try:
            return influences(metric, confusions, list(result.classes), result.class_mean)
        except (NotSmooth, UserError) as problem:
            raise Untestable(f"{metric} of {key} cannot be judged: {problem}") from None


def read_confusions(run: Run) -> tuple[Counts, str]:
    """The confusion matrices that a run keeps, and which images they are of.

    Raises:
        Untestable: they are damaged.
    """
    try:
        stored = artifacts.confusions(run)
    except Damaged:
        raise Untestable(
            f"run {run.signature}: its confusion matrices cannot be read; remove its folder and `parsenet ablate` again"
        ) from None
    if run.has_damaged_environment:
        raise Untestable(
            f"run {run.signature}: its {run.environment_file.name} is damaged, so that it is not known on which data it was "
            "scored; remove its folder and `parsenet ablate` again"
        )
    images = "\n".join([run.environment().data_id, *stored.ids])
    return stored.matrices, hashlib.sha256(images.encode()).hexdigest()


def _collapsed(results: Mapping[str, RunResult]) -> tuple[bool, ...]:
    return tuple(result.outcome == "collapsed" for result in results.values())


def _absent(study: Study, key: CellKey) -> str:
    """Why a study has no such cell."""
    table = study.table
    row = next((row for row in table.rows if row.key == key.row), None)
    if row is None or key.column not in [column.key for column in table.columns]:
        return f"{table.name} has no cell {key}"
    printed = row.paper.get(key.column, Printed())
    if not row.run or printed.absent:
        return f"{key} of {table.name} cannot be run"
    if printed.cited:
        return f"{key} is quoted from others and was not run: `parsenet ablate {table.name} --cited`"
    return f"{key} was left out of the study (--rows or --columns): `parsenet ablate {table.name}`"
