"""The measured cells that claims are about: scores of every seed, and what each image moves them. Nothing less counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.claims.influence import NotSmooth, influences
from parsenet_cli.config import table_file
from parsenet_cli.config.expression import Reference
from parsenet_cli.config.table import CellKey, Printed
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.sealed import Damaged
from parsenet_cli.store import artifacts, choice
from parsenet_cli.store.frame import score
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, StudyCell, load_all

if TYPE_CHECKING:
    from parsenet_cli.core.metrics import Counts

Floats = NDArray[np.float64]

FIRST = 3
"""Seeds of the first look: fewer decide nothing, and as many say how far the cells on the same images vary."""


UNUSED = "seeds are used up to there, not"
"""Stands before the seeds that are done and follow one that is missing."""


class Untestable(Exception):
    """Why nothing can be said of a claim, as a sentence without its full stop."""


@dataclass(frozen=True)
class CellScores:
    """A cell with the seeds that it has, in the order of its study, up to the first that is missing.

    Attributes:
        runs: What it is made of, by seed: cells of equal runs (and metric) are the same cell.
        scores: (seeds,), percent.
        influences: (seeds, images), percent points by which each image moves the score.
        images: Which images they were scored on.
        missing: Why there are no more seeds; empty where all of the study are there.
        seconds: What one of its runs takes, training and evaluation.
        data: The identity of the data.
    """

    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: Floats
    influences: Floats
    metric: str
    images: str
    missing: str = ""
    seconds: float = 0.0
    data: str = ""

    def first(self, count: int) -> CellScores:
        """The same with its first seeds."""
        return replace(
            self,
            runs=self.runs[:count],
            seeds=self.seeds[:count],
            scores=self.scores[:count],
            influences=self.influences[:count],
        )


@dataclass(frozen=True)
class Peer:
    """A cell of any table under the same profile: its scores with the seeds of the first look, percent.

    Attributes:
        tables: The tables that it stands in.
    """

    runs: tuple[str, ...]
    scores: Floats
    tables: frozenset[str]


class Measurements:
    """The cells of some studies, read once each. Tables that a claim names beside them come from the same store."""

    def __init__(self, studies: Sequence[Study], store: Store) -> None:
        self.store = store
        self._studies = {study.table.name: study for study in studies}
        self._read: dict[Run, RunResult | None] = {}
        self._by_key: dict[str, dict[CellKey, list[StudyCell]]] = {}
        self._done: dict[tuple[str, CellKey], tuple[dict[str, RunResult], str]] = {}
        self._cells: dict[tuple[tuple[str, ...], str], CellScores] = {}
        self._peers: dict[tuple[object, ...], dict[tuple[object, ...], list[Peer]]] = {}
        self._group_of = lru_cache(maxsize=None)(table_file.group_of)
        # Those of the last few runs: a cell is asked for metric by metric, and a full-size run takes 70 MB.
        self._confusions = lru_cache(maxsize=4)(lambda signature: read_confusions(store.run(signature)))

    def cell(self, reference: Reference, asking: Study, fewest: int = FIRST) -> CellScores:
        """A cell that a claim of `asking` names.

        Raises:
            Untestable: one of the `fewest` seeds that it needs has no number.
        """
        study = self._study(reference.table or asking.table.name, asking)
        results, missing = self._results(study, reference.key, fewest)
        metric = next(column.metric for column in study.table.columns if column.key == reference.column)
        key = tuple(results), metric
        if key not in self._cells:
            self._cells[key] = self._measured(study, results, metric, reference.key, missing, fewest)
        cell = self._cells[key]
        if len(cell.seeds) < fewest:
            raise Untestable(cell.missing)
        return cell

    def collapses(self, reference: Reference, asking: Study) -> tuple[tuple[bool, ...], str]:
        """Which seeds of a cell collapsed, and why there are no more of them.

        Raises:
            Untestable: a seed of the first look is not done.
        """
        study = self._study(reference.table or asking.table.name, asking)
        results, missing = self._results(study, reference.key, FIRST)
        return tuple(result.outcome == "collapsed" for result in results.values()), missing

    def peers(self, cell: CellScores, asking: Study) -> list[Peer]:
        """The distinct cells of tables that were run like `asking`, on the same data, metric and seeds as `cell`.

        They are the paper's tables, its own, and where it is one of those beyond the paper's all of these: what is run besides
        changes nothing that is said of the paper.
        """
        alike: tuple[object, ...] = (asking.profile, asking.overrides)
        if alike not in self._peers:
            grouped: dict[tuple[object, ...], list[Peer]] = {}
            for key, peer in self._read_peers(asking):
                group = grouped.setdefault(key, [])
                same = next((i for i, other in enumerate(group) if other.runs == peer.runs), None)
                if same is None:
                    group.append(peer)
                else:
                    group[same] = replace(peer, tables=peer.tables | group[same].tables)
            self._peers[alike] = grouped
        found = self._peers[alike].get((cell.data, cell.metric, cell.seeds[:FIRST]), [])
        return [peer for peer in found if any(self._counts_for(table, asking.table.name) for table in peer.tables)]

    def _counts_for(self, table: str, asking: str) -> bool:
        group = self._group_of(table)
        return table == asking or group == "all" or group == "beyond" == self._group_of(asking)

    def run_seconds(self, reference: Reference, asking: Study) -> tuple[tuple[str, ...], float]:
        """The signatures of a cell's finished runs, and how long one takes on average."""
        study = self._study(reference.table or asking.table.name, asking)
        results, _ = self._results(study, reference.key, 0)
        return tuple(results), _seconds(results)

    def _read_peers(self, asking: Study) -> Iterator[tuple[tuple[object, ...], Peer]]:
        for study in self._studies.values():
            if (study.profile, study.overrides) != (asking.profile, asking.overrides):
                continue
            metrics = {column.key: column.metric for column in study.table.columns}
            for key in dict.fromkeys(cell.key for cell in study.cells if cell.signature):
                results, _ = self._results(study, key, 0)
                first = dict(list(results.items())[:FIRST])
                if len(first) < FIRST:
                    continue
                data = {self.store.run(run).environment().data_id for run in first}
                scores = self._scores(first, metrics[key.column])
                if len(data) == 1 and np.isfinite(scores).all():
                    group = (data.pop(), metrics[key.column], study.seeds[:FIRST])
                    yield group, Peer(tuple(first), scores, frozenset([study.table.name]))

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

    def _results(self, study: Study, key: CellKey, fewest: int) -> tuple[dict[str, RunResult], str]:
        """The results of a cell by signature, seed by seed up to the first that is missing, and why that is.

        Raises:
            Untestable: there is no such cell, or not so many seeds of it.
        """
        cells = self._cells_of(study).get(key)
        if not cells:
            raise Untestable(_absent(study, key))
        if cells[0].reason:
            raise Untestable(f"{key} is n/a: {cells[0].reason}")
        if len(study.seeds) < fewest:
            raise Untestable(_too_few(len(study.seeds)))
        if (study.name, key) not in self._done:
            self._done[study.name, key] = self._first(study, cells)
        results, missing = self._done[study.name, key]
        if len(results) < fewest:
            raise Untestable(missing)
        return results, missing

    def _cells_of(self, study: Study) -> dict[CellKey, list[StudyCell]]:
        if study.name not in self._by_key:
            found: dict[CellKey, list[StudyCell]] = {}
            for cell in study.cells:
                found.setdefault(cell.key, []).append(cell)
            self._by_key[study.name] = found
        return self._by_key[study.name]

    def _first(self, study: Study, cells: Sequence[StudyCell]) -> tuple[dict[str, RunResult], str]:
        runs = {cell.seed: self.store.run(cell.signature or "") for cell in cells}
        results: dict[str, RunResult] = {}
        for seed in study.seeds:
            run = runs.get(seed)
            if run is None or (result := self._result(run)) is None:
                return results, self._missing(study, cells[0].key, runs)
            results[run.signature] = result
        return results, ""

    def _missing(self, study: Study, key: CellKey, runs: Mapping[int, Run]) -> str:
        states = {seed: run.state() for seed, run in runs.items() if self._result(run) is None}
        texts = [f"seed {s} {'was never run' if state == 'new' else f'is {state}'}" for s, state in states.items()]
        more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
        gap = next((i for i, seed in enumerate(study.seeds) if seed in states or seed not in runs), 0)
        later = [str(seed) for seed in study.seeds[gap:] if seed in runs and seed not in states]
        unused = f"; {UNUSED} {', '.join(later)}" if later else ""
        return f"{key}: {', '.join(texts[:3]) or 'seeds are missing'}{more}{unused} ({study.table.name})"

    def _measured(
        self, study: Study, results: Mapping[str, RunResult], metric: str, key: CellKey, missing: str, fewest: int
    ) -> CellScores:
        moved: list[Floats] = []
        images = ""
        for result in results.values():
            try:
                influence, its_images = self._influences(result, metric, key)
                if moved and its_images != images:
                    raise Untestable(f"the seeds of {key} were not scored on the same images")
            except Untestable as reason:
                if len(moved) < fewest:
                    raise
                missing = str(reason)
                break
            images = its_images
            moved.append(influence)
        whole = dict(list(results.items())[: len(moved)])
        return CellScores(
            runs=tuple(whole),
            seeds=study.seeds[: len(whole)],
            scores=self._scores(whole, metric),
            influences=100 * np.stack(moved),
            metric=metric,
            images=images,
            missing=missing,
            seconds=_seconds(whole),
            data=self.store.run(next(iter(whole))).environment().data_id,
        )

    def _result(self, run: Run) -> RunResult | None:
        if run not in self._read:
            self._read[run] = run.believed_result()
        return self._read[run]

    def _scores(self, results: Mapping[str, RunResult], metric: str) -> Floats:
        """Percent; nan where undefined, as for the class that a run's data lacks."""
        return 100 * np.array([score(self.store.run(run), result, metric) for run, result in results.items()])

    def _influences(self, result: RunResult, metric: str, key: CellKey) -> tuple[Floats, str]:
        """What each image moves, a fraction, and which images they are."""
        confusions, images = self._confusions(result.signature)
        try:
            return influences(metric, confusions, list(result.classes), result.class_mean), images
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


def _too_few(seeds: int) -> str:
    if seeds == 1:
        return f"one seed does not tell an effect from chance: `--seeds {FIRST}`"
    return f"{seeds} seeds are fewer than the {FIRST} of the first look: `--seeds {FIRST}`"


def _seconds(results: Mapping[str, RunResult]) -> float:
    taken = [result.train_seconds + result.evaluate_seconds for result in results.values()]
    return sum(taken) / len(taken) if taken else 0.0


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
