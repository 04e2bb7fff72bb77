"""Early fusion as it is built (classify every map, upsample its scores, add) is the literal construction.

The literal construction brings every layer to one grid, concatenates, and classifies with one 1x1 convolution, bias
included. The grid is the image, unless all layers share theirs (fc7 with its context; in body `reduced` also conv5 and
conv4): then the concatenation stands there, as in the authors' networks, and what it is classified to is upsampled.
Upsampled maps fade towards the rim of the image, so that there alone the place of the bias can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from parsenet_cli.core.run_config import Science
from parsenet_cli.models import trunks
from parsenet_cli.models.classifier import BranchClassifiers, JointClassifier
from parsenet_cli.models.geometry import Grid
from parsenet_cli.models.head import Head
from parsenet_cli.models.trunk import Trunk
from parsenet_cli.models.upsample import Bilinear, Size
from tests.literal_heads import features, normalised
from tests.unit.models.conftest import make_science as science

ORDER = ("pool6", "fc7", "conv5", "conv4", "conv3")
STACKS = [("fc7",), *(ORDER[:depth] for depth in (2, 3, 4, 5))]
"""Those of Tables 3 and 4."""
BODIES = [("fcn", False), ("fcn", True), ("reduced", False), ("deeplab", False), ("largefov", False)]
UPSAMPLE = Bilinear().forward


def drawn(axes: Science, size: Size) -> tuple[Trunk, Head, dict[str, Tensor]]:
    """A head with random biases and unequal scales, and random features such as ReLUs leave for images of `size`."""
    generator = Generator().manual_seed(axes.seed)
    with torch.device("meta"):
        trunk = trunks.find(axes.trunk).build(axes)
    head = Head(axes, 4, trunk, generator)
    for name, parameter in head.named_parameters():
        if not name.endswith("weight"):
            parameter.data.uniform_(0.5, 1.5, generator=generator)
    shapes = trunk(torch.empty(2, 3, *size, device="meta"), head.wanted)
    taps = {name: torch.randn(like.shape, generator=generator).relu_() for name, like in shapes.items()}
    return trunk, head, {name: tap.requires_grad_() for name, tap in taps.items()}


def branches(trunk: Trunk, head: Head, taps: Mapping[str, Tensor]) -> list[tuple[Tensor, Grid]]:
    """The features to be concatenated, each in full on its grid and normalised."""
    return [(normalised(head, name, values), grid) for name, values, grid in features(trunk, head, taps)]


def classifier(head: Head) -> tuple[Tensor, Tensor]:
    """The weight over the concatenation and the bias; late fusion's are put side by side and added up."""
    if isinstance(head.classifier, JointClassifier):
        return head.classifier.weight, head.classifier.bias
    assert isinstance(head.classifier, BranchClassifiers)
    joints = [joint for joint in head.classifier.branches.values() if isinstance(joint, JointClassifier)]
    return torch.cat([joint.weight for joint in joints], dim=1), torch.stack([joint.bias for joint in joints]).sum(0)


def literal(trunk: Trunk, head: Head, taps: Mapping[str, Tensor], size: Size) -> Tensor:
    maps = branches(trunk, head, taps)
    weight, bias = classifier(head)
    grids = {grid for _, grid in maps}
    if len(grids) == 1:
        scores = F.conv2d(torch.cat([values for values, _ in maps], dim=1), weight, bias)
        return UPSAMPLE({grids.pop(): scores}, size)
    return F.conv2d(torch.cat([UPSAMPLE({grid: values}, size) for values, grid in maps], dim=1), weight, bias)


def assert_close(actual: Tensor, expected: Tensor, name: str) -> None:
    """Within 1e-5 of the largest value: some fifty roundings of float32, whose sums run over up to 9 472 channels."""
    difference = (actual - expected).abs().max().item()
    assert difference <= 1e-5 * expected.abs().max().item(), f"{name}: {difference}"


