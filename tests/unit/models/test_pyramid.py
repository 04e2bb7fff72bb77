"""Spatial pyramid context: the authors' bins and unpooling, or PyTorch's."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from parsenet_cli.core.errors import UserError
from parsenet_cli.models.context.spp import Pyramid, copying_matrix

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


@pytest.mark.parametrize("adaptive", [False, True])
def test_unpooling_copies_exactly_and_its_gradient_adds_up(adaptive: bool) -> None:
    pyramid = Pyramid((1, 2, 4), 3, adaptive=adaptive)
    for level, bins in enumerate(pyramid.bins):
        z = torch.randn(2, 3, bins, bins, requires_grad=True)
        found = pyramid.unpool(level, z, (9, 11))
        rows, columns = (copying_matrix(cells, bins, adaptive, z.dtype, z.device).argmax(1) for cells in (9, 11))
        wanted = z[:, :, rows[:, None], columns]
        assert torch.equal(found, wanted)
        weight = torch.randn_like(found)
        gradients = [torch.autograd.grad((unpooled * weight).sum(), z)[0] for unpooled in (found, wanted)]
        torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("adaptive", [False, True])
def test_half_precision_is_averaged_and_copied_in_float32(adaptive: bool) -> None:
    """A ninth and a twelfth of the averaging would be off by 0.2 % in bfloat16."""
    pyramid, fc7 = Pyramid((1, 2, 4), 3, adaptive=adaptive), torch.randn(1, 3, 9, 11).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        levels = pyramid(fc7)
        maps = [pyramid.unpool(level, z.bfloat16(), (9, 11)) for level, z in enumerate(levels)]
    assert {z.dtype for z in (*levels, *maps)} == {torch.float32}
    for found, wanted in zip(levels, pyramid(fc7.float()), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize(("adaptive", "needed"), [(False, 8), (True, 4)])
def test_more_bins_than_the_map_can_take_are_refused(adaptive: bool, needed: int) -> None:
    with pytest.raises(UserError, match=rf"4x4 bins need an fc7 map of at least {needed} cells a side, this one has 3"):
        Pyramid((1, 4), 2, adaptive=adaptive)(torch.zeros(1, 2, 9, 3))
