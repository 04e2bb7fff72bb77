"""`recipe.loss_stride`: the scores of every n-th row and column are those of the whole score map, for every head."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from parsenet_cli.models.build import build_model
from tests.unit.models.conftest import make_science

HEADS: dict[str, dict[str, Any]] = {
    "one grid": {"layers": ("pool6", "fc7"), "norm": "l2", "body": "reduced"},
    "several grids": {"layers": ("pool6", "fc7", "conv5", "conv4", "conv3"), "norm": "l2"},
    "late": {"layers": ("pool6", "fc7", "conv4"), "fusion": "late"},
    "learned": {"layers": ("pool6", "fc7"), "body": "reduced", "upsample": "learned"},
    "mixed": {"layers": ("pool6", "fc7", "conv4"), "mix": "conv1x1"},
    "upsampled first": {"layers": ("pool6", "fc7", "conv4"), "norm": "l2", "align": "upsample_first"},
    "skips": {"skips": "8s"},
    "pyramid": {"layers": ("pool6", "fc7"), "body": "reduced", "context": "spp", "norm": "l2"},
}


@pytest.mark.parametrize("stride", [2, 3, 8])
@pytest.mark.parametrize("head", HEADS)
def test_scores_are_those_of_the_whole_map(head: str, stride: int) -> None:
    """Within rounding: products of other sizes add in another order."""
    model = build_model(make_science(**HEADS[head]), 4, None)
    images = torch.randint(0, 255, (2, 3, 72, 57), dtype=torch.uint8)
    whole, found = model(images), model(images, stride)
    wanted = whole[:, :, ::stride, ::stride]
    assert found.shape == (2, 4, -(-72 // stride), -(-57 // stride))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * float(wanted.detach().abs().max()))
    weight = torch.randn_like(found)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    ours, theirs = (
        torch.autograd.grad((scores * weight).sum(), parameters, allow_unused=True) for scores in (found, wanted)
    )
    for a, b in zip(ours, theirs, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert (a - b).abs().max() <= 1e-4 * max(1e-6, float(b.abs().max()))


def test_stride_beyond_the_image_leaves_its_first_pixel() -> None:
    model = build_model(make_science(), 4, None)
    images = torch.randint(0, 255, (1, 3, 64, 64), dtype=torch.uint8)
    torch.testing.assert_close(model(images, 1000), model(images)[:, :, :1, :1], rtol=1e-5, atol=1e-5)