def assert_same(axes: Science, size: Size) -> None:
    """The same scores, and the same gradients of every parameter of the head and of every feature it reads."""
    trunk, head, taps = drawn(axes, size)
    actual, expected = head(taps, size), literal(trunk, head, taps, size)
    assert_close(actual, expected, "scores")
    # A bias's gradient is the sum of these weights over the image, which may nearly cancel: in float32 its rounding is no small
    # part of it then.
    head, taps = head.double(), {name: tap.detach().double().requires_grad_() for name, tap in taps.items()}
    actual, expected = head(taps, size), literal(trunk, head, taps, size)
    leaves = {**dict(head.named_parameters()), **taps}
    seed = torch.randn(actual.shape, generator=Generator().manual_seed(1), dtype=actual.dtype)
    gradients = (torch.autograd.grad((scores * seed).sum(), list(leaves.values())) for scores in (actual, expected))
    for name, ours, theirs in zip(leaves, *gradients, strict=True):
        assert_close(ours, theirs, name)


@pytest.mark.parametrize("norm", ["none", "l2"])
@pytest.mark.parametrize("layers", STACKS, ids=len)
@pytest.mark.parametrize(("body", "pad100"), BODIES)
def test_every_stack_of_every_body_at_the_width_of_vgg16(
    body: str, pad100: bool, layers: tuple[str, ...], norm: str
) -> None:
    assert_same(science(trunk="vgg16", body=body, pad100=pad100, layers=layers, norm=norm), (40, 33))


@settings(max_examples=60, deadline=None)
@given(
    body=st.sampled_from(BODIES),
    layers=st.sets(st.sampled_from(ORDER), min_size=1).map(lambda layers: tuple(sorted(layers, key=ORDER.index))),
    norm=st.sampled_from(["none", "l2"]),
    fusion=st.sampled_from(["early", "late"]),
    context=st.sampled_from([("global", "caffe"), ("spp", "caffe"), ("spp", "adaptive")]),
    size=st.tuples(st.integers(64, 110), st.integers(64, 110)),
    seed=st.integers(0, 99),
)
@example(
    ("fcn", False), ("pool6", "fc7", "conv5"), "none", "early", ("global", "caffe"), (65, 85), 0
)  # weights that cancel
def test_any_layers_with_any_context_on_any_image(
    body: tuple[str, bool],
    layers: tuple[str, ...],
    norm: str,
    fusion: str,
    context: tuple[str, str],
    size: Size,
    seed: int,
) -> None:
    axes: dict[str, Any] = {"layers": layers, "norm": norm, "fusion": fusion, "seed": seed}
    axes |= {"body": body[0], "pad100": body[1], "context": context[0], "spp_geometry": context[1]}
    assert_same(science(context_bins=(1, 2), **axes), size)


@pytest.mark.parametrize("norm", ["none", "l2"])
@pytest.mark.parametrize("layers", [STACKS[0], STACKS[1]], ids=len)
@pytest.mark.parametrize(("body", "pad100"), BODIES)
def test_on_one_grid_the_concatenation_may_as_well_stand_at_the_image(
    body: str, pad100: bool, layers: tuple[str, ...], norm: str
) -> None:
    """Up to the rim, where the bias fades with the scores: it is upsampled as they are."""
    size = (70, 57)
    trunk, head, taps = drawn(science(body=body, pad100=pad100, layers=layers, norm=norm), size)
    maps = [UPSAMPLE({grid: values}, size) for values, grid in branches(trunk, head, taps)]
    weight, bias = classifier(head)
    cells = taps["fc7"].shape[2:]
    cover = UPSAMPLE({trunk.grids["fc7"]: torch.ones(1, 1, *cells)}, size)
    actual = head(taps, size)
    assert_close(actual, F.conv2d(torch.cat(maps, dim=1), weight) + bias.view(1, -1, 1, 1) * cover, "scores")
    inside = (cover[0, 0] > 1 - 1e-6).nonzero()
    assert len(inside) > 0.4 * size[0] * size[1]
    at_image = F.conv2d(torch.cat(maps, dim=1), weight, bias)
    rows, columns = inside.unbind(1)
    assert_close(actual[:, :, rows, columns], at_image[:, :, rows, columns], "scores inside")
