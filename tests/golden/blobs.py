"""What our network computes on the way, under the names of Caffe's blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from parsenet_cli.models.build import Segmenter
from parsenet_cli.models.classifier import BranchClassifiers, JointClassifier, classify
from parsenet_cli.models.skips import Skips
from tests.golden import nets
from tests.golden.vectors import Case

Blobs = dict[str, Tensor]

INNER = {"fuse_pool3": (..., slice(2, -2), slice(2, -2))}
"""Blobs that are compared without their rim of two cells: Caffe has cropped pool4's scores before it upsamples them, ours
go on beyond, and so the rim is filled otherwise. The image is cropped from well inside."""


@contextmanager
def watched(model: Segmenter, case: Case) -> Iterator[Blobs]:
    """The recorded blobs, filled by the forward pass inside the `with`."""
    blobs: Blobs = {}
    handles = []

    def after(module: nn.Module, blob: str, pick: Callable[[Any], Tensor]) -> None:
        handles.append(
            module.register_forward_hook(lambda _m, _i, out: blobs.update({blob: pick(out).detach().clone()}))
        )

    def before(module: nn.Module, blob: str, pick: Callable[[Any], Tensor]) -> None:
        handles.append(
            module.register_forward_pre_hook(lambda _m, inp: blobs.update({blob: pick(inp).detach().clone()}))
        )

    for name in nets.convolutions(case):
        rectifier = f"relu{name.removeprefix('conv').removeprefix('fc')}"
        if f"act/{name}" in case.arrays:
            after(model.trunk.get_submodule(rectifier), name, _itself)
    for name, layer in nets.norms(case).items():
        after(model.head.norms[layer], name, _itself)
    if model.head.context:
        after(model.head.context, "pool6", lambda levels: levels[0])
    skips = model.head.skips
    if skips:
        for blob, watch, module, pick in _on_the_way_up(case, skips):
            (before if watch == "before" else after)(module, blob, pick)
    else:
        before(model.head.upsample, "score" if "act/score" in case.arrays else "score_fr", _scores)
    try:
        yield blobs
    finally:
        for handle in handles:
            handle.remove()


def _itself(value: Tensor) -> Tensor:
    return value


def _scores(inputs: tuple[Any, ...]) -> Tensor:
    """The only map that is handed to an upsampling."""
    (scores,) = inputs[0].values()
    assert isinstance(scores, Tensor)
    return scores


def _on_the_way_up(case: Case, skips: Skips) -> list[tuple[str, str, nn.Module, Callable[[Any], Tensor]]]:
    """FCN-8s: ours keep the whole grid of a pool, Caffe's are cropped to what the coarser map covers."""

    def cropped(blob: str, crop: str) -> Callable[[Tensor], Tensor]:
        first = nets.layers(case)[crop]["offset"][0]
        cells = case.arrays[f"act/{blob}"].shape[2]
        return lambda z: z[:, :, first : first + cells, first : first + cells]

    upscore2, fuse_pool4, fuse_pool3 = (
        cropped("upscore2", "score_pool4c"),
        cropped("fuse_pool4", "score_pool4c"),
        cropped("fuse_pool3", "score_pool3c"),
    )
    return [
        ("score_fr", "before", skips.steps["pool4"], _scores),
        ("upscore2", "after", skips.steps["pool4"], upscore2),
        ("fuse_pool4", "before", skips.steps["pool3"], lambda inputs: fuse_pool4(_scores(inputs))),
        ("fuse_pool3", "after", skips, lambda result: fuse_pool3(result[1])),
    ]


@torch.no_grad()
def branch_scores(model: Segmenter, case: Case, data: Tensor) -> Blobs:
    """Late fusion: the scores of each branch with its own bias; ours are added up before the biases are."""
    if not isinstance(model.head.classifier, BranchClassifiers):
        return {}
    names: list[str] = list(model.head.layers)
    features = dict(zip(names, model.head.features(model.trunk(data, model.head.wanted)), strict=True))
    found = {}
    for name, (layer,) in nets.classifiers(case).items():
        joint = model.head.classifier.branches[layer]
        assert isinstance(joint, JointClassifier)
        ((_, scores),) = classify([features[layer]], [joint.weight]).items()
        # The scores of pool6 are the same in every cell; Caffe's blob is the one cell that is repeated.
        height, width = case.arrays[f"act/{name}"].shape[2:]
        found[name] = (scores + joint.bias.view(1, -1, 1, 1))[:, :, :height, :width]
    return found
