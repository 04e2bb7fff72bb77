"""A small folder in VOC's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, height: int, width: int) -> Image.Image:
    """An image of random colours."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def fill(file: Path, value: int, height: int = 6, width: int = 8) -> None:
    """Write a mask of one class, whose first pixel is ignored."""
    ids = np.full((height, width), value, np.uint8)
    ids[0, 0] = 255
    Image.fromarray(ids).save(file)


def write_ids(file: Path, ids: str) -> None:
    """Write a list of the ids in a text."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{name}\n" for name in ids.split()))


def write(root: Path, classes: str, height: int = 6, width: int = 8, **lists: str) -> Path:
    """A folder with these lists of ids, in which image n is noise and shows class n, counted around."""
    (root / "JPEGImages").mkdir(parents=True)
    (root / "SegmentationClass").mkdir()
    write_ids(root / "classes.txt", classes)
    for name, ids in lists.items():
        write_ids(root / "ImageSets" / "Segmentation" / f"{name}.txt", ids)
    for n, name in enumerate(sorted({name for ids in lists.values() for name in ids.split()})):
        noise(n, height, width).save(root / "JPEGImages" / f"{name}.jpg")
        fill(root / "SegmentationClass" / f"{name}.png", n % len(classes.split()), height, width)
    return root
