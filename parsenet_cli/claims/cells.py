"""The measured cells that claims are about: scores of every seed, and what each image moves them. Nothing less counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.claims.influence import NotSmooth, influences
from parsenet_cli.config.expression import Reference
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import Damaged
from parsenet_cli.store import artifacts
from parsenet_cli.store.frame import score
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyCell, newest

Floats = NDArray[np.float64]

_KEPT_RUNS = 4


class Untestable(Exception):
    """Why nothing can be said of a claim, as a sentence without its full stop."""


@dataclass(frozen=True)
class CellScores:
    """A cell with all its seeds."""

    runs: tuple[str, ...]
    """What it is made of, by seed: cells of equal runs (and metric) are the same cell."""
    seeds: tuple[int, ...]
    scores: Floats
    """(seeds,), percent."""
    influences: Floats
    """(seeds, images), percent points by which each image moves the score."""
    collapsed: tuple[bool, ...]
    pool: str
    """Cells that are alike have the same: those of a table that show the same metric."""
    images: str
    """Which images they were scored on."""


class Measurements:
    """The cells of some studies, read once each. Tables that a claim names beside them come from the same store."""

    def __init__(self, studies: Sequence[Study], store: Store) -> None:
        self.store = store
        self._studies = {study.table.name: study for study in studies}
        self._runs: dict[str, RunResult | None] = {}
        self._cells: dict[tuple[tuple[str, ...], str, str], CellScores] = {}
        self._recent: dict[str, _Confusions] = {}
        self._pools: dict[str, list[Floats]] = {}

    def cell(self, reference: Reference, asking: Study) -> CellScores:
        """A cell that a claim of `asking` names. Raises `Undecidable` unless every seed has its number."""
        study = self._study(reference.table or asking.table.name, asking)
        metric = next((c.metric for c in study.table.columns if c.key == reference.column), "")
        runs = self._complete(study, reference)
        results = [self._result(signature) for signature in runs]
        pool = f"{study.name}/{metric}"
        key = (runs, metric, pool)
        if key not in self._cells:
            moved, images = [], []
            for signature in runs:
                moved.append(self._influences(signature, metric, reference))
                images.append(self._confusions(signature).images)
            if len(set(images)) > 1:
                raise Untestable(f"the seeds of {_name(reference)} were not scored on the same images")
            self._cells[key] = CellScores(
                runs=runs,
                seeds=study.seeds,
                scores=self._scores(runs, metric),
                influences=100 * np.stack(moved),
                collapsed=tuple(result.outcome == "collapsed" for result in results),
                pool=pool,
                images=images[0],
            )
        return self._cells[key]

    def collapses(self, reference: Reference, asking: Study) -> tuple[bool, ...]:
        """Which seeds of a cell collapsed. Raises `Undecidable` unless every seed is done."""
        study = self._study(reference.table or asking.table.name, asking)
        return tuple(self._result(s).outcome == "collapsed" for s in self._complete(study, reference))

    def alike(self, pool: str) -> list[Floats]:
        """Scores (seeds,) of the distinct cells of a table with this metric that are complete and did not collapse."""
        if pool not in self._pools:
            study = next(study for study in self._studies.values() if pool.startswith(f"{study.name}/"))
            metric = pool.removeprefix(f"{study.name}/")
            columns = {column.key for column in study.table.columns if column.metric == metric}
            distinct = {}
            for place in dict.fromkeys((cell.row, cell.column) for cell in study.cells if cell.column in columns):
                try:
                    runs = self._complete(study, Reference(*place, table=study.table.name))
                except Untestable:
                    continue
                if all(self._result(signature).outcome == "converged" for signature in runs):
                    distinct[runs] = self._scores(runs, metric)
            self._pools[pool] = [scores for scores in distinct.values() if np.isfinite(scores).all()]
        return self._pools[pool]

    def _study(self, table: str, asking: Study) -> Study:
        if table not in self._studies:
            try:
                self._studies[table] = newest(self.store, table, asking.profile)
            except UserError:
                raise Untestable(
                    f"it needs {table}, which has not been run under profile {asking.profile}: `parsenet ablate {table}`"
                ) from None
        study = self._studies[table]
        if (study.profile, study.overrides) != (asking.profile, asking.overrides):
            here, there = (" ".join([one.profile, *one.overrides]) for one in (asking, study))
            raise Untestable(f"{asking.table.name} was run as '{here}' and {table} as '{there}', which do not compare")
        return study

    def _complete(self, study: Study, reference: Reference) -> tuple[str, ...]:
        name = _name(reference)
        lines = [cell for cell in study.cells if (cell.row, cell.column) == (reference.row, reference.column)]
        if not lines:
            raise Untestable(_absent(study, reference))
        if lines[0].reason:
            raise Untestable(f"{name} is n/a: {lines[0].reason}")
        if len(study.seeds) < 2:
            raise Untestable("one seed does not tell an effect from chance: `--seeds 3`")
        missing = [line for line in lines if not line.signature or self._read(line.signature) is None]
        if missing or {line.seed for line in lines} != set(study.seeds):
            raise Untestable(f"{name}: {self._said_of(missing) or 'seeds are missing'} ({study.table.name})")
        return tuple(line.signature or "" for line in sorted(lines, key=lambda line: study.seeds.index(line.seed)))

    def _said_of(self, missing: Sequence[StudyCell]) -> str:
        return ", ".join(
            f"seed {line.seed} {'was never run' if state == 'new' else f'is {state}'}"
            for line in missing
            for state in [self.store.run(line.signature or "").state()]
        )

    def _read(self, signature: str) -> RunResult | None:
        if signature not in self._runs:
            self._runs[signature] = self.store.run(signature).result()
        return self._runs[signature]

    def _result(self, signature: str) -> RunResult:
        """Of a run that is known to be done."""
        result = self._read(signature)
        assert result is not None
        return result

    def _scores(self, runs: tuple[str, ...], metric: str) -> Floats:
        """Percent; nan where undefined, as for the class that a run's data lacks."""
        values = [score(self.store.run(signature), self._result(signature), metric) for signature in runs]
        return 100 * np.array(values)

    def _influences(self, signature: str, metric: str, reference: Reference) -> Floats:
        result, stored = self._result(signature), self._confusions(signature)
        try:
            return influences(metric, stored.confusions, list(result.classes), result.class_mean)
        except (NotSmooth, UserError) as problem:
            raise Untestable(f"{metric} of {_name(reference)} cannot be judged: {problem}") from None

    def _confusions(self, signature: str) -> _Confusions:
        """Those of the last few runs are kept: a cell is asked for metric by metric, and a full-size run takes 70 MB."""
        if signature not in self._recent:
            found = _Confusions(signature, self.store)
            self._recent = {**dict(list(self._recent.items())[-_KEPT_RUNS + 1 :]), signature: found}
        return self._recent[signature]


