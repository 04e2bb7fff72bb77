"""Caffe's fillers, drawn from the run's seed alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from parsenet_cli.models import layers as init
from parsenet_cli.models.build import build_model
from parsenet_cli.models.classifier import BranchClassifiers, JointClassifier
from tests.unit.models.conftest import make_science

STACK = ("pool6", "fc7", "conv5", "conv4", "conv3")


@pytest.mark.parametrize(
    ("inputs", "bound"),
    [
        (256, 0.108253), (512, 0.076547), (1024, 0.054127), (2048, 0.038273), (4096, 0.027063), (8192, 0.019137),
        (8704, 0.018565), (9216, 0.018042), (9472, 0.017797),
    ],
)  # fmt: skip
def test_xavier_is_caffes(inputs: int, bound: float) -> None:
    assert init.xavier_range(inputs) == pytest.approx(bound, abs=5e-7)
    weight = torch.empty(21, inputs, 1, 1)
    init.fill_(weight, "xavier", torch.Generator().manual_seed(0))
    assert weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert weight.abs().max() <= init.xavier_range(inputs)
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_fan_in_counts_the_taps() -> None:
    assert init.fan_in(torch.empty(1024, 512, 3, 3)) == 512 * 9


def test_early_fusion_draws_with_the_width_of_the_concatenation_and_late_with_each_layers_own() -> None:
    early = build_model(make_science(layers=STACK), 7, None).head.classifier
    late = build_model(make_science(layers=STACK, fusion="late"), 7, None).head.classifier
    assert isinstance(early, JointClassifier)
    assert isinstance(late, BranchClassifiers)
    widths = [64, 64, 48, 32, 24]
    assert early.weight.shape == (7, sum(widths), 1, 1)
    for block in early.blocks()[0]:
        assert 0.9 * init.xavier_range(sum(widths)) < block.abs().max() <= init.xavier_range(sum(widths))
    assert (early.bias == 0).all()
    for block, width in zip(late.blocks()[0], widths, strict=True):
        assert 0.9 * init.xavier_range(width) < block.abs().max() <= init.xavier_range(width)


def test_zero_and_gaussian_heads() -> None:
    zero = build_model(make_science(init="zero", skips="8s"), 7, None)
    assert all((p == 0).all() for p in zero.head.parameters())
    gaussian = build_model(make_science(init="gaussian", layers=STACK), 50, None).head.classifier
    assert isinstance(gaussian, JointClassifier)
    assert gaussian.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert (gaussian.bias == 0).all()


def test_a_zero_head_behind_a_mixing_layer_can_still_learn() -> None:
    model = build_model(make_science(init="zero", mix="conv1x1"), 3, None)
    assert model.head.mix is not None
    assert (model.head.mix.weight != 0).any()


def test_the_seed_alone_decides_what_is_drawn() -> None:
    axes: dict[str, Any] = {"layers": STACK, "norm": "l2"}
    before = torch.random.get_rng_state()
    first, again = (build_model(make_science(**axes), 5, None).state_dict() for _ in range(2))
    other = build_model(make_science(**axes, seed=1), 5, None).state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.classifier.weight"], other["head.classifier.weight"])
    assert not torch.equal(first["trunk.fc6.weight"], other["trunk.fc6.weight"])


def test_the_head_is_the_same_whatever_weights_the_trunk_starts_from() -> None:
    """Rows of a table with the same head share its draw, with a pretrained trunk and without."""
    one = build_model(make_science(), 5, None).head.state_dict()
    two = build_model(make_science(pad100=True), 5, None).head.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_trunk_without_weights_keeps_the_scale_of_its_input() -> None:
    model = build_model(make_science(), 5, None)
    with torch.inference_mode():
        features = model.trunk(torch.randn(4, 3, 96, 96), ["conv3", "fc7"])
    for tap in ("conv3", "fc7"):
        assert 0.2 < features[tap].square().mean().sqrt() < 5
