"""Spatial pyramid context: the authors' bins and unpooling, or PyTorch's."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from parsenet_cli.core.errors import UserError
from parsenet_cli.models.context.spp import Pyramid

SHAPES = [(8, 9), (9, 10), (11, 12), (17, 16), (41, 33)]


@pytest.mark.parametrize("bins", [1, 2, 3, 4])
@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_bins_are_caffes(height: int, width: int, bins: int) -> None:
    """Kernel = stride = ceil(cells / bins), padded by half of what is too much, zeros counted as Caffe counts them."""
    x = torch.randn(2, 3, height, width)
    kernel = [math.ceil(cells / bins) for cells in (height, width)]
    pad = [((bins - 1) * k + k - cells) // 2 for k, cells in zip(kernel, (height, width), strict=True)]
    expected = F.avg_pool2d(x, kernel, kernel, pad, ceil_mode=True, count_include_pad=True)
    (found,) = Pyramid((bins,), 3, adaptive=False)(x)
    assert found.shape[2:] == (bins, bins)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_unpooling_repeats_each_bin_over_the_cells_it_pooled(height: int, width: int) -> None:
    pyramid = Pyramid((4,), 1, adaptive=False)
    cells_of_bins = pyramid.unpool(0, torch.arange(16.0).view(1, 1, 4, 4), (height, width))
    for cells, owners in ((height, cells_of_bins[0, 0, :, 0] // 4), (width, cells_of_bins[0, 0, 0] % 4)):
        for b, (first, end) in enumerate(pyramid.bounds(cells, 4)):
            assert torch.equal((owners == b).nonzero().flatten(), torch.arange(max(first, 0), min(end, cells)))


@pytest.mark.parametrize("bins", [1, 2, 3, 4, 6])
def test_adaptive_bins_are_pytorchs(bins: int) -> None:
    x = torch.randn(2, 3, 9, 11)
    pyramid = Pyramid((bins,), 3, adaptive=True)
    (found,) = pyramid(x)
    torch.testing.assert_close(found, F.adaptive_avg_pool2d(x, bins))
    torch.testing.assert_close(pyramid.unpool(0, found, (9, 11)), F.interpolate(found, size=(9, 11), mode="nearest"))


@pytest.mark.parametrize(("adaptive", "needed"), [(False, 8), (True, 4)])
def test_more_bins_than_the_map_can_take_are_refused(adaptive: bool, needed: int) -> None:
    with pytest.raises(UserError, match=rf"4x4 bins need an fc7 map of at least {needed} cells a side, this one has 3"):
        Pyramid((1, 4), 2, adaptive=adaptive)(torch.zeros(1, 2, 9, 3))
