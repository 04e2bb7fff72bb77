"""A network that is looked at rather than trained, with validation images to show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsenet_cli.core.run_config import RunConfig, Science
from parsenet_cli.core.text import Progress
from parsenet_cli.data.dataset import Split
from parsenet_cli.engine import arithmetic, inputs
from parsenet_cli.engine.device import choose_device
from parsenet_cli.engine.trained_model import load_model
from parsenet_cli.models import trunks
from parsenet_cli.models.build import Segmenter
from parsenet_cli.store.run import Run

Floats = npt.NDArray[np.float64]

EVERY_LAYER = ("layers=[pool6,fc7,conv5,conv4,conv3]",)
"""What a network without a run reads, unless overrides say otherwise: all that the paper's heads read."""


@dataclass(frozen=True)
class LoadedNetwork:
    """A network in evaluation mode on its device, and what it is.

    It is looked at in IEEE float32 whatever it was trained in: a change of an activation can be smaller than what bfloat16 shows.

    Attributes:
        run: The run whose training it went through; None for the trunk's initial weights.
        progress: Of measurements on it.
    """

    model: Segmenter
    val: Split
    science: Science
    run: str | None
    device: torch.device
    progress: Progress

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
        """The indices of at most `number` validation images, spread evenly over the list."""
        number = min(number, len(self.val))
        return [int(i) for i in np.linspace(0, len(self.val) - 1, number).round()]

    def image(self, i: int) -> Tensor:
        """Validation image i as the network takes it: uint8 (1, 3, H, W) on the device."""
        return torch.from_numpy(self.val.image(i).copy()).permute(2, 0, 1)[None].to(self.device)

    def features(self, i: int, layers: Sequence[str]) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Layer -> (C, h, w) of validation image i, as the trunk gives it, and as the head's norms make it.

        `pool6`, the global average of what the head's context reads, is among them.
        """
        model, source = self.model, self.model.head.context_source
        with torch.inference_mode():
            taps = model.trunk(model.preprocess(self.image(i)), {*layers, source, *model.head.wanted})
            maps = {layer: taps[layer] for layer in layers} | {"pool6": taps[source].mean((2, 3), keepdim=True)}
            branches = zip(model.head.branches, model.head.features(taps), strict=True) if len(model.head.norms) else ()
            normalized = {name: branch.values for name, branch in branches if name in maps and name in model.head.norms}
        return _arrays(maps), _arrays(normalized)


def from_config(config: RunConfig, cache: Path, progress: Progress) -> LoadedNetwork:
    """The network a run would start from. Raises `UserError` for missing data or weights."""
    dataset, model = inputs.data_and_network(config, cache, torch.get_num_threads(), progress)
    return _loaded(model, dataset.val, config, None, progress)


def from_run(run: Run, cache: Path, progress: Progress) -> LoadedNetwork:
    """The network a run ended with. Raises `UserError` where its model was not kept or its data is missing."""
    model, _ = load_model(run)
    config = run.config()
    return _loaded(model, inputs.data(config, cache, progress).val, config, run.signature, progress)


def _loaded(model: Segmenter, val: Split, config: RunConfig, run: str | None, progress: Progress) -> LoadedNetwork:
    device = choose_device(config.runtime.device)
    arithmetic.set_arithmetic("float32", device)
    return LoadedNetwork(model.eval().to(device), val, config.science, run, device, progress)


def _arrays(maps: Mapping[str, Tensor]) -> dict[str, Floats]:
    return {layer: values[0].double().cpu().numpy() for layer, values in maps.items()}
