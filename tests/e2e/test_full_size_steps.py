"""Networks of the tables at the full size of VGG-16 take a real optimisation step on the CPU (`make test-slow`)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.run_config import RunConfig, Runtime
from parsenet_cli.data.dataset import IGNORED, Dataset, Split
from parsenet_cli.engine.train import Trainer
from parsenet_cli.models.build import build_model

SIDE = 161
CPU = torch.device("cpu")
RUNTIME = Runtime(
    data_root=None, weights_file=None, device="cpu", micro_batch=None, checkpoint_seconds=30, keep_model=False
)

CELLS = {
    "FCN-32s with the pad of 100": ("table1", "baseline_c", "mean_iu", 60),
    "FCN-8s": ("table4", "fcn8s", "raw", 60),
    "DeepLab 4x4": ("table2", "deeplab_baseline", "mean_iu", 21),
    "DeepLab-LargeFOV": ("table2", "deeplab_largefov", "mean_iu", 21),
    "ParseNet early": ("table6", "pool6_fc7_y_e", "mean_iu", 21),
    "ParseNet late": ("table6", "pool6_fc7_y_l", "mean_iu", 21),
    "ParseNet of five layers": ("table4", "conv3", "norm", 60),
}


def one_image(classes: int) -> Dataset:
    """Random pixels and labels, some of them ignored."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, SIDE * SIDE, np.uint8)
    labels[: 5 * SIDE] = IGNORED
    pixels = [rng.integers(0, 256, 3 * SIDE * SIDE, np.uint8), labels]
    split = Split(("image",), np.concatenate(pixels), [0], [(SIDE, SIDE)])
    return Dataset(tuple(f"class {i}" for i in range(classes)), IGNORED, split, split)


@pytest.mark.slow
@pytest.mark.parametrize(("table", "row", "column", "classes"), CELLS.values(), ids=CELLS)
def test_one_step_moves_every_trained_parameter(cache: Path, table: str, row: str, column: str, classes: int) -> None:
    """By ParseNet's recipe, for DeepLab's cited row too, whose batch of 30 would take a minute.

    The rate is 1e-4: at 1e-9 a single step on random labels changes a scale of 10 by less than float32 can tell from 10.
    """
    (cell,) = table_file.load(table).cells(cited=True, rows=[row], columns=[column])
    composer = Composer(profile.load("paper"), ["weights=none", "recipe=parsenet", "recipe.lr=1e-4"], cache)
    config = RunConfig(science=composer.science(cell.overrides), runtime=RUNTIME)
    model = build_model(config.science, classes, None)
    trainer = Trainer(config, model, one_image(classes), CPU)
    assert "frozen" not in model.roles().values()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    loss = float(trainer.step(0))
    assert math.isfinite(loss)
    assert loss > 0.1 * SIDE * SIDE
    still = [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])]
    assert not still
    assert all(parameter.isfinite().all() for parameter in model.parameters())
