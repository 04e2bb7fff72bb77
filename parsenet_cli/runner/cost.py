"""How long runs will take and how much disk they will need, from runs of the same kind that are done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from statistics import mean
from typing import NamedTuple, TypeVar

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import is_plain
from parsenet_cli.core.run_config import RunConfig, Science
from parsenet_cli.models import trunks
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Store

T = TypeVar("T", int, float)

RUN_BYTES = 60_000
"""Of a finished run without a model, where none is done: measured under the profile quick."""


class CostKey(NamedTuple):
    """Runs that take about equally long per step.

    Attributes:
        data: Their identity; the data set's name, where it is not here.
    """

    data: str
    trunk: str
    body: str
    pad100: bool
    batch: int
    layers: int

    @classmethod
    def of(cls, science: Science) -> CostKey:
        """The kind of a run."""
        return cls(
            science.data_id or science.data,
            *(science.trunk, science.body, science.pad100, science.recipe.images, len(science.layers)),
        )

    def near(self, other: CostKey) -> bool:
        """Whether the other is of the same data with the same body; data that are not here are known by their name."""
        same = other.data == self.data or other.data.partition(":")[0] == self.data
        return same and (other.trunk, other.body) == (self.trunk, self.body)


class CostModel:
    """Measured seconds per step and of the evaluation, and parameters of each kind, and bytes per run, from a store's results."""

    def __init__(self, store: Store) -> None:
        per_step: dict[CostKey, list[float]] = defaultdict(list)
        evaluation: dict[CostKey, list[float]] = defaultdict(list)
        self.parameters: dict[CostKey, int] = {}
        self._gpu_mb: dict[CostKey, float] = {}
        self._bytes: list[int] = []
        for run in store.runs():
            result = run.result()
            if result is None:
                continue
            try:
                kind = CostKey.of(run.config().science)
            except UserError:  # damaged, or another version's: nothing to learn from, and no reason to stop
                continue
            self._learn_memory(kind, result)
            if result.outcome != "converged":
                continue
            per_step[kind].append(result.seconds_per_step)
            evaluation[kind].append(result.evaluate_seconds)
            with suppress(OSError):
                files = [file for file in run.folder.iterdir() if is_plain(file) and file != run.model_file]
                self._bytes.append(sum(file.lstat().st_size for file in files))
            if result.parameters is not None:
                self.parameters[kind] = result.parameters
        self.per_step = {kind: mean(values) for kind, values in per_step.items()}
        self._evaluation = {kind: mean(values) for kind, values in evaluation.items()}

    def learn(self, science: Science, result: RunResult) -> None:
        """A run has just been done; its time counts for more than that of earlier ones."""
        self.add(science, result.seconds_per_step)
        self._evaluation[CostKey.of(science)] = result.evaluate_seconds
        self._learn_memory(CostKey.of(science), result)

    def add(self, science: Science, seconds_per_step: float) -> None:
        """A measurement of another origin, such as a probe."""
        self.per_step[CostKey.of(science)] = seconds_per_step

    def _learn_memory(self, kind: CostKey, result: RunResult) -> None:
        if result.gpu_mb is not None:
            self._gpu_mb[kind] = max(result.gpu_mb, self._gpu_mb.get(kind, 0.0))

    def gpu_mb(self, science: Science) -> float | None:
        """The most memory that a run of this kind has taken on a GPU, in MB; None where none was measured."""
        return self._gpu_mb.get(CostKey.of(science))

    def seconds(self, science: Science) -> float | None:
        """Expected seconds of a run, its training and then its evaluation; None where no run like it was measured."""
        per_step = _nearest(self.per_step, science, mean)
        return None if per_step is None else per_step * science.recipe.steps + self.evaluation_seconds(science)

    def evaluation_seconds(self, science: Science) -> float:
        """Expected seconds of a run's evaluation, which takes as long after few steps as after many; 0 where none is known."""
        return _nearest(self._evaluation, science, mean) or 0.0

    def total_seconds(self, runs: Iterable[Science], slots: int) -> float | None:
        """Expected wall-clock of several runs on `slots`; None when one of them cannot be told."""
        seconds = [self.seconds(science) for science in runs]
        known = [value for value in seconds if value is not None]
        return sum(known) / slots if len(known) == len(seconds) else None

    def weights_count(self, science: Science) -> int | None:
        """The numbers that a network holds, measured or, its head apart, declared by its trunk; None where neither is known."""
        measured = _nearest(self.parameters, science, max)
        return measured or trunks.find(science.trunk).weights_count(science.body, science.deeplab_kernel)

    def total_bytes(self, runs: Iterable[RunConfig]) -> float | None:
        """Expected size on disk of several finished runs, with the models that are to be kept; None when it cannot be told."""
        total, files = 0.0, mean(self._bytes) if self._bytes else RUN_BYTES
        for config in runs:
            model = self.weights_count(config.science) if config.runtime.keep_model else 0
            if model is None:
                return None
            total += files + 4 * model
        return total

    def checkpoint_bytes(self, runs: Iterable[RunConfig], slots: int) -> float | None:
        """The most that the checkpoints of `slots` of these runs take while they are at work; None when it cannot be told.

        Each has weights and momentum; the last two are kept, and a third is written before the first of them goes.
        """
        counts = [self.weights_count(config.science) for config in runs]
        known = sorted(count for count in counts if count is not None)
        return 3 * 8 * float(sum(known[-slots:])) if len(known) == len(counts) else None


def _nearest(measured: Mapping[CostKey, T], science: Science, of: Callable[[list[T]], T]) -> T | None:
    """What was measured of runs of its kind, or else one value `of` those on the same data with the same trunk and body."""
    kind = CostKey.of(science)
    near = [value for other, value in measured.items() if kind.near(other)]
    return measured.get(kind) or (of(near) if near else None)
