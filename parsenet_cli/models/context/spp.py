"""A pyramid of average-pooled regions, the variant the paper reports in words (§3.1 and §4.2: 1x1, 2x2 and 4x4).

Pooling into b x b bins is separable: two products with averaging matrices, whatever the bins' geometry is.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from parsenet_cli.core.errors import UserError
from parsenet_cli.models.context import Context

Bounds = list[tuple[int, int]]


def caffe_bounds(cells: int, bins: int) -> Bounds:
    """First and last+1 cell of each bin along a side, as in the authors' pooling layer with `bin_size`.

    Kernel = stride = ceil(cells / bins), padded at both ends alike (rounded down): bounds may lie outside the map by
    the padding, and those cells count as zeros. Their unpooling repeats over the same windows.
    """
    kernel = -(-cells // bins)
    pad = (bins * kernel - cells) // 2
    return [(i * kernel - pad, min((i + 1) * kernel - pad, cells + pad)) for i in range(bins)]


def adaptive_bounds(cells: int, bins: int) -> Bounds:
    """Bins as in PyTorch's adaptive average pooling: they may share a cell."""
    return [(i * cells // bins, -(-(i + 1) * cells // bins)) for i in range(bins)]


class Pyramid(Context):
    """One level per entry of `bins`, each with its own norm and scale.

    Args:
        bins: sides of the levels.
        channels: C of fc7.
        adaptive: PyTorch's bins with nearest upsampling, instead of Caffe's bins with the authors' unpooling.
    """

    def __init__(self, bins: tuple[int, ...], channels: int, *, adaptive: bool) -> None:
        super().__init__(tuple(f"pool6_{b}x{b}" for b in bins), (channels,) * len(bins))
        self.bins = bins
        self.adaptive = adaptive

    def bounds(self, cells: int, bins: int) -> Bounds:
        """The bins of a side. Raises `UserError` when there are more than the map can take (Caffe: half its cells)."""
        if bins > (cells if self.adaptive else max(1, cells // 2)):
            needed = bins if self.adaptive else 2 * bins
            raise UserError(
                f"context_bins: {bins}x{bins} bins need an fc7 map of at least {needed} cells a side, this one has "
                f"{cells}. Use fewer bins or larger images"
            )
        return (adaptive_bounds if self.adaptive else caffe_bounds)(cells, bins)

    def check_size(self, height: int, width: int) -> None:
        """Raises `UserError` when a side has fewer cells than its bins need."""
        self.bounds(min(height, width), max(self.bins))

    def averages(self, cells: int, bins: int) -> Tensor:
        """The matrix (bins, cells) that averages a side into bins."""
        matrix = torch.zeros(bins, cells)
        for row, (first, end) in zip(matrix, self.bounds(cells, bins), strict=True):
            row[max(first, 0) : end] = 1 / (end - first)
        return matrix

    def owners(self, cells: int, bins: int) -> Tensor:
        """The bin that is repeated into each cell of a side."""
        index = torch.arange(cells)
        if self.adaptive:
            return index * bins // cells
        kernel = -(-cells // bins)
        return (index + (bins * kernel - cells) // 2) // kernel

    def forward(self, fc7: Tensor) -> list[Tensor]:
        """(N, C, h, w) -> one (N, C, b, b) per level."""
        _, _, height, width = fc7.shape
        levels = []
        for b in self.bins:
            rows = self.averages(height, b).to(fc7)
            columns = self.averages(width, b).to(fc7)
            levels.append(torch.einsum("pi,ncij,qj->ncpq", rows, fc7, columns))
        return levels

    def unpool(self, level: int, z: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, K, b, b) -> (N, K, *size), every cell a copy of its bin."""
        rows, columns = (self.owners(cells, self.bins[level]).to(z.device) for cells in size)
        return z[:, :, rows[:, None], columns]


def build(channels: int, bins: tuple[int, ...], geometry: Literal["caffe", "adaptive"]) -> Context:
    """The pyramid `bins` over an fc7 of `channels`."""
    return Pyramid(bins, channels, adaptive=geometry == "adaptive")
