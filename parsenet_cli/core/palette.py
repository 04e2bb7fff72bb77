"""The VOC palette, which gives every class id a colour, and label maps as indexed PNGs (docs/predict.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = npt.NDArray[np.uint8]

LONGEST_SIDE = 4096
"""Pixels of a small image or label map that a results folder keeps."""


def _colours() -> Pixels:
    """The bits of an id are dealt out, from the lowest, to red, green and blue in turn; the first round fills the highest
    bit of each, the next one the bit below (FCN's data/pascal/convert_sbdd.py)."""
    rgb = np.zeros((256, 3), np.uint8)
    for n in range(3):
        rgb |= ((np.arange(256)[:, None] >> (3 * n + np.arange(3)) & 1) << (7 - n)).astype(np.uint8)
    return rgb


COLOURS = _colours()
"""(256, 3) RGB by the rule of the VOC development kit; ids 0 to 20 are VOC's classes, 255 its border."""


def is_label_map(array: npt.NDArray[np.generic]) -> bool:
    """Whether an array is a small map of class ids (h, w)."""
    return array.dtype == np.uint8 and array.ndim == 2 and min(array.shape) > 0 and max(array.shape) <= LONGEST_SIDE


def indexed(ids: Pixels) -> Image:
    """A label map (H, W) as an 8-bit image with the palette: what is stored is the ids, what is seen is colours."""
    from PIL import Image

    image = Image.fromarray(ids)
    image.putpalette(COLOURS.tobytes())
    return image
