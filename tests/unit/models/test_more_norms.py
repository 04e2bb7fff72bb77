"""The norms and taps that the paper's footnotes and its neighbours ask for: l_p, some layers alone, fixed factors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from parsenet_cli.models.build import build_model
from parsenet_cli.models.head import Head
from parsenet_cli.models.norm import L2Norm, LpNorm
from parsenet_cli.models.support import unsupported
from tests.unit.models.conftest import make_science

EVERY = ("pool6", "fc7", "conv4", "conv3")


def taps_of(size: tuple[int, int] = (6, 8)) -> dict[str, Tensor]:
    """Of `vgg_tiny`, body `fcn`, with features of very different lengths."""
    height, width = size
    return {
        "fc7": torch.rand(2, 64, height, width),
        "conv5": 10 * torch.rand(2, 48, 2 * height, 2 * width),
        "conv4": 100 * torch.rand(2, 32, 4 * height, 4 * width),
        "conv3": 1000 * torch.rand(2, 24, 8 * height, 8 * width),
    }


def head(**axes: Any) -> Any:
    made = build_model(make_science(**axes), 4, None).eval().head
    assert isinstance(made, Head)
    return made


@pytest.mark.parametrize(
    ("p", "y", "dx", "dscale"),
    [
        (1, (4.285714, 11.428571), (-0.816327, 0.612245), (0.428571, 0.571429)),
        (2, (6, 16), (-0.64, 0.48), (0.6, 0.8)),
        (3, (6.669718, 17.785914), (-0.195450, 0.146587), None),
        (4, (7.001866, 18.671642), (0.277027, -0.207770), None),
        (None, (7.5, 20), None, (0.75, 1)),
    ],
)
def test_lp_norm_and_its_gradients_by_hand(p: float | None, y: Any, dx: Any, dscale: Any) -> None:
    """x = (3, 4), scale = (10, 20), gradient (1, 1)."""
    norm = LpNorm(2, p=p).double()
    with torch.no_grad():
        norm.scale.copy_(torch.tensor([10.0, 20]))
    x = torch.tensor([3.0, 4], dtype=torch.float64).view(1, 2, 1, 1).requires_grad_()
    result = norm(x)
    result.sum().backward()
    close: dict[str, Any] = {"atol": 1e-6, "rtol": 0.0}
    torch.testing.assert_close(result.flatten(), torch.tensor(y).double(), **close)
    assert x.grad is not None
    assert norm.scale.grad is not None
    if dx:
        torch.testing.assert_close(x.grad.flatten(), torch.tensor(dx).double(), **close)
    if dscale:
        torch.testing.assert_close(norm.scale.grad, torch.tensor(dscale).double(), **close)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 7, None])
def test_lp_norm_has_the_gradient_that_differences_have(p: float | None) -> None:
    norm = LpNorm(5, p=p).double()
    x = torch.randn(2, 5, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x,))


@pytest.mark.parametrize("p", [1, 2, 3, 1000, None])
def test_lp_norm_bears_any_length(p: float | None) -> None:
    for factor in (0, 1e-20, 1, 1e18):
        x = (factor * torch.rand(1, 8, 2, 2)).requires_grad_()
        y = LpNorm(8, p=p)(x)
        y.sum().backward()
        assert x.grad is not None
        assert bool(torch.isfinite(y).all() and torch.isfinite(x.grad).all()), factor


def test_lp_norm_of_two_is_the_l2_norm() -> None:
    x = torch.randn(2, 6, 3, 4)
    torch.testing.assert_close(LpNorm(6, p=2.0)(x), L2Norm(6)(x))


@pytest.mark.parametrize("p", [1.0, 2.0, 4.0, None])
def test_equal_channels_begin_as_large_under_every_norm(p: float | None) -> None:
    """So that norm_scale means the same: 10 sqrt(C), 10 and 10 / sqrt(C) for p = 1, 2 and infinity."""
    norm = head(norm="lp", norm_p=p).norms["fc7"]
    torch.testing.assert_close(norm(torch.ones(1, 64, 1, 1)), torch.full((1, 64, 1, 1), 10 / 8))


def test_lp_norm_has_a_scale_to_the_optimiser_and_none_of_l2s_variants() -> None:
    model = build_model(make_science(norm="lp"), 4, None)
    assert model.roles()["head.norms.fc7.scale"] == "scale"
    for axes in ({"norm_across_space": True}, {"norm_gradient": "authors"}):
        assert "those of l2" in (unsupported(make_science(norm="lp", **axes)) or "")


def test_layers_are_normalised_that_are_named() -> None:
    """SSD: conv4 alone, with scale 20."""
    made = head(layers=EVERY, norm="l2", norm_layers=("conv4",), norm_scale=20.0)
    taps = taps_of()
    pool6, fc7, conv4, conv3 = (feature.values for feature in made.features(taps))
    assert list(made.norms) == ["conv4"]
    torch.testing.assert_close(conv4.norm(dim=1), torch.full((2, 24, 32), 20.0))
    for values, tap in ((fc7, taps["fc7"]), (conv3, taps["conv3"]), (pool6, taps["fc7"].mean((2, 3), keepdim=True))):
        assert torch.equal(values, tap)
    assert list(head(layers=EVERY, norm="l2").norms) == list(EVERY)
    pyramid = head(layers=EVERY, norm="l2", norm_layers=("pool6",), context="spp")
    assert list(pyramid.norms) == ["pool6_1x1", "pool6_2x2", "pool6_4x4"]


def test_features_are_scaled_by_fixed_factors() -> None:
    """Hypercolumn's: 0.063 and 0.0027."""
    taps = taps_of()
    made = head(layers=("fc7", "conv4", "conv3"), feature_scale={"conv3": 0.0027, "conv4": 0.063})
    fc7, conv4, conv3 = (feature.values for feature in made.features(taps))
    assert torch.equal(fc7, taps["fc7"])
    torch.testing.assert_close(conv4, 0.063 * taps["conv4"])
    torch.testing.assert_close(conv3, 0.0027 * taps["conv3"])
    normed = head(layers=("fc7", "conv4"), norm="l2", feature_scale={"conv4": 0.063})
    plain = head(layers=("fc7", "conv4"), norm="l2")
    torch.testing.assert_close(normed.features(taps)[1].values, plain.features(taps)[1].values)


