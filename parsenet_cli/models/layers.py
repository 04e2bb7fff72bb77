"""Layers and initial weights that are Caffe's or SqueezeNet's rather than PyTorch's.

Initial weights: Caffe's fillers for the head (include/caffe/filler.hpp), He's for a trunk without weights, the bilinear
kernel of a deconvolution. Layers: a faster dropout and the fire module.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Generator, Tensor, nn

Filler = Literal["xavier", "zero", "gaussian"]


def fan_in(weight: Tensor) -> int:
    """Inputs of one output: in_channels * kh * kw of a weight (out, in, kh, kw)."""
    return weight[0].numel()


def xavier_range(inputs: int) -> float:
    """Caffe's xavier is uniform on ±sqrt(3 / fan_in); `torch.nn.init.xavier_uniform_` also looks at the fan-out."""
    return math.sqrt(3 / inputs)


@torch.no_grad()
def fill_(weight: Tensor, filler: Filler, generator: Generator) -> None:
    """Fill a weight of the head: Caffe's `xavier`, `zero` (Caffe's default, FCN's heads), `gaussian` with std 0.01."""
    match filler:
        case "xavier":
            bound = xavier_range(fan_in(weight))
            weight.uniform_(-bound, bound, generator=generator)
        case "zero":
            weight.zero_()
        case "gaussian":
            weight.normal_(0.0, 0.01, generator=generator)


@torch.no_grad()
def he_(trunk: nn.Module, generator: Generator) -> None:
    """Fill a trunk to be trained from nothing: normal with variance 2 / fan_in, so that ReLU layers keep their scale."""
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.normal_(0.0, math.sqrt(2 / fan_in(module.weight)), generator=generator)
            if module.bias is not None:
                module.bias.zero_()


def bilinear_kernel(size: int) -> Tensor:
    """The (size, size) kernel of a bilinear deconvolution; its factor is ceil(size / 2) (FCN's surgery.py).

    Each side is 1 - |i - centre| / factor; the values sum to factor^2 when size is 2 * factor or 2 * factor - 1.
    """
    factor = (size + 1) // 2
    side = 1 - (torch.arange(size) - (size - 1) / 2).abs() / factor
    return torch.outer(side, side)


class Dropout(nn.Module):
    """Each value is zeroed with probability `p` in training, the others are divided by 1 - p.

    The same as `torch.nn.Dropout`, whose Bernoulli draws take five times as long on a CPU; on a GPU it is that, in one kernel.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; draws from PyTorch's global generator."""
        if not self.training or self.p == 0:
            return x
        if x.is_cuda:
            return torch.dropout(x, self.p, train=True)
        kept = (torch.rand_like(x, dtype=torch.float32) >= self.p).to(x.dtype)
        return x * kept.mul_(1 / (1 - self.p))

    def extra_repr(self) -> str:
        """The probability, for `print(model)`."""
        return f"p={self.p}"


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

    def widest_path(self) -> Iterable[nn.Module]:
        """The layers that decide the receptive field."""
        return (self.squeeze, self.expand3x3)
