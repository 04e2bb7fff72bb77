"""Upsampling, normalising and pooling in bins, for any geometry."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from parsenet_cli.models.context.spp import Pyramid, copying_matrix
from parsenet_cli.models.geometry import Grid, Window
from parsenet_cli.models.layers import bilinear_kernel
from parsenet_cli.models.norm import L2Norm
from parsenet_cli.models.upsample import Bilinear, hat_matrix

sides = st.integers(1, 7)


@settings(max_examples=30, deadline=None)
@given(stride=st.integers(1, 32), odd=st.booleans(), cells=st.tuples(sides, sides), data=st.data())
def test_upsampling_is_deconvolution_and_crop(
    stride: int, odd: bool, cells: tuple[int, int], data: st.DataObject
) -> None:
    kernel = 2 * stride - odd
    z = torch.randn(1, 2, *cells, generator=torch.Generator().manual_seed(stride), requires_grad=True)
    full = F.conv_transpose2d(z, bilinear_kernel(kernel).expand(2, 1, -1, -1), stride=stride, groups=2)
    crop = data.draw(st.integers(0, min(full.shape[2:]) - 1))
    expected = full[:, :, crop : max(crop + 1, full.shape[2] - 3), crop:]
    found = Bilinear()({Grid(stride, (kernel - 1) / 2 - crop): z}, (expected.shape[2], expected.shape[3]))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    weight = torch.randn_like(expected)
    gradient, wanted = (torch.autograd.grad((scores * weight).sum(), z)[0] for scores in (found, expected))
    torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(stride=st.integers(1, 32), twice=st.integers(-200, 60), cells=st.integers(2, 40))
def test_scores_are_averages_between_the_outermost_centres_and_fade_beyond(stride: int, twice: int, cells: int) -> None:
    grid = Grid(stride, twice / 2)
    sums = hat_matrix(grid, cells, Grid(1, 0.0), 64).sum(1)
    inside = [grid.centre(0) <= y <= grid.centre(cells - 1) for y in range(64)]
    torch.testing.assert_close(sums[inside], torch.ones(sum(inside)), rtol=0, atol=1e-5)
    assert (sums <= 1 + 1e-5).all()


@settings(max_examples=40, deadline=None)
@given(factor=st.floats(0.01, 1000), channels=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_norm_forgets_the_scale_of_its_input(factor: float, channels: int, seed: int) -> None:
    x = torch.randn(2, channels, 3, 2, generator=torch.Generator().manual_seed(seed)) + 0.1
    norm = L2Norm(channels, 10.0)
    torch.testing.assert_close(norm(x * factor), norm(x), rtol=1e-3, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(bins=st.integers(1, 6), extra=st.integers(0, 30), adaptive=st.booleans())
def test_every_cell_belongs_to_one_bin_that_pooled_it(bins: int, extra: int, adaptive: bool) -> None:
    cells = 2 * bins + extra
    pyramid = Pyramid((bins,), 1, adaptive=adaptive)
    copies = copying_matrix(cells, bins, adaptive, torch.float32, torch.device("cpu"))
    assert torch.equal(copies.sum(1), torch.ones(cells))
    owners = copies.argmax(1).tolist()
    bounds = pyramid.bounds(cells, bins)
    assert owners == sorted(owners)
    assert all(bounds[b][0] <= cell < bounds[b][1] for cell, b in enumerate(owners))


@settings(max_examples=40, deadline=None)
@given(
    layers=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 2), st.integers(1, 3)), min_size=1, max_size=4),
    cells=st.integers(250, 280),
)
def test_the_last_cell_of_a_padded_chain_lies_where_its_grid_says(
    layers: list[tuple[int, int, int]], cells: int
) -> None:
    """Averaging the coordinates themselves through the windows gives every cell's centre."""
    grid, position = Grid(1, 0.0), torch.arange(float(cells)).view(1, 1, -1)
    for kernel, stride, dilation in layers:
        window = Window(kernel, stride, 0, dilation, ceil=False)
        position = F.conv1d(position, torch.full((1, 1, kernel), 1 / kernel), stride=stride, dilation=dilation)
        grid = window.slide(grid)
        assert position.shape[2] == window.length(cells)
        cells = position.shape[2]
    expected = torch.tensor([grid.centre(i) for i in range(cells)])
    torch.testing.assert_close(position.flatten(), expected, rtol=1e-4, atol=1e-3)
