"""What numbers a trunk was trained on: channel order, mean and scale. Nothing here imports torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

Order = Literal["RGB", "BGR"]

_LARGEST_MEAN, _SCALES = 1e6, (1e-6, 1e6)


@dataclass(frozen=True)
class InputNormalization:
    """What a trunk expects: channel order, and what is subtracted and divided by, per channel in that order, of 0-255."""

    order: Order
    mean: tuple[float, ...]
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        """Raises `ValueError` where an image would become something else than finite numbers."""
        smallest, largest = _SCALES
        if not (
            len(self.mean) == 3 and all(math.isfinite(value) and abs(value) <= _LARGEST_MEAN for value in self.mean)
        ):
            raise ValueError(f"mean {self.mean}: expected three numbers of the 0-255 range")
        if not (len(self.std) == 3 and all(smallest <= value <= largest for value in self.std)):
            raise ValueError(f"scale {self.std}: expected three positive numbers of the 0-255 range")

    def in_order(self, order: Order) -> InputNormalization:
        """The same mean and scale of every colour, for channels in `order`."""
        if order == self.order:
            return self
        return replace(self, order=order, mean=self.mean[::-1], std=self.std[::-1])

    def with_mean(self, rgb: tuple[float, float, float]) -> InputNormalization:
        """Another mean, given as red, green, blue."""
        return replace(self, mean=rgb if self.order == "RGB" else rgb[::-1])

    def metadata(self) -> dict[str, str]:
        """As a weights file says it: `channel_order`, `mean_…` and `std_…`, read back by `Weights.normalization`."""
        kind = self.order.lower()
        texts = {key: ",".join(map(str, values)) for key, values in (("mean", self.mean), ("std", self.std))}
        return {"channel_order": self.order} | {f"{key}_{kind}": text for key, text in texts.items()}


CAFFE = InputNormalization("BGR", (104.00699, 116.66877, 122.67892))
"""Caffe's VGG and ParseNet: BGR, the mean subtracted, no division (the authors' matlab/caffe/wl_segmentImage.m)."""

TORCHVISION = InputNormalization("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""torchvision's ImageNet networks: RGB, mean (0.485, 0.456, 0.406) and std (0.229, 0.224, 0.225) of the 0-1 range."""
