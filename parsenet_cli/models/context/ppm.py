"""Pyramid pooling (PSPNet, Zhao et al., 1612.01105 §3.2; the authors' semseg): ParseNet's global mean is its level of one bin."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from parsenet_cli.core.errors import UserError
from parsenet_cli.models.context import Context
from parsenet_cli.models.context.spp import copy_bins


def projection(channels: int, width: int, batch_norm: bool) -> nn.Sequential:
    """A 1x1 convolution and a ReLU; batch norm between them makes the convolution's bias needless."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 1, bias=not batch_norm)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(width)] if batch_norm else []), nn.ReLU())


class PyramidPooling(Context):
    """One level per entry of `bins`: pooled, reduced to C over the number of levels, and spread to the map.

    The scores of a level are spread, not its features: a linear spread whose weights sum to one commutes with the classifier. The
    head's norm works on the bins. With `batch_norm` it has C² + 2C parameters, however many levels there are.

    Args:
        channels: C of the tap.
        bins: sides of the levels; bins lie as in PyTorch's adaptive pooling.
        pool: `mean` or `max` of a bin.
        reduce: false: levels keep C channels and have no parameters.
        spread: `bilinear` with aligned corners, or each cell a `copy` of its bin.
        batch_norm: between convolution and ReLU. Its weights are biases to the optimiser: no decay.
    """

    def __init__(
        self,
        channels: int,
        bins: tuple[int, ...] = (1, 2, 3, 6),
        pool: Literal["mean", "max"] = "mean",
        reduce: bool = True,
        spread: Literal["bilinear", "copy"] = "bilinear",
        batch_norm: bool = False,
    ) -> None:
        if len(set(bins)) != len(bins):
            raise UserError(f"context.bins=[{','.join(map(str, bins))}]: expected different numbers")
        if batch_norm and not reduce:
            raise UserError(
                "context.batch_norm=true stands behind the convolution of context.reduce=true; there is none"
            )
        width = max(1, channels // len(bins)) if reduce else channels
        super().__init__(tuple(f"pool6_{b}x{b}" for b in bins), (width,) * len(bins))
        self.bins, self.spread = bins, spread
        self.pool = F.adaptive_avg_pool2d if pool == "mean" else F.adaptive_max_pool2d
        self.projections = nn.ModuleList(projection(channels, width, batch_norm) for _ in bins if reduce)

    def check_size(self, height: int, width: int) -> None:
        """Raises `UserError` when a side has fewer cells than the largest level has bins."""
        if max(self.bins) > min(height, width):
            most = max(self.bins)
            raise UserError(
                f"context.bins: {most}x{most} bins need a map of at least {most} cells a side, this one has {height}x{width}. "
                "Use fewer bins or larger images"
            )

    def forward(self, fc7: Tensor) -> list[Tensor]:
        """(N, C, h, w) -> one (N, C', b, b) per level."""
        pooled = [self.pool(fc7, b) for b in self.bins]
        if not self.projections:
            return pooled
        return [projection(level) for projection, level in zip(self.projections, pooled, strict=True)]

    def unpool(self, level: int, z: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, K, b, b) -> (N, K, *size)."""
        if self.spread == "bilinear":
            return F.interpolate(z, size, mode="bilinear", align_corners=True)
        return copy_bins(z, self.bins[level], size, adaptive=True)


def build(
    channels: int,
    bins: tuple[int, ...],
    pool: Literal["mean", "max"],
    reduce: bool,
    spread: Literal["bilinear", "copy"],
    batch_norm: bool,
) -> PyramidPooling:
    """The pyramid over a tap of `channels`."""
    return PyramidPooling(channels, bins, pool, reduce, spread, batch_norm)
