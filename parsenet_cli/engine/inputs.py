"""What runs share and is made once: the decoded data set and the trunk's initial weights."""

from __future__ import annotations

from pathlib import Path

import torch

from parsenet_cli.config.identity import data_options, of_file
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import sha256_of
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import Progress
from parsenet_cli.data import sets
from parsenet_cli.data.dataset import Dataset
from parsenet_cli.models import trunks
from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.models.weights import convert, sources
from parsenet_cli.models.weights.read import Weights, load


def check_weights(file: Path, identity: str) -> None:
    """Raises `UserError` where a file of weights is not, or is no longer, what a run was planned with."""
    if of_file(sha256_of(file)) != identity:
        raise UserError(
            f"weights={file}: its content is not the one that the run was planned with ({identity}): it was changed or "
            "damaged since. Restore it; or, if the change is meant, issue the command again, which plans another run"
        )


def check_data(config: RunConfig, cache: Path, progress: Progress) -> None:
    """Raises `UserError` where the data is not, or is no longer, what a run was planned with."""
    options = data_options(config, cache)
    found = sets.find(config.science.data).identity(options, progress)
    if found != config.science.data_id:
        raise UserError(
            f"data={config.science.data}{f' in {options.root}' if options.root else ''}: it is {found} and the run was planned "
            f"with {config.science.data_id}: files were changed, damaged or added since. Restore them; or, if the change is "
            "meant, issue the command again, which plans another run"
        )


def data(config: RunConfig, cache: Path, progress: Progress) -> Dataset:
    """The run's data set, generated where it is a generated one and decoded once into the memory-mapped cache.

    Raises `UserError` where it is missing or incomplete, or no longer what the run was planned with.
    """
    check_data(config, cache, progress)
    return sets.find(config.science.data).open_dataset(data_options(config, cache), progress)


def weights(config: RunConfig, cache: Path, threads: int, progress: Progress) -> Weights | None:
    """The trunk's initial weights, pretrained or downloaded on first use; None to start from random ones."""
    name, trunk = config.science.weights, config.science.trunk
    if name == "none":
        return None
    if name in trunks.find(trunk).sources:
        return load(convert.get_weights(trunk, name, cache / "weights", progress))
    if name.startswith("pretrained"):
        from parsenet_cli.engine.pretrain import pretrain_trunk

        torch.set_num_threads(threads)
        return load(pretrain_trunk(trunk, cache, progress))
    if config.runtime.weights_file is None:
        raise unknown(f"source of weights for trunk {trunk}", name, sources.choices(trunks.find(trunk)))
    file = Path(config.runtime.weights_file)
    if file.is_file():
        check_weights(file, name)
    return load(file)


def data_and_network(config: RunConfig, cache: Path, threads: int, progress: Progress) -> tuple[Dataset, Segmenter]:
    """The data set of a run and its network as the training begins.

    Raises:
        UserError: what `data` and `weights` raise; the network cannot be built, the weights are not its trunk's, or no mean
            is published for the data that asks for it.
    """
    dataset, initial = data(config, cache, progress), weights(config, cache, threads, progress)
    if reason := sets.unpublished_mean(config.science):
        raise UserError(reason)
    mean = sets.published_mean(config.science.data)
    return dataset, build_model(config.science, len(dataset.classes), initial, mean)
