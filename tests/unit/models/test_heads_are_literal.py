"""The other heads are what their words say too: mixing, normalising after upsampling, FCN's skips, pool6 (plain fusion:
tests/property/test_early_equals_literal.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.models.classifier import JointClassifier
from parsenet_cli.models.geometry import Grid
from parsenet_cli.models.upsample import Bilinear, Size
from tests.literal_heads import features, normalised
from tests.unit.models.conftest import make_science

SIZE = (72, 57)
UP = Bilinear().forward


def classified(classifier: nn.Module, values: Tensor) -> Tensor:
    assert isinstance(classifier, JointClassifier)
    return F.conv2d(values, classifier.weight, classifier.bias)


def assert_same(model: Segmenter, expected: Callable[[Segmenter, Tensor], Tensor]) -> None:
    """The same scores, and the same gradients of every parameter."""
    for name, parameter in model.named_parameters():
        if name.endswith(("bias", "scale")):
            parameter.data.uniform_(0.5, 1.5)
    x = torch.randn(2, 3, *SIZE)
    wanted = expected(model, x)
    found = model.head(model.trunk(x, model.head.wanted), SIZE)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    weight = torch.randn_like(found) / found.numel() ** 0.5
    parameters = list(model.parameters())
    ours = torch.autograd.grad((found * weight).sum(), parameters, allow_unused=True)
    theirs = torch.autograd.grad((wanted * weight).sum(), parameters, allow_unused=True)
    for (name, _), a, b in zip(model.named_parameters(), ours, theirs, strict=True):
        assert (a is None) == (b is None), name
        if a is not None and b is not None:
            assert (a - b).abs().max() <= 1e-5 * max(1.0, float(b.abs().max())), name


def test_the_levels_of_a_pyramid_are_branches_of_their_own() -> None:
    head = build_model(make_science(layers=("pool6", "fc7", "conv4"), norm="l2", context="spp"), 4, None).head
    assert list(head.norms) == ["pool6_1x1", "pool6_2x2", "pool6_4x4", "fc7", "conv4"]
    assert [block.shape[1] for block in head.classifier.blocks()[0]] == [64, 64, 64, 64, 32]


def finest(model: Segmenter, taps: dict[str, Tensor]) -> tuple[Size, Grid]:
    """Sides and grid of the finest map that is concatenated."""
    layer = min((layer for layer in model.head.layers if layer != "pool6"), key=lambda n: model.trunk.grids[n].stride)
    return (taps[layer].shape[2], taps[layer].shape[3]), model.trunk.grids[layer]


def mixed(model: Segmenter, x: Tensor) -> Tensor:
    taps = model.trunk(x, model.head.wanted)
    size, grid = finest(model, taps)
    maps = features(model.trunk, model.head, taps)
    concatenation = torch.cat([UP({g: normalised(model.head, name, v)}, size, grid) for name, v, g in maps], dim=1)
    mix = model.head.mix
    assert mix is not None
    hidden = torch.relu(F.conv2d(concatenation, mix.weight, mix.bias))
    return UP({grid: classified(model.head.classifier, hidden)}, SIZE)


@pytest.mark.parametrize("layers", [("fc7",), ("pool6", "fc7"), ("pool6", "fc7", "conv4")])
def test_the_mixing_convolution(layers: tuple[str, ...]) -> None:
    assert_same(build_model(make_science(layers=layers, norm="l2", mix="conv1x1"), 4, None), mixed)


def upsampled_first(model: Segmenter, x: Tensor) -> Tensor:
    taps = model.trunk(x, model.head.wanted)
    size, grid = finest(model, taps)
    maps = features(model.trunk, model.head, taps)
    concatenation = torch.cat([normalised(model.head, name, UP({g: v}, size, grid)) for name, v, g in maps], dim=1)
    return UP({grid: classified(model.head.classifier, concatenation)}, SIZE)


def test_normalising_after_upsampling() -> None:
    model = build_model(make_science(layers=("pool6", "fc7", "conv5"), norm="l2", align="upsample_first"), 4, None)
    assert_same(model, upsampled_first)
    native = build_model(make_science(layers=("pool6", "fc7", "conv5"), norm="l2"), 4, None)
    x = torch.randn(1, 3, *SIZE)
    first, last = (net.head(net.trunk(x, net.head.wanted), SIZE) for net in (model, native))
    assert not torch.allclose(first, last, atol=1e-3)


def skipped(model: Segmenter, x: Tensor) -> Tensor:
    taps = model.trunk(x, model.head.wanted)
    skips = model.head.skips
    assert skips is not None
    scores, grid = classified(model.head.classifier, taps["fc7"]), model.trunk.grids["fc7"]
    for tap, multiplier in (("pool4", 0.01), ("pool3", 0.0001))[: len(skips.wanted)]:
        own = classified(skips.classifiers[tap], taps[tap] * multiplier)
        target = model.trunk.grids[tap]
        scores = UP({grid: scores}, (own.shape[2], own.shape[3]), target) + own
        grid = target
    return UP({grid: scores}, SIZE)


@pytest.mark.parametrize("pad100", [False, True])
@pytest.mark.parametrize("skips", ["16s", "8s"])
def test_fcns_skips_with_their_fixed_multipliers(skips: str, pad100: bool) -> None:
    assert_same(build_model(make_science(skips=skips, pad100=pad100), 4, None), skipped)


def test_pool6_is_never_replicated() -> None:
    model = build_model(make_science(layers=("pool6", "fc7"), norm="l2"), 4, None)
    pool6, fc7 = model.head.features(model.trunk(torch.randn(2, 3, *SIZE), model.head.wanted))
    assert pool6.values.shape == (2, 64, 1, 1)
    expanded = pool6.expand(pool6.values)
    assert expanded.shape == fc7.values.shape
    assert expanded.untyped_storage().nbytes() == pool6.values.untyped_storage().nbytes()


def test_pool6_averages_fc7_before_or_after_its_dropout() -> None:
    for source, after in (("after_dropout", True), ("before_dropout", False)):
        model = build_model(make_science(layers=("pool6", "fc7"), context_source=source, dropout=0.5), 4, None)
        taps = model.trunk(torch.randn(1, 3, *SIZE), [*model.head.wanted, "fc7", "fc7_before_dropout"])
        pool6 = model.head.features(taps)[0].values
        expected = taps["fc7" if after else "fc7_before_dropout"].mean((2, 3), keepdim=True)
        torch.testing.assert_close(pool6, expected)
        assert not torch.equal(taps["fc7"], taps["fc7_before_dropout"])


def test_pool6_has_a_dropout_of_its_own() -> None:
    model = build_model(make_science(layers=("pool6",), context_dropout=0.3), 4, None)
    taps = {"fc7": torch.ones(1, 64, 3, 3).expand(100, -1, -1, -1)}
    pool6 = model.head.features(taps)[0].values
    assert (pool6 == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert pool6.max().item() == pytest.approx(1 / 0.7)
    assert (model.eval().head.features(taps)[0].values == 1).all()


@pytest.mark.parametrize("align", ["native", "upsample_first"])
@pytest.mark.parametrize("context", ["global", "spp"])
@pytest.mark.parametrize("fusion", ["early", "late"])
def test_pool6_is_dropped_after_its_norm(fusion: str, context: str, align: str) -> None:
    axes: dict[str, Any] = {
        "layers": ("pool6", "fc7"),
        "norm": "l2",
        "fusion": fusion,
        "context": context,
        "align": align,
    }
    model = build_model(make_science(**axes, context_bins=(1, 2), context_dropout=0.3), 4, None)
    taps = {"fc7": torch.rand(5, 64, 4, 4) + 0.1}
    with torch.no_grad():
        *pooled, fc7 = [feature.values for feature in model.head.features(taps)]
        *whole, same = [feature.values for feature in model.head.eval().features(taps)]
    torch.testing.assert_close(fc7, same)
    for dropped, full in zip(pooled, whole, strict=True):
        kept = dropped != 0
        assert kept.float().mean().item() == pytest.approx(0.7, abs=0.1)
        torch.testing.assert_close(dropped, torch.where(kept, full / 0.7, 0))
        torch.testing.assert_close(full.norm(dim=1), torch.full_like(full[:, 0], 10))
        assert ((dropped.norm(dim=1) - 10).abs() > 0.1).float().mean() > 0.8, "not brought back to the scale's length"
        if align == "upsample_first":  # whole vectors are dropped, not cells of their copies
            copies = kept[:, :, :2, :2].flatten(2)
            assert (copies == copies[..., :1]).all()


def test_a_dropped_pool6_makes_the_scores_of_its_dropped_features() -> None:
    """The fast path: classified as a vector and added, as the map of its copies would be."""
    axes: dict[str, Any] = {
        "layers": ("pool6", "fc7"),
        "norm": "l2",
        "fusion": "late",
        "upsample": "learned",
        "body": "reduced",
    }
    model = build_model(make_science(**axes, context_dropout=0.3), 4, None)
    taps = model.trunk(torch.randn(1, 3, *SIZE), model.head.wanted)
    torch.manual_seed(7)
    pool6, fc7 = [feature.expand(feature.values) for feature in model.head.features(taps)]
    assert (pool6 == 0).any()
    (w6, w7), bias = model.head.classifier.blocks()
    scores = F.conv2d(pool6, w6) + F.conv2d(fc7, w7) + bias.view(1, -1, 1, 1)
    torch.manual_seed(7)
    torch.testing.assert_close(model.head(taps, SIZE), model.head.upsample({model.trunk.grids["fc7"]: scores}, SIZE))
