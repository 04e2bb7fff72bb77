"""Steps of a network on random pixels, to know beforehand what it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from statistics import median

import numpy as np
import torch
from torch import Tensor

from parsenet_cli.core.run_config import RunConfig, Science
from parsenet_cli.data import sets
from parsenet_cli.data.dataset import Dataset, Split
from parsenet_cli.engine import arithmetic
from parsenet_cli.engine.device import choose_device
from parsenet_cli.engine.train import Trainer
from parsenet_cli.models.build import build_model

STEPS = 3


class Probe:
    """A network that can train and infer without data and weights: both are drawn.

    Args:
        config: the run that it would be. On a CPU the images of a step go one after the other, which takes as long and does
            not fill the memory.
        shape: number of classes, height and width of the images; `shape_of` if None.
    """

    def __init__(self, config: RunConfig, shape: tuple[int, int, int] | None = None) -> None:
        classes, height, width = self.shape = shape or shape_of(config.science)
        self.device = choose_device(config.runtime.device)
        if self.device.type == "cpu":
            config = config.model_copy(update={"runtime": config.runtime.model_copy(update={"micro_batch": 1})})
        pixels = np.random.default_rng(0).integers(0, classes, 4 * height * width, np.uint8)
        split = Split(("random",), pixels, [0], [(height, width)])
        dataset = Dataset(tuple(str(i) for i in range(classes)), 255, split, split)
        self.model = build_model(config.science, classes, None).to(self.device)
        self.trainer = Trainer(config, self.model, dataset, self.device)
        self._set_arithmetic = partial(
            arithmetic.set_arithmetic, config.science.precision, self.device, deterministic=config.runtime.deterministic
        )
        self._set_arithmetic()
        self.precision = config.science.precision
        image = np.random.default_rng(1).integers(0, 256, (1, height, width, 3), np.uint8)
        self.image = torch.from_numpy(image).permute(0, 3, 1, 2).to(self.device)

    def step(self) -> None:
        """Forward, backward and update of the recipe's images."""
        self._set_arithmetic()  # others that take turns with it may have another
        self.model.train()
        self.trainer.step(0)
        self.wait()

    def infer(self) -> None:
        """From one image to its logits."""
        self._set_arithmetic()
        self.model.eval()
        with torch.inference_mode(), arithmetic.autocast(self.precision, self.device):
            self.model(self.image)
        self.wait()

    @property
    def velocities(self) -> Iterable[Tensor]:
        """What the optimiser keeps."""
        return self.trainer.optimizer.state_dict().values()

    def wait(self) -> None:
        """Until the device has done what it was given to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def shape_of(science: Science) -> tuple[int, int, int]:
    """The number of classes, and the height and width of what a run trains on: its crop, or a usual image of its data."""
    classes, height, width = sets.usual(science.data)
    classes = len(science.classes) if science.classes else classes
    return (classes, science.recipe.crop or height, science.recipe.crop or width)


def take_turns(variants: Sequence[Callable[[], None]], rounds: int, tries: int = 1) -> list[list[float]]:
    """Milliseconds of each variant, round by round: the fastest of some tries. A first round is thrown away.

    They take turns, so that a busy machine slows all of them, and every second round goes the other way.
    """
    times: list[list[float]] = [[] for _ in variants]
    for turn in range(rounds + 1):
        for variant, spent in list(zip(variants, times, strict=True))[:: 1 if turn % 2 else -1]:
            spent.append(min(_milliseconds(variant) for _ in range(tries)))
    return [spent[1:] for spent in times]


def _milliseconds(variant: Callable[[], None]) -> float:
    started = time.perf_counter()
    variant()
    return 1e3 * (time.perf_counter() - started)


def seconds_per_step(config: RunConfig, threads: int) -> float:
    """Median seconds of a step on `threads` threads. Needs neither data nor weights."""
    torch.set_num_threads(threads)
    (times,) = take_turns([Probe(config).step], STEPS)
    return median(times) / 1e3


def parameters(science: Science) -> int:
    """Numbers that a kept model of such a run holds."""
    return sum(tensor.numel() for tensor in build_model(science, shape_of(science)[0], None).state_dict().values())
