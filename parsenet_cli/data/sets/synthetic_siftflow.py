"""Generated outdoor scenes in SiftFlow's layout, small enough for a receptive field to cover them (see `scenes.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.dataset import DataOptions, Dataset
from parsenet_cli.data.sets import siftflow
from parsenet_cli.data.synthetic.generate import ensure_generated
from parsenet_cli.data.synthetic.scenes import OUTDOOR_CLASSES, Scene, outdoor_scene

VERSION = 1
"""Raised when the pictures change."""


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """Name and version: known before anything is painted."""
    return f"synthetic_siftflow:{VERSION}"


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """400 training and 150 test scenes, painted on first use and read as SiftFlow is read."""
    root = ensure_generated("synthetic_siftflow", VERSION, outdoor_scene, _SiftFlowLayout(), options.cache, progress)
    return siftflow.open_folder("synthetic_siftflow", root, OUTDOOR_CLASSES, options, progress)


class _SiftFlowLayout:
    def write(self, root: Path, name: str, scene: Scene) -> None:
        from PIL import Image
        from scipy.io import savemat

        pictures, labels = root / "Images" / siftflow.PHOTOS, root / "SemanticLabels" / siftflow.PHOTOS
        pictures.mkdir(parents=True, exist_ok=True)
        labels.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image).save(pictures / f"{name}.jpg", quality=92, subsampling=0)
        savemat(labels / f"{name}.mat", {"S": scene.label}, do_compression=True)

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        for file, part in (("trainval", "train"), ("test", "val")):
            (root / f"{file}.txt").write_text("".join(f"{name}\n" for name in lists[part]))
