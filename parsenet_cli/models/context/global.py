"""Global average pooling of fc7: ParseNet's context (§3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from parsenet_cli.models.context import Context


class Global(Context):
    """The mean of every channel over the whole map; unpooled by broadcasting, so it is never replicated in memory."""

    def __init__(self, channels: int) -> None:
        super().__init__(("pool6",), (channels,))

    def forward(self, fc7: Tensor) -> list[Tensor]:
        """(N, C, h, w) -> [float32 (float64 for float64) (N, C, 1, 1)]."""
        return [fc7.mean((2, 3), keepdim=True, dtype=torch.promote_types(fc7.dtype, torch.float32))]

    def unpool(self, level: int, z: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, K, 1, 1) -> a view (N, K, *size)."""
        return z.expand(-1, -1, *size)


def build(channels: int) -> Context:
    """Global context over an fc7 of `channels`."""
    return Global(channels)
