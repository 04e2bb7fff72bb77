"""Any folder of images in VOC's layout, with its class names in `classes.txt`.

`classes=[…]` picks the classes that count by name; every other pixel is ignored in training and in scoring.
"""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data import voc_layout
from parsenet_cli.data.dataset import DataOptions, Dataset
from parsenet_cli.data.decoding import ReadLabel
from parsenet_cli.data.layout import Layout, required_root

FINGERPRINT_FILES: tuple[str, ...] = ("classes.txt",)

lists = voc_layout.lists


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the folder's lists, images and masks."""
    return layout(options).identity(options, progress)


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on the list `trainaug` (or `train_aug`, or `train`), scored on `val`."""
    return layout(options).open_dataset(options, progress)


def label_reader(root: Path) -> ReadLabel:
    """Reads a mask of the classes in classes.txt."""
    return voc_layout.mask_reader(len(voc_layout.class_names(root)))


def layout(options: DataOptions) -> Layout:
    """What is read of the folder. Raises `UserError` where that is missing."""
    root = required_root(options, "folder", "JPEGImages/, SegmentationClass/, ImageSets/Segmentation/, classes.txt")
    return voc_layout.layout("folder", root, voc_layout.class_names(root), options)
