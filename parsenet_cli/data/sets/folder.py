"""Any folder of photographs in VOC's layout, with its class names in `classes.txt`.

`classes=[…]` picks the classes that count by name; every other pixel is ignored in training and in scoring.
"""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data import voc_layout
from parsenet_cli.data.dataset import DataOptions, Dataset, required_root
from parsenet_cli.data.decoding import ReadLabel, Source

MARKS = ("classes.txt",)
"""What tells a folder of this data set."""


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the folder's lists, pictures and masks."""
    root = _root(options)
    return voc_layout.identity("folder", root, voc_layout.class_names(root), options, progress)


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on the list `trainaug` (or `train_aug`, or `train`), scored on `val`."""
    root = _root(options)
    return voc_layout.open_dataset("folder", root, voc_layout.class_names(root), options, progress)


def lists(root: Path) -> dict[str, tuple[Path, list[Source]]]:
    """Every list of the folder, with what it names."""
    return voc_layout.lists(root)


def label_reader(root: Path) -> ReadLabel:
    """Reads a mask of the classes in classes.txt."""
    return voc_layout.mask_reader(len(voc_layout.class_names(root)))


def _root(options: DataOptions) -> Path:
    return required_root(options, "folder", "JPEGImages/, SegmentationClass/, ImageSets/Segmentation/, classes.txt")
