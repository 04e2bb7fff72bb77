"""A network that is looked at rather than trained, with validation pictures to show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parsenet_cli.config.compose import Composer
from parsenet_cli.config.profile import Profile
from parsenet_cli.core.run_config import RunConfig, Science
from parsenet_cli.core.text import Progress
from parsenet_cli.data import sets
from parsenet_cli.data.dataset import Split
from parsenet_cli.engine import inputs
from parsenet_cli.engine.train import choose_device
from parsenet_cli.engine.trained_model import load_model
from parsenet_cli.models import trunks
from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.store.run import Run

EVERY_LAYER = ("layers=[pool6,fc7,conv5,conv4,conv3]",)
"""What a network without a run reads, unless overrides say otherwise: all that the paper's heads read."""


@dataclass(frozen=True)
class LoadedNetwork:
    """A network in evaluation mode on its device, and what it is."""

    model: Segmenter
    val: Split
    science: Science
    run: str | None
    """The run whose training it went through; None for the trunk's initial weights."""
    device: torch.device

    @property
    def about(self) -> dict[str, Any]:
        """What a measurement was made on, as JSON values."""
        science = self.science
        return {
            "data": science.data,
            "data_id": science.data_id,
            "trunk": science.trunk,
            "body": science.body,
            "weights": science.weights,
            "norm": science.norm,
            "seed": science.seed,
            "run": self.run,
            "stands_for": dict(trunks.find(science.trunk).layers),
        }

    def sample(self, number: int) -> list[int]:
        """The indices of at most `number` validation pictures, spread evenly over the list."""
        number = min(number, len(self.val))
        return [int(i) for i in np.linspace(0, len(self.val) - 1, number).round()]

    def image(self, i: int) -> Tensor:
        """Validation picture i as the network takes it: uint8 (1, 3, H, W) on the device."""
        return torch.from_numpy(self.val.image(i).copy()).permute(2, 0, 1)[None].to(self.device)


def of_profile(profile: Profile, overrides: Sequence[str], cache: Path, progress: Progress) -> LoadedNetwork:
    """The network a run would start from. Raises `UserError` for wrong overrides and for missing data or weights."""
    composer = Composer(profile, overrides, cache)
    config = composer.run_config(EVERY_LAYER)
    composer.save()
    dataset = inputs.data(config, cache, progress)
    weights = inputs.weights(config, cache, torch.get_num_threads(), progress)
    mean = sets.published_mean(config.science.data) if config.science.input_mean == "data" else None
    return _loaded(build_model(config.science, len(dataset.classes), weights, mean), dataset.val, config, None)


def from_run(run: Run, cache: Path, progress: Progress) -> LoadedNetwork:
    """The network a run ended with. Raises `UserError` where its model was not kept or its data is missing."""
    model, _ = load_model(run)
    config = run.config()
    return _loaded(model, inputs.data(config, cache, progress).val, config, run.signature)


def _loaded(model: Segmenter, val: Split, config: RunConfig, run: str | None) -> LoadedNetwork:
    device = choose_device(config.runtime.device)
    return LoadedNetwork(model.eval().to(device), val, config.science, run, device)
