"""Initial weights: Caffe's fillers for the head (include/caffe/filler.hpp), He's for a trunk without weights."""

from __future__ import annotations

import math
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
