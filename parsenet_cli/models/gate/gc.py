"""GCNet's global context block (Cao et al., 1904.11492; the authors' context_block.py)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GlobalContext(nn.Module):
    """`x + W2 relu(LN(W1 c))` with `c = sum_i softmax_i(w x_i + b) x_i` over all cells i: the same vector for every cell.

    W2 starts at zero, so that the network begins as it was. It has (C + 1) + (CP + P) + 2P + (PC + C) parameters for P = C/r.

    Args:
        channels: C.
        ratio: r, C over the channels of the bottleneck.
    """

    def __init__(self, channels: int, ratio: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // ratio)
        self.attention = nn.Conv2d(channels, 1, 1)
        self.reduce = nn.Linear(channels, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.expand = nn.Linear(hidden, channels)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def pooled(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> c, (N, C)."""
        shares = F.softmax(self.attention(x).flatten(1), dim=1)
        pooled: Tensor = torch.einsum("nci,ni->nc", x.flatten(2), shares.to(x.dtype))
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> the same shape."""
        added: Tensor = self.expand(torch.relu(self.norm(self.reduce(self.pooled(x)))))
        return x + added[:, :, None, None]


def build(channels: int, ratio: int) -> GlobalContext:
    """The gate over a tap of `channels`."""
    return GlobalContext(channels, ratio)
