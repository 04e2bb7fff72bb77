"""What a data set is once it is open: class names, and a training and a validation split of decoded images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.text import printable

IGNORED = 255
"""The label of a pixel that is neither trained on nor scored."""

LONGEST_CLASS_NAME = 100

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class DataOptions:
    """What a data set's module needs to know; `cache` is where it may generate and decode.

    Attributes:
        root: The folder of the data; None where there is none.
        classes: The classes that count, by name, in this order; None: all.
        train_split: `train_aug` or `trainval_aug`.
    """

    root: Path | None
    cache: Path
    classes: tuple[str, ...] | None = None
    train_split: str = "train_aug"


class Pixels(Protocol):
    """The bytes of all images: an array, or the cache's file, which is looked at for damage as it is read."""

    def __getitem__(self, part: slice, /) -> Image:
        """The bytes from `part.start` to `part.stop`, which lie within one image: a read-only view."""


@dataclass(frozen=True)
class Split:
    """Decoded images in one flat sequence of bytes: each one's pixels, then its labels.

    Attributes:
        shapes: Height and width of each image.
        label_map: (256,) new id of each label, where only some classes count.
    """

    ids: tuple[str, ...]
    pixels: Pixels
    offsets: Sequence[int]
    shapes: Sequence[tuple[int, int]]
    label_map: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, i: int) -> Image:
        """Image i, RGB, uint8 (H, W, 3): a read-only view."""
        (height, width), start = self.shapes[i], self.offsets[i]
        return self.pixels[start : start + 3 * height * width].reshape(height, width, 3)

    def label(self, i: int) -> Image:
        """The class ids of image i, uint8 (H, W), 255 where ignored."""
        (height, width), start = self.shapes[i], self.offsets[i]
        start += 3 * height * width
        ids = self.pixels[start : start + height * width].reshape(height, width)
        return ids if self.label_map is None else self.label_map[ids]


@dataclass(frozen=True)
class Dataset:
    """A data set that is ready to be trained on.

    Attributes:
        ignore: 255 where label maps may hold it, None where every pixel counts.
    """

    classes: tuple[str, ...]
    ignore: int | None
    train: Split
    val: Split

    def select_classes(self, wanted: tuple[str, ...] | None) -> Dataset:
        """The same images with the classes `wanted` alone, numbered in that order; every other pixel is ignored."""
        if wanted is None:
            return self
        label_map = np.full(256, IGNORED, np.uint8)
        label_map[class_indices(self.classes, wanted)] = np.arange(len(wanted))
        train, val = (replace(split, label_map=label_map) for split in (self.train, self.val))
        return Dataset(wanted, IGNORED, train, val)


def check_class_names(names: Any) -> tuple[str, ...]:
    """The names of classes, as a file has them. Raises `ValueError` where they are not names, all different, of 1 to 255."""
    if not isinstance(names, list | tuple) or not 0 < len(names) <= IGNORED:
        raise ValueError(f"expected 1 to {IGNORED} different class names")
    for name in names:
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_CLASS_NAME or printable(name) != name:
            shown = printable(str(name)[:LONGEST_CLASS_NAME])
            raise ValueError(f"expected class names of 1 to {LONGEST_CLASS_NAME} printable characters, found '{shown}'")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"expected 1 to {IGNORED} different class names, found '{twice}' twice")
    return tuple(names)


def class_indices(classes: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted names stand among the classes. Raises `UserError` for an unknown, repeated or missing name."""
    if len(set(wanted)) != len(wanted) or not wanted:
        raise UserError(f"classes={list(wanted)}: expected at least one class and none twice")
    for name in wanted:
        if name not in classes:
            raise unknown("class", name, classes)
    return [classes.index(name) for name in wanted]
