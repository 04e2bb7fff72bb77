"""Squeeze-and-Excitation of channels and of places (Roy et al., 1803.02579; the authors' squeeze_and_excitation.py)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from parsenet_cli.models.gate.se import SqueezeExcitation


class ChannelAndSpatial(nn.Module):
    """`x` times a factor for each channel (cSE), and `x` times a factor for each cell (sSE: a 1x1 convolution to one channel).

    The two are combined by their larger value, sum or mean. It has one parameter for each channel, and one, more than `se`.

    Args:
        channels: C.
        ratio: C over the channels of cSE's bottleneck.
        combine: `max` as in the authors' code, `add` or `mean`.
        bias: of both sigmoids at the start.
    """

    def __init__(
        self, channels: int, ratio: int = 2, combine: Literal["max", "add", "mean"] = "max", bias: float = 3.0
    ) -> None:
        super().__init__()
        self.combine = combine
        self.of_channels = SqueezeExcitation(channels, ratio, bias=bias)
        self.of_places = nn.Conv2d(channels, 1, 1)
        nn.init.constant_(self.of_places.bias, bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> the same shape."""
        channels, places = self.of_channels(x), x * torch.sigmoid(self.of_places(x))
        if self.combine == "max":
            return torch.maximum(channels, places)
        both: Tensor = channels + places
        return both if self.combine == "add" else both / 2


def build(channels: int, ratio: int, combine: Literal["max", "add", "mean"], bias: float) -> ChannelAndSpatial:
    """The gate over a tap of `channels`."""
    return ChannelAndSpatial(channels, ratio, combine, bias)