class _Confusions:
    """The confusion matrices that a run keeps, and which images they are of."""

    def __init__(self, signature: str, store: Store) -> None:
        run = store.run(signature)
        try:
            stored = artifacts.confusions(run)
        except Damaged:
            raise Untestable(
                f"run {signature}: its confusion matrices cannot be read; remove its folder and `parsenet ablate` again"
            ) from None
        if run.has_damaged_environment:
            raise Untestable(
                f"run {signature}: its {run.environment_file.name} is damaged, so that it is not known on which data it was "
                "scored; remove its folder and `parsenet ablate` again"
            )
        self.confusions = stored.matrices
        self.images = hashlib.sha256("\n".join([run.environment().data_id, *stored.ids]).encode()).hexdigest()


def _name(reference: Reference) -> str:
    return f"{reference.row}.{reference.column}"


def _absent(study: Study, reference: Reference) -> str:
    """Why a study has no such cell."""
    table, name = study.table, _name(reference)
    row = next((row for row in table.rows if row.key == reference.row), None)
    if row is None or reference.column not in [column.key for column in table.columns]:
        return f"{table.name} has no cell {name}"
    if not row.run or (row.paper.get(reference.column) is not None and row.paper[reference.column].absent):
        return f"{name} of {table.name} cannot be run"
    if row.paper.get(reference.column) is not None and row.paper[reference.column].cited:
        return f"{name} is quoted from others and was not run: `parsenet ablate {table.name} --cited`"
    return f"{name} was left out of the study (--rows or --columns): `parsenet ablate {table.name}`"
