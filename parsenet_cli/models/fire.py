"""SqueezeNet's fire module (arXiv 1602.07360, §3.1)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 convolutions side by side, concatenated; ReLU after each."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.out_channels = 2 * expand

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, 2 * expand, H, W)."""
        x = torch.relu_(self.squeeze(x))
        return torch.relu_(torch.cat((self.expand1x1(x), self.expand3x3(x)), dim=1))

    def widest_way(self) -> Iterable[nn.Module]:
        """The layers that decide the receptive field."""
        return (self.squeeze, self.expand3x3)
