"""Generated animal scenes in PASCAL-Context's layout: every pixel has a class, scenery included (see `scenes.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.dataset import DataOptions, Dataset
from parsenet_cli.data.sets import pascal_context
from parsenet_cli.data.synthetic.generate import ensure_generated
from parsenet_cli.data.synthetic.scenes import CONTEXT_CLASSES, Scene, context_scene

VERSION = 1
"""Raised when the pictures change."""

_NUMBERS = (65, 98, 113, 207, 347, 187, 189, 259, 360, 420, 445)
"""What PASCAL-Context's labels.txt calls the classes of `CONTEXT_CLASSES`."""
_OTHER = 371
"""A number that names none of them: what the small things of a scene are labelled with."""


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """Name and version: known before anything is painted."""
    return f"synthetic_context:{VERSION}"


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """400 training and 150 validation scenes, painted on first use and read as PASCAL-Context is read."""
    root = ensure_generated("synthetic_context", VERSION, context_scene, _ContextLayout(), options.cache, progress)
    return pascal_context.open_folder("synthetic_context", root, options, progress)


class _ContextLayout:
    def write(self, root: Path, name: str, scene: Scene) -> None:
        from PIL import Image
        from scipy.io import savemat

        pictures, labels = root / "VOCdevkit/VOC2010/JPEGImages", root / "pascal-context/trainval"
        pictures.mkdir(parents=True, exist_ok=True)
        labels.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image).save(pictures / f"{name}.jpg", quality=92, subsampling=0)
        numbers = np.array([_OTHER, *_NUMBERS], np.uint16)
        savemat(labels / f"{name}.mat", {"LabelMap": numbers[scene.label]}, do_compression=True)

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        folder = root / "VOCdevkit/VOC2010/ImageSets/Main"
        folder.mkdir(parents=True)
        for part, ids in lists.items():
            (folder / f"{part}.txt").write_text("".join(f"{name}\n" for name in ids))
        known = list(zip(_NUMBERS, CONTEXT_CLASSES, strict=True))
        for file, names in (("59_labels.txt", known), ("labels.txt", sorted([*known, (_OTHER, "stone")]))):
            (root / "pascal-context" / file).write_text("".join(f"{number}: {name}\n" for number, name in names))
