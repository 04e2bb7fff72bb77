"""A pyramid of average-pooled regions, the variant the paper reports in words (§3.1 and §4.2: 1x1, 2x2 and 4x4).

Pooling into b x b bins is separable: two products with averaging matrices, whatever the bins' geometry is. So is what
brings the bins back to the map: two products with matrices of zeros and ones, which copy exactly.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from parsenet_cli.core.errors import UserError
from parsenet_cli.models.context import Context
from parsenet_cli.models.upsample import KEPT_MATRICES, at_least_float32, without_autocast

Bounds = tuple[tuple[int, int], ...]


def caffe_bounds(cells: int, bins: int) -> Bounds:
    """First and last+1 cell of each bin along a side, as in the authors' pooling layer with `bin_size`.

    Kernel = stride = ceil(cells / bins), padded at both ends alike (rounded down): bounds may lie outside the map by
    the padding, and those cells count as zeros. Their unpooling repeats over the same windows.
    """
    kernel = -(-cells // bins)
    pad = (bins * kernel - cells) // 2
    return tuple((i * kernel - pad, min((i + 1) * kernel - pad, cells + pad)) for i in range(bins))


def adaptive_bounds(cells: int, bins: int) -> Bounds:
    """Bins as in PyTorch's adaptive average pooling: they may share a cell."""
    return tuple((i * cells // bins, -(-(i + 1) * cells // bins)) for i in range(bins))


@lru_cache(KEPT_MATRICES)
def averaging_matrix(bounds: Bounds, cells: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix (bins, cells) that averages a side into bins. Made on the device, and kept: nobody may change it."""
    with torch.inference_mode(False):  # an evaluation may be the first to ask, and a training the second
        matrix = torch.zeros(len(bounds), cells, dtype=dtype, device=device)
        for row, (first, end) in zip(matrix, bounds, strict=True):
            row[max(first, 0) : end] = 1 / (end - first)
        return matrix


@lru_cache(KEPT_MATRICES)
def copying_matrix(cells: int, bins: int, adaptive: bool, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix (cells, bins) of zeros and ones that copies each bin to its cells. Made and kept like the other."""
    with torch.inference_mode(False):
        index = torch.arange(cells, device=device)
        kernel = -(-cells // bins)
        owners = index * bins // cells if adaptive else (index + (bins * kernel - cells) // 2) // kernel
        return (owners[:, None] == torch.arange(bins, device=device)).to(dtype)


def copy_bins(z: Tensor, bins: int, size: tuple[int, int], *, adaptive: bool) -> Tensor:
    """(N, K, bins, bins) -> float32 (float64 for float64) (N, K, *size), every cell a copy of its bin."""
    z = at_least_float32(z)
    rows, columns = (copying_matrix(cells, bins, adaptive, z.dtype, z.device) for cells in size)
    with without_autocast(z.device):
        return rows @ z @ columns.T


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

    def forward(self, fc7: Tensor) -> list[Tensor]:
        """(N, C, h, w) -> one float32 (float64 for float64) (N, C, b, b) per level."""
        fc7, levels = at_least_float32(fc7), []
        with without_autocast(fc7.device):
            for b in self.bins:
                rows, columns = (
                    averaging_matrix(self.bounds(cells, b), cells, fc7.dtype, fc7.device) for cells in fc7.shape[2:]
                )
                levels.append(torch.einsum("pi,ncij,qj->ncpq", rows, fc7, columns))
        return levels

    def unpool(self, level: int, z: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, K, b, b) -> float32 (float64 for float64) (N, K, *size), every cell a copy of its bin."""
        return copy_bins(z, self.bins[level], size, adaptive=self.adaptive)


def build(channels: int, bins: tuple[int, ...], geometry: Literal["caffe", "adaptive"]) -> Context:
    """The pyramid `bins` over an fc7 of `channels`."""
    return Pyramid(bins, channels, adaptive=geometry == "adaptive")
