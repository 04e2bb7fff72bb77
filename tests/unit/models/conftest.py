"""A `Science` built without configuration files, so that no test depends on the shipped defaults, and files of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from parsenet_cli.core.run_config import Recipe, Science
from parsenet_cli.models.trunks import vgg_tiny
from tests.weight_layouts import caffemodel, full_tensors

TINY = full_tensors(vgg_tiny.SPEC)
"""Weights of trunk `vgg_tiny`, body `fcn`."""

RECIPE: dict[str, Any] = {
    "policy": "poly", "lr": 1e-9, "power": 0.9, "step": None, "step_factor": 0.1, "momentum": 0.9, "weight_decay": 5e-4,
    "iterations": 10, "length": 1, "batch": 1, "iter_size": 1, "loss": "sum", "crop": None, "mirror": False,
    "sampling": "shuffle", "head_lr": (1, 2), "trunk_lr": (1, 2), "dropout": 0.0,
}  # fmt: skip
SCIENCE: dict[str, Any] = {
    "data": "voc12", "data_id": "", "classes": None, "train_split": "train_aug", "class_mean": "present",
    "trunk": "vgg_tiny", "body": "fcn", "deeplab_kernel": 4, "pad100": False, "fc6_pad": "same", "layers": ("fc7",),
    "skips": "none", "skip_training": "at_once", "context": "global", "context_bins": (1, 2, 4),
    "spp_geometry": "caffe", "context_source": "after_dropout", "context_dropout": 0.0, "norm": "none",
    "norm_scale": 10.0, "norm_learn": True, "norm_decay": 0.0, "norm_gradient": "exact", "norm_shared": False,
    "norm_across_space": False, "fusion": "early", "mix": "concat", "mix_width": 12, "align": "native",
    "upsample": "bilinear", "init": "xavier", "weights": "none", "seed": 0, "precision": "float32",
}  # fmt: skip


def make_science(*, dropout: float = 0.0, **axes: Any) -> Science:
    """`make_science(body="reduced", dropout=0.5)`: the plain thin FCN, with these axes changed."""
    return Science(**{**SCIENCE, **axes}, recipe=Recipe(**{**RECIPE, "dropout": dropout}))


def save_tensors(tensors: Mapping[str, Tensor], file: Path) -> Path:
    """Write them in the format that the name's suffix stands for."""
    if file.suffix == ".caffemodel":
        file.write_bytes(caffemodel(tensors, old=file.name.startswith("old")))
    elif file.suffix == ".safetensors":
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, file)
    else:
        torch.save(dict(tensors), file)
    return file


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)
