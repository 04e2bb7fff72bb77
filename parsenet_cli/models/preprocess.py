"""From an 8-bit RGB image to the numbers a trunk was trained on. It is part of the network: no caller can get it wrong."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from parsenet_cli.models.preprocessing_spec import InputNormalization


class Preprocess(nn.Module):
    """8-bit RGB (N, 3, H, W) -> float32 in the trunk's own order and range."""

    mean: Tensor
    std: Tensor

    def __init__(self, normalization: InputNormalization) -> None:
        super().__init__()
        self.normalization = normalization
        self.register_buffer("mean", torch.tensor(normalization.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(normalization.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 RGB (N, 3, H, W) -> float32 (N, 3, H, W), channels last in memory."""
        ordered = images.flip(1) if self.normalization.order == "BGR" else images
        ordered = ordered.to(torch.float32, memory_format=torch.channels_last)
        return (ordered - self.mean).div_(self.std)

    def extra_repr(self) -> str:
        """Order, mean and scale, for `print(model)`."""
        return str(self.normalization)
