"""What runs share and is made once: the decoded data set and the trunk's initial weights."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import torch

from parsenet_cli import weights_files
from parsenet_cli.config import RunConfig
from parsenet_cli.data.dataset import Dataset
from parsenet_cli.errors import unknown
from parsenet_cli.identity import check_data, check_weights, data_options
from parsenet_cli.models import sources, trunks
from parsenet_cli.models.weights import Weights, load

Progress = Callable[[str], None]
"""Told in words how far it is."""


def data(config: RunConfig, cache: Path, progress: Progress) -> Dataset:
    """The run's data set, generated where it is a generated one and decoded once into the memory-mapped cache.

    Raises `UserError` where it is missing or incomplete, or no longer what the run was planned with.
    """
    check_data(config, cache, progress)
    module = importlib.import_module(f"parsenet_cli.data.{config.science.data}")
    dataset: Dataset = module.open_dataset(data_options(config, cache), progress)
    return dataset


def weights(config: RunConfig, cache: Path, threads: int, progress: Progress) -> Weights | None:
    """The trunk's initial weights, pretrained or downloaded on first use; None to start from random ones."""
    name, trunk = config.science.weights, config.science.trunk
    if name == "none":
        return None
    if name in trunks.find(trunk).SOURCES:
        return load(weights_files.get(trunk, name, cache / "weights", progress))
    if name.startswith("pretrained"):
        from parsenet_cli.engine.pretrain import pretrain

        torch.set_num_threads(threads)
        return load(pretrain(trunk, cache, progress))
    if config.runtime.weights_file is None:
        raise unknown(f"source of weights for trunk {trunk}", name, sources.choices(trunks.find(trunk)))
    file = Path(config.runtime.weights_file)
    if file.is_file():
        check_weights(file, name)
    return load(file)
