"""Squeeze-and-Excitation (Hu et al., 1709.01507, Eq. 2 to 5; the authors' SENet prototxts)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

_EXCITE: dict[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "relu": torch.relu, "tanh": torch.tanh}


class SqueezeExcitation(nn.Module):
    """`x * s` with `s = excite(W2 relu(W1 z + b1) + b2)`, where z is the mean of the map: one factor for each channel.

    It has 2C²/r + C/r + C parameters.

    Args:
        channels: C.
        ratio: r, C over the channels of the bottleneck.
        squeeze: what z is: `mean` or `max` of the map, or with `none` each cell by itself (the paper's Table 16).
        excite: of the factors.
        bias: b2 at the start. The paper trains from nothing; in a pretrained network sigmoid(0) would halve every feature.
    """

    def __init__(
        self,
        channels: int,
        ratio: int = 16,
        squeeze: Literal["mean", "max", "none"] = "mean",
        excite: Literal["sigmoid", "relu", "tanh"] = "sigmoid",
        bias: float = 3.0,
    ) -> None:
        super().__init__()
        hidden = max(1, channels // ratio)
        self.squeeze = squeeze
        self.excite = _EXCITE[excite]
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)
        nn.init.zeros_(self.reduce.bias)  # type: ignore[arg-type]
        nn.init.constant_(self.expand.bias, bias)  # type: ignore[arg-type]

    def factors(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, 1, 1), or (N, C, h, w) with squeeze=none."""
        if self.squeeze == "mean":
            x = x.mean((2, 3), keepdim=True)
        elif self.squeeze == "max":
            x = x.amax((2, 3), keepdim=True)
        return self.excite(self.expand(torch.relu(self.reduce(x))))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> the same shape."""
        return x * self.factors(x)


def build(
    channels: int,
    ratio: int,
    squeeze: Literal["mean", "max", "none"],
    excite: Literal["sigmoid", "relu", "tanh"],
    bias: float,
) -> SqueezeExcitation:
    """The gate over a tap of `channels`."""
    return SqueezeExcitation(channels, ratio, squeeze, excite, bias)
