"""Generated animal scenes in VOC's layout: the stand-in for `voc12` in the quick profile (see `scenes.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from parsenet_cli.core.files import new_file
from parsenet_cli.core.palette import indexed
from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data import voc_layout
from parsenet_cli.data.dataset import DataOptions, Dataset
from parsenet_cli.data.layout import write_ids
from parsenet_cli.data.synthetic.generate import ensure_generated, write_jpg
from parsenet_cli.data.synthetic.scenes import SIZE, VOC_CLASSES, Scene, voc_scene

VERSION = 1
"""Raised when the images change."""

USUAL = (len(VOC_CLASSES), SIZE, SIZE)


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """Name and version: known before anything is drawn."""
    return f"synthetic_voc:{VERSION}"


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """400 training and 150 validation scenes, drawn on first use and read as VOC is read."""
    root = ensure_generated("synthetic_voc", VERSION, voc_scene, _Writer(), options.cache, progress)
    return voc_layout.layout("synthetic_voc", root, VOC_CLASSES, options).open_dataset(options, progress)


class _Writer:
    def write(self, root: Path, name: str, scene: Scene) -> None:
        write_jpg(root / "JPEGImages" / f"{name}.jpg", scene.image)
        with new_file(root / "SegmentationClass" / f"{name}.png") as file:
            indexed(scene.label).save(file, "PNG")

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        for part, ids in {**lists, "trainval": [*lists["train"], *lists["val"]]}.items():
            write_ids(root / "ImageSets" / "Segmentation" / f"{part}.txt", ids)
        write_ids(root / "classes.txt", VOC_CLASSES)