def test_pool6_is_pooled_from_the_taps_that_are_named() -> None:
    made = head(layers=("pool6", "fc7"), norm="l2", context="spp", context_layers=("conv4", "fc7"), context_bins=(1, 2))
    taps = taps_of()
    assert made.branches == ("pool6_1x1", "pool6_2x2", "conv4_pool6_1x1", "conv4_pool6_2x2", "fc7")
    assert list(made.norms) == list(made.branches)
    assert sorted(made.wanted) == ["conv4", "fc7"]
    features = dict(zip(made.branches, made.features(taps), strict=True))
    mean = taps["conv4"].mean((2, 3), keepdim=True)
    torch.testing.assert_close(features["conv4_pool6_1x1"].values, made.norms["conv4_pool6_1x1"](mean))
    assert features["conv4_pool6_2x2"].expand(features["conv4_pool6_2x2"].values).shape == (2, 32, 24, 32)
    scores = made(taps, (96, 128))
    assert scores.shape == (2, 4, 96, 128)
    lower = head(layers=("pool6", "fc7"), context_layers=("conv3",))
    assert lower.branches == ("conv3_pool6", "fc7")
    assert lower(taps, (96, 128)).shape == (2, 4, 96, 128)


def test_a_network_says_before_the_training_that_a_lower_map_is_too_small() -> None:
    science = make_science(layers=("pool6", "fc7"), context="spp", context_layers=("conv4",), context_bins=(8,))
    model = build_model(science, 4, None)
    height = next(side for side in range(64, 1000) if model.trunk.cells("conv4", side, side)[0] >= 16)
    model.check_size(height, height)
    with pytest.raises(Exception, match="8x8 bins need"):
        model.check_size(height - 4, height - 4)
    images = torch.zeros(1, 3, 90, 130, dtype=torch.uint8)
    for tap in ("conv3", "conv4", "conv5", "fc7"):
        features = model.trunk(model.preprocess(images), [tap])
        assert features[tap].shape[2:] == model.trunk.cells(tap, 90, 130)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"norm": "l2", "norm_layers": ("conv4",)}, "norm_layers has conv4, which is not among layers=[fc7]"),
        ({"feature_scale": {"conv3": 0.1}}, "feature_scale has conv3, which is not among layers=[fc7]"),
        ({"layers": ("pool6", "fc7"), "context_layers": ("conv4",), "skips": "8s"}, "conv4 would be added twice"),
    ],
)
def test_what_would_do_nothing_is_told(axes: dict[str, Any], message: str) -> None:
    assert message in (unsupported(make_science(**axes)) or "")
