"""Contexts and gates of ParseNet's successors: their printed parameters, worked numbers, and places in a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import Block
from parsenet_cli.models.build import build_model
from parsenet_cli.models.context.image_pool import ImagePool
from parsenet_cli.models.context.ppm import PyramidPooling
from parsenet_cli.models.gate.gc import GlobalContext
from parsenet_cli.models.gate.scse import ChannelAndSpatial
from tests.unit.models.conftest import make_science


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def ramp(n: int) -> torch.Tensor:
    """0 … n - 1 along the width, the same in every row."""
    return torch.arange(float(n)).expand(1, 1, n, n)


def row(x: torch.Tensor) -> list[float]:
    return [round(float(value), 4) for value in x[0, 0, 0]]


@pytest.mark.parametrize(
    ("n", "pool", "bins", "expected"),
    [
        (6, "mean", 2, [1, 4]),
        (6, "mean", 3, [0.5, 2.5, 4.5]),
        (7, "mean", 2, [1.5, 4.5]),
        (7, "mean", 3, [1, 3, 5]),
        (7, "mean", 6, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]),
        (7, "max", 2, [3, 6]),
        (7, "max", 3, [2, 4, 6]),
        (7, "max", 6, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_bins_of_a_ramp(n: int, pool: Any, bins: int, expected: list[float]) -> None:
    assert row(PyramidPooling(1, (bins,), pool, reduce=False)(ramp(n))[0]) == expected


@pytest.mark.parametrize(
    ("spread", "bins", "expected"),
    [
        ("bilinear", 2, [1, 1.6, 2.2, 2.8, 3.4, 4]),
        ("bilinear", 3, [0.5, 1.3, 2.1, 2.9, 3.7, 4.5]),
        ("copy", 2, [1, 1, 1, 4, 4, 4]),
        ("copy", 3, [0.5, 0.5, 2.5, 2.5, 4.5, 4.5]),
    ],
)
def test_levels_are_spread_to_the_map(spread: Any, bins: int, expected: list[float]) -> None:
    pyramid = PyramidPooling(1, (bins,), spread=spread, reduce=False)
    assert row(pyramid.unpool(0, pyramid(ramp(6))[0], (6, 6))) == expected


@pytest.mark.parametrize(("channels", "number"), [(2048, 4_198_400), (1024, 1_050_624), (4096, 16_785_408), (64, 4224)])
def test_reduction_with_batch_norm_has_as_many_parameters_whatever_the_levels(channels: int, number: int) -> None:
    with torch.device("meta"):
        for bins in ((1,), (1, 2), (1, 2, 3, 6)):
            assert parameters(PyramidPooling(channels, bins, batch_norm=True)) == number
        assert parameters(PyramidPooling(channels, reduce=False)) == 0


def test_image_pool_has_the_printed_parameters() -> None:
    with torch.device("meta"):
        counts = [parameters(ImagePool(channels, batch_norm=True)) for channels in (2048, 1024)]
    assert counts == [524_800, 262_656]


@pytest.mark.parametrize(("channels", "ratio", "number"), [(2048, 16, 528_769), (1024, 16, 133_313), (32, 16, 199)])
def test_global_context_has_the_printed_parameters(channels: int, ratio: int, number: int) -> None:
    with torch.device("meta"):
        assert parameters(GlobalContext(channels, ratio)) == number


def test_global_context_weighs_cells_as_by_hand_and_begins_as_nothing() -> None:
    block = GlobalContext(2, 1).double()
    with torch.no_grad():
        block.attention.weight[0, :, 0, 0] = torch.tensor([1.0, -1])
        block.attention.bias.zero_()  # type: ignore[union-attr]
    x = torch.tensor([[1.0, 0, 1], [0, 2, 1]], dtype=torch.float64).view(1, 2, 1, 3)
    expected = torch.tensor([[0.9648809730, 0.3297345143]], dtype=torch.float64)
    torch.testing.assert_close(block.pooled(x), expected, atol=1e-9, rtol=0)
    assert torch.equal(block(x), x)


def test_channels_and_places_have_the_printed_parameters_and_are_combined() -> None:
    with torch.device("meta"):
        assert parameters(ChannelAndSpatial(1024)) == 1_051_137
    x = torch.rand(1, 8, 3, 3)
    both = {}
    for combine in ("max", "add", "mean"):
        torch.manual_seed(0)
        both[combine] = ChannelAndSpatial(8, 2, combine)(x)
    torch.testing.assert_close(both["add"], 2 * both["mean"])
    assert bool((both["max"] >= both["mean"]).all())
    assert 0.9 < float((both["max"] / x).min().detach()) < 1


@pytest.mark.parametrize("norm", ["none", "l2"])
def test_pyramid_stands_in_a_network_with_a_norm_for_each_level(norm: str) -> None:
    options = {"bins": (1, 2, 3), "pool": "max", "reduce": True, "spread": "bilinear", "batch_norm": False}
    science = make_science(
        layers=("pool6", "fc7"), context="ppm", norm=norm, blocks={"context": Block(options=options)}
    )
    model = build_model(science, 4, None).eval()
    assert model.head.branches == ("pool6_1x1", "pool6_2x2", "pool6_3x3", "fc7")
    assert list(model.head.norms) == (list(model.head.branches) if norm == "l2" else [])
    assert model(torch.zeros(2, 3, 80, 96, dtype=torch.uint8)).shape == (2, 4, 80, 96)
    assert model.roles()["head.contexts.fc7.projections.0.0.weight"] == "head_weight"
    with pytest.raises(
        UserError, match=r"context\.bins: 3x3 bins need a map of at least 3 cells a side, this one has 2x"
    ):
        model.check_size(32, 80)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bins": (2, 2)}, "context.bins=[2,2]: expected different numbers"),
        ({"reduce": False, "batch_norm": True}, "context.batch_norm=true stands behind"),
    ],
)
def test_options_that_contradict_each_other_are_told(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        PyramidPooling(8, **arguments)
    assert message in str(raised.value)


@pytest.mark.parametrize("context", ["ppm", "image_pool"])
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["recipe.batch=1"], "batch_norm=true: a map of one cell has one value per channel in recipe.batch=1"),
        (["recipe.batch=4", "micro_batch=1"], "one value per channel in recipe.batch=4 with micro_batch=1"),
        (["recipe.batch=4", "micro_batch=2"], "micro_batch=2: batch_norm=true needs whole batches"),
    ],
)
def test_batch_norm_needs_whole_batches_of_several_images(context: str, overrides: list[str], message: str) -> None:
    composer = Composer(profile.load("quick"), [f"context={context}", "context.batch_norm=true", *overrides], Path("c"))
    with pytest.raises(UserError) as raised:
        composer.unidentified()
    assert message in str(raised.value)
