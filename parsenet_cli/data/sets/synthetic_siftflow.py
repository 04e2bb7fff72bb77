"""Generated outdoor scenes in SiftFlow's layout, small enough for a receptive field to cover them (see `scenes.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.dataset import DataOptions, Dataset
from parsenet_cli.data.layout import write_ids
from parsenet_cli.data.sets import siftflow
from parsenet_cli.data.synthetic.generate import ensure_generated, write_jpg, write_mat
from parsenet_cli.data.synthetic.scenes import OUTDOOR_CLASSES, OUTDOOR_SIZE, Scene, outdoor_scene

VERSION = 1
"""Raised when the images change."""

USUAL = (len(OUTDOOR_CLASSES), OUTDOOR_SIZE, OUTDOOR_SIZE)


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """Name and version: known before anything is drawn."""
    return f"synthetic_siftflow:{VERSION}"


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """400 training and 150 test scenes, drawn on first use and read as SiftFlow is read."""
    root = ensure_generated("synthetic_siftflow", VERSION, outdoor_scene, _Writer(), options.cache, progress)
    return siftflow.layout_of("synthetic_siftflow", root, OUTDOOR_CLASSES).open_dataset(options, progress)


class _Writer:
    def write(self, root: Path, name: str, scene: Scene) -> None:
        write_jpg(root / "Images" / siftflow.SUBFOLDER / f"{name}.jpg", scene.image)
        write_mat(root / "SemanticLabels" / siftflow.SUBFOLDER / f"{name}.mat", S=scene.label)

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        for file, part in (("trainval", "train"), ("test", "val")):
            write_ids(root / f"{file}.txt", lists[part])
