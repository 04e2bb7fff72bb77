"""A few steps of a run on random pixels, to know beforehand what it will take."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from parsenet_cli.core.run_config import RunConfig, Science
from parsenet_cli.data.dataset import Dataset, Split
from parsenet_cli.engine.device import choose_device
from parsenet_cli.engine.train import Trainer
from parsenet_cli.models.build import build_model

STEPS = 3
WHOLE_IMAGE = (375, 500)
"""Height and width that stand for a whole image where the recipe does not crop: most images of VOC."""
CLASSES = 21


def seconds_per_step(config: RunConfig, threads: int, cache: Path) -> float:
    """Median seconds of a step on `threads` threads, after one to warm up.

    Needs neither data nor weights, and leaves `cache` alone. On a CPU the images of a step go one after the other, which
    takes as long and does not fill the memory.
    """
    torch.set_num_threads(threads)
    crop = config.science.recipe.crop
    height, width = (crop, crop) if crop else WHOLE_IMAGE
    pixels = np.random.default_rng(0).integers(0, CLASSES, 4 * height * width, np.uint8)
    split = Split(("random",), pixels, [0], [(height, width)])
    device = choose_device(config.runtime.device)
    if device.type == "cpu":
        config = config.model_copy(update={"runtime": config.runtime.model_copy(update={"micro_batch": 1})})
    model = build_model(config.science, CLASSES, None).to(device)
    trainer = Trainer(config, model, Dataset(tuple(str(i) for i in range(CLASSES)), 255, split, split), device)
    model.train()
    seconds = []
    for step in range(STEPS + 1):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        trainer.step(step)
        seconds.append(time.perf_counter() - started)
    return median(seconds[1:])


def parameters(science: Science) -> int:
    """Numbers that a kept model of such a run holds."""
    return sum(tensor.numel() for tensor in build_model(science, CLASSES, None).state_dict().values())
