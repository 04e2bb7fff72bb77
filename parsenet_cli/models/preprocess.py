"""From an 8-bit RGB image to the numbers a trunk was trained on. It is part of the network: no caller can get it wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Convention:
    """What a trunk expects: channel order, and what is subtracted and divided by, per channel in that order, of 0-255."""

    order: Literal["RGB", "BGR"]
    mean: tuple[float, ...]
    std: tuple[float, ...] = (1.0, 1.0, 1.0)


CAFFE = Convention("BGR", (104.00699, 116.66877, 122.67892))
"""Caffe's VGG and ParseNet: BGR, the mean subtracted, no division (the authors' matlab/caffe/wl_segmentImage.m)."""

TORCHVISION = Convention("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""torchvision's ImageNet networks: RGB, mean (0.485, 0.456, 0.406) and std (0.229, 0.224, 0.225) of the 0-1 range."""


class Preprocess(nn.Module):
    """8-bit RGB (N, 3, H, W) -> float32 in the trunk's own order and range."""

    mean: Tensor
    std: Tensor

    def __init__(self, convention: Convention) -> None:
        super().__init__()
        self.convention = convention
        self.register_buffer("mean", torch.tensor(convention.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(convention.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 RGB (N, 3, H, W) -> float32 (N, 3, H, W), channels last in memory."""
        ordered = images.flip(1) if self.convention.order == "BGR" else images
        ordered = ordered.to(torch.float32, memory_format=torch.channels_last)
        return (ordered - self.mean).div_(self.std)

    def extra_repr(self) -> str:
        """The convention, for `print(model)`."""
        return str(self.convention)
