"""Generated animal scenes in PASCAL-Context's layout: every pixel has a class, scenery included (see `scenes.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.dataset import DataOptions, Dataset
from parsenet_cli.data.layout import write_ids
from parsenet_cli.data.sets import pascal_context
from parsenet_cli.data.synthetic.generate import ensure_generated, write_jpg, write_mat
from parsenet_cli.data.synthetic.scenes import CONTEXT_CLASSES, SIZE, Scene, context_scene

VERSION = 1
"""Raised when the images change."""

USUAL = (1 + len(CONTEXT_CLASSES), SIZE, SIZE)

# What PASCAL-Context's labels.txt calls the classes of `CONTEXT_CLASSES`.
_NUMBERS = (65, 98, 113, 207, 347, 187, 189, 259, 360, 420, 445)
# A number that names none of them: what the small things of a scene are labelled with.
_OTHER = 371


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """Name and version: known before anything is drawn."""
    return f"synthetic_context:{VERSION}"


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """400 training and 150 validation scenes, drawn on first use and read as PASCAL-Context is read."""
    root = ensure_generated("synthetic_context", VERSION, context_scene, _Writer(), options.cache, progress)
    return pascal_context.layout_of("synthetic_context", root).open_dataset(options, progress)


class _Writer:
    def write(self, root: Path, name: str, scene: Scene) -> None:
        write_jpg(root / "VOCdevkit/VOC2010/JPEGImages" / f"{name}.jpg", scene.image)
        numbers = np.array([_OTHER, *_NUMBERS], np.uint16)
        write_mat(root / "pascal-context/trainval" / f"{name}.mat", LabelMap=numbers[scene.label])

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        for part, ids in lists.items():
            write_ids(root / "VOCdevkit/VOC2010/ImageSets/Main" / f"{part}.txt", ids)
        known = list(zip(_NUMBERS, CONTEXT_CLASSES, strict=True))
        for file, names in (("59_labels.txt", known), ("labels.txt", sorted([*known, (_OTHER, "stone")]))):
            write_ids(root / "pascal-context" / file, [f"{number}: {name}" for number, name in names])
