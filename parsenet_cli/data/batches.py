"""From a split to batches: order, crop, mirror, padding; each batch a pure function of the seed and its number.

So a run that was interrupted goes on with nothing but the number of its next batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from parsenet_cli.data.dataset import IGNORED, Image, Split

Sampling = Literal["shuffle", "replacement"]
_ORDER, _DRAW, _PLACE = 0, 1, 2  # what random numbers are for; no two uses share a stream


@dataclass(frozen=True)
class Batches:
    """The endless sequence of a training's batches: `batches[t]` is batch t, whatever was asked for before.

    `crop`: a square of that many pixels at a random place; an image that is smaller is padded at the bottom and the
    right with `fill`, label 255 (as DeepLab's data layer). Without `crop`: whole images, padded in the same way to
    the largest of the batch. `mirror`: every second image, at random, is flipped left to right.

    Attributes:
        size: Images in a batch.
        fill: The colour (R, G, B) of padding: what the trunk's preprocessing turns to zero.
    """

    split: Split
    size: int
    crop: int | None
    mirror: bool
    sampling: Sampling
    seed: int
    fill: tuple[int, int, int] = (123, 117, 104)

    @property
    def of_whole_images(self) -> bool:
        """Whether every batch consists of whole images and nothing else: neither crops nor padding."""
        return self.crop is None and (self.size == 1 or len(set(self.split.shapes)) == 1)

    def examples(self, number: int) -> list[tuple[int, bool]]:
        """Of each image of batch `number` which one of the split it is, and whether it is mirrored; without crops."""
        places = range(number * self.size, (number + 1) * self.size)
        return [(image_at(len(self.split), self.seed, self.sampling, place), self._mirrored(place)) for place in places]

    def _mirrored(self, place: int) -> bool:
        return self.mirror and bool(_generator(_PLACE, self.seed, place).random() < 0.5)

    def __getitem__(self, number: int) -> tuple[Image, Image]:
        """Batch `number` (from 0): images uint8 RGB (N, 3, H, W), channels last in memory; labels uint8 (N, H, W)."""
        drawn = [self._drawn(number * self.size + k) for k in range(self.size)]
        height, width = (self.crop or max(label.shape[axis] for _, label, _ in drawn) for axis in (0, 1))
        images = np.empty((self.size, height, width, 3), np.uint8)
        labels = np.empty((self.size, height, width), np.uint8)
        for k, (image, label, mirrored) in enumerate(drawn):
            h, w = label.shape
            if (h, w) != (height, width):
                images[k], labels[k] = self.fill, IGNORED
            for pixels, target in ((image, images[k, :h, :w]), (label, labels[k, :h, :w])):
                target[:] = pixels
                if mirrored:
                    _mirror(target)
        return images.transpose(0, 3, 1, 2), labels

    def _drawn(self, position: int) -> tuple[Image, Image, bool]:
        """The part of an image that stands at a position, its labels, and whether both are to be mirrored."""
        i = image_at(len(self.split), self.seed, self.sampling, position)
        image, label = self.split.image(i), self.split.label(i)
        if self.crop is None and not self.mirror:
            return image, label, False
        rng = _generator(_PLACE, self.seed, position)
        if self.crop is not None:
            top, left = (int(rng.integers(max(0, length - self.crop) + 1)) for length in label.shape)
            window = slice(top, top + self.crop), slice(left, left + self.crop)
            image, label = image[window], label[window]
        return image, label, self.mirror and rng.random() < 0.5


def _mirror(pixels: Image) -> None:
    """Flip (H, W, ...) left to right in place: by torch, as numpy is eight times slower at copying reversed pixels."""
    import torch

    pixels[:] = torch.from_numpy(pixels).flip(1).numpy()


def image_at(n: int, seed: int, sampling: Sampling, position: int) -> int:
    """Which of n images stands at a position (from 0) of the endless training order.

    `shuffle`: every image once an epoch, a new order each epoch. `replacement`: any image at any time, as FCN's
    data layers draw (voc_layers.py).
    """
    if sampling == "replacement":
        return int(_generator(_DRAW, seed, position).integers(n))
    epoch, place = divmod(position, n)
    return int(_permutation(n, seed, epoch)[place])


def _generator(use: int, seed: int, position: int) -> np.random.Generator:
    return np.random.default_rng([use, seed, position])


@lru_cache(maxsize=4)
def _permutation(n: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return _generator(_ORDER, seed, epoch).permutation(n)
