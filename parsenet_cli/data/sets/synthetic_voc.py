"""Generated animal scenes in VOC's layout: the stand-in for `voc12` in the quick profile (see `scenes.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data import voc_layout
from parsenet_cli.data.dataset import DataOptions, Dataset
from parsenet_cli.data.synthetic.generate import ensure_generated
from parsenet_cli.data.synthetic.scenes import VOC_CLASSES, Scene, voc_scene

VERSION = 1
"""Raised when the pictures change."""


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """Name and version: known before anything is painted."""
    return f"synthetic_voc:{VERSION}"


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """400 training and 150 validation scenes, painted on first use and read as VOC is read."""
    root = ensure_generated("synthetic_voc", VERSION, voc_scene, _VocLayout(), options.cache, progress)
    return voc_layout.open_dataset("synthetic_voc", root, voc_layout.class_names(root), options, progress)


class _VocLayout:
    def write(self, root: Path, name: str, scene: Scene) -> None:
        from PIL import Image

        pictures, masks = root / "JPEGImages", root / "SegmentationClass"
        pictures.mkdir(parents=True, exist_ok=True)
        masks.mkdir(exist_ok=True)
        Image.fromarray(scene.image).save(pictures / f"{name}.jpg", quality=92, subsampling=0)
        mask = Image.fromarray(scene.label).convert("P")
        mask.putpalette(palette().tobytes())
        mask.save(masks / f"{name}.png")

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        folder = root / "ImageSets" / "Segmentation"
        folder.mkdir(parents=True)
        for part, ids in {**lists, "trainval": [*lists["train"], *lists["val"]]}.items():
            (folder / f"{part}.txt").write_text("".join(f"{name}\n" for name in ids))
        (root / "classes.txt").write_text("".join(f"{name}\n" for name in VOC_CLASSES))


def palette() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """VOC's colours, (256, 3): the bits of an id are dealt out to red, green and blue, most significant first."""
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for place in range(8):
        for channel in range(3):
            colours[:, channel] |= (((ids >> channel) & 1) << (7 - place)).astype(np.uint8)
        ids >>= 3
    return colours
