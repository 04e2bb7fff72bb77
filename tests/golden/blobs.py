"""What our network computes on the way, under the names of Caffe's blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

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

    def watch(register: Callable[..., RemovableHandle], blob: str, pick: Callable[[Any], Tensor]) -> None:
        """Keep what a hook is handed last: a module's result, or its inputs before it has one."""
        handles.append(register(lambda *handed: blobs.update({blob: pick(handed[-1]).detach().clone()})))

    for name in nets.convolutions(case):
        rectifier = f"relu{name.removeprefix('conv').removeprefix('fc')}"
        if f"act/{name}" in case.arrays:
            watch(model.trunk.get_submodule(rectifier).register_forward_hook, name, _itself)
    for name, layer in nets.norms(case).items():
        watch(model.head.norms[layer].register_forward_hook, name, _itself)
    if model.head.context:
        watch(model.head.context.register_forward_hook, "pool6", lambda levels: levels[0])
    skips = model.head.skips
    if skips:
        for register, blob, pick in _on_the_way_up(case, skips):
            watch(register, blob, pick)
    else:
        before = model.head.upsample.register_forward_pre_hook
        watch(before, "score" if "act/score" in case.arrays else "score_fr", _scores)
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


def _on_the_way_up(
    case: Case, skips: Skips
) -> list[tuple[Callable[..., RemovableHandle], str, Callable[[Any], Tensor]]]:
    """FCN-8s: ours keep the whole grid of a pool, Caffe's are cropped to what the coarser map covers."""

    def cropped(blob: str, crop: str) -> Callable[[Tensor], Tensor]:
        first = nets.layers(case)[crop]["offset"][0]
        cells = case.arrays[f"act/{blob}"].shape[2]
        return lambda z: z[:, :, first : first + cells, first : first + cells]

    fuse_pool4, fuse_pool3 = cropped("fuse_pool4", "score_pool4c"), cropped("fuse_pool3", "score_pool3c")
    pool4, pool3 = skips.steps["pool4"], skips.steps["pool3"]
    return [
        (pool4.register_forward_pre_hook, "score_fr", _scores),
        (pool4.register_forward_hook, "upscore2", cropped("upscore2", "score_pool4c")),
        (pool3.register_forward_pre_hook, "fuse_pool4", lambda inputs: fuse_pool4(_scores(inputs))),
        (skips.register_forward_hook, "fuse_pool3", lambda result: fuse_pool3(result[1])),
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
