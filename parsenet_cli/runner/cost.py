"""How long runs will take and how much disk they will need, from runs of the same kind that are done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from statistics import mean
from typing import Literal, NamedTuple

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import is_plain
from parsenet_cli.core.run_config import Precision, RunConfig, Science
from parsenet_cli.models import trunks
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Store

RUN_BYTES = 60_000
"""Of a finished run without a model, where none is done: measured under the profile quick."""


Device = Literal["cpu", "cuda"]


class CostKey(NamedTuple):
    """Runs that take about equally long per step.

    Attributes:
        data: Their identity; the data set's name, where it is not here.
        frozen: How many stages of the trunk are not trained.
    """

    data: str
    trunk: str
    body: str
    pad100: bool
    batch: int
    layers: int
    crop: int | None
    frozen: int
    loss_stride: int
    precision: Precision
    device: Device

    @classmethod
    def of(cls, science: Science, device: Device) -> CostKey:
        """The kind of a run on a device."""
        recipe = science.recipe
        return cls(
            science.data_id or science.data,
            *(science.trunk, science.body, science.pad100, recipe.images, len(science.layers)),
            *(recipe.crop, len(recipe.frozen), recipe.loss_stride, science.precision, device),
        )

    def has_network_of(self, other: CostKey) -> bool:
        """Whether the other is of the same data with the same body; data that are not here are known by their name."""
        same = other.data == self.data or other.data.partition(":")[0] == self.data
        return same and (other.trunk, other.body) == (self.trunk, self.body)

    def near(self, other: CostKey) -> bool:
        """Whether the other has this network on the same device in the same arithmetic."""
        return self.has_network_of(other) and (other.precision, other.device) == (self.precision, self.device)


class MemoryKey(NamedTuple):
    """Runs that take about as much of a GPU's memory; the largest that was measured stands for all.

    Attributes:
        batch: Images at a time.
    """

    trunk: str
    body: str
    pad100: bool
    batch: int
    crop: int | None
    precision: Precision

    @classmethod
    def of(cls, config: RunConfig) -> MemoryKey:
        """The kind of a run."""
        science, recipe = config.science, config.science.recipe
        batch = config.runtime.micro_batch or recipe.batch
        return cls(science.trunk, science.body, science.pad100, batch, recipe.crop, science.precision)


class CostModel:
    """Measured seconds per step and of the evaluation, and parameters of each kind, and bytes per run, from a store's results.

    `on_gpu`: whether runs that are still to be done and leave their device open will be given a GPU.
    """

    def __init__(self, store: Store, on_gpu: bool = False) -> None:
        self._on_gpu = on_gpu
        per_step: dict[CostKey, list[float]] = defaultdict(list)
        evaluation: dict[CostKey, list[float]] = defaultdict(list)
        self.parameters: dict[CostKey, int] = {}
        self._gpu_mb: dict[MemoryKey, float] = {}
        self._bytes: list[int] = []
        for run in store.runs():
            result = run.result()
            if result is None:
                continue
            try:
                config = run.config()
            except UserError:  # damaged, or another version's: nothing to learn from, and no reason to stop
                continue
            kind = _kind_of_done(config, result)
            self._learn_memory_of_done(config, result)
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

    def kind(self, config: RunConfig) -> CostKey:
        """The kind of a run that is to be done."""
        device = config.runtime.device
        on_gpu = device == "cuda" or (device == "auto" and self._on_gpu)
        return CostKey.of(config.science, "cuda" if on_gpu else "cpu")

    def learn(self, config: RunConfig, result: RunResult) -> None:
        """A run has just been done; its time counts for more than that of earlier ones."""
        kind = _kind_of_done(config, result)
        self.per_step[kind] = result.seconds_per_step
        self._evaluation[kind] = result.evaluate_seconds
        self._learn_memory_of_done(config, result)

    def add(self, config: RunConfig, seconds_per_step: float) -> None:
        """A measurement of another origin, such as a probe."""
        self.per_step[self.kind(config)] = seconds_per_step

    def _learn_memory_of_done(self, config: RunConfig, result: RunResult) -> None:
        if result.gpu_mb is not None:
            self.learn_memory(config, result.gpu_mb)

    def learn_memory(self, config: RunConfig, gpu_mb: float) -> None:
        """A run takes so much of its GPU's memory, or has taken it."""
        kind = MemoryKey.of(config)
        self._gpu_mb[kind] = max(gpu_mb, self._gpu_mb.get(kind, 0.0))

    def gpu_mb(self, config: RunConfig) -> float | None:
        """The most memory that a run of this kind has taken on a GPU, in MB; None where none was measured."""
        return self._gpu_mb.get(MemoryKey.of(config))

    def seconds(self, config: RunConfig) -> float | None:
        """Expected seconds of a run, its training and then its evaluation; None where no run like it was measured."""
        per_step = self._nearest(self.per_step, config)
        return None if per_step is None else per_step * config.science.recipe.steps + self.evaluation_seconds(config)

    def evaluation_seconds(self, config: RunConfig) -> float:
        """Expected seconds of a run's evaluation, which takes as long after few steps as after many; 0 where none is known."""
        return self._nearest(self._evaluation, config) or 0.0

    def total_seconds(self, runs: Iterable[RunConfig], slots: int) -> float | None:
        """Expected wall-clock of several runs on `slots`; None when one of them cannot be told."""
        seconds = [self.seconds(config) for config in runs]
        known = [value for value in seconds if value is not None]
        return sum(known) / slots if len(known) == len(seconds) else None

    def weights_count(self, config: RunConfig) -> int | None:
        """The numbers that a network holds, measured or, its head apart, declared by its trunk; None where neither is known."""
        kind, science = self.kind(config), config.science
        measured = [number for other, number in self.parameters.items() if kind.has_network_of(other)]
        known = self.parameters.get(kind) or max(measured, default=None)
        return known or trunks.find(science.trunk).weights_count(science.body, science.deeplab_kernel)

    def total_bytes(self, runs: Iterable[RunConfig]) -> float | None:
        """Expected size on disk of several finished runs, with the models that are to be kept; None when it cannot be told."""
        total, files = 0.0, mean(self._bytes) if self._bytes else RUN_BYTES
        for config in runs:
            model = self.weights_count(config) if config.runtime.keep_model else 0
            if model is None:
                return None
            total += files + 4 * model
        return total

    def checkpoint_bytes(self, runs: Iterable[RunConfig], slots: int) -> float | None:
        """The most that the checkpoints of `slots` of these runs take while they are at work; None when it cannot be told.

        Each has weights and momentum; the last two are kept, and a third is written before the first of them goes.
        """
        counts = [self.weights_count(config) for config in runs]
        known = sorted(count for count in counts if count is not None)
        return 3 * 8 * float(sum(known[-slots:])) if len(known) == len(counts) else None

    def _nearest(self, measured: Mapping[CostKey, float], config: RunConfig) -> float | None:
        """What was measured of runs of its kind, or else the mean of those near it."""
        kind = self.kind(config)
        near = [value for other, value in measured.items() if kind.near(other)]
        return measured.get(kind) or (mean(near) if near else None)


def _kind_of_done(config: RunConfig, result: RunResult) -> CostKey:
    """Only on a GPU it says what it took of one."""
    return CostKey.of(config.science, "cpu" if result.gpu_mb is None else "cuda")
