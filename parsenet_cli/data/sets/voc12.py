"""PASCAL VOC 2012 with the additional masks of SBD: 10 582 training and 1 449 validation images (§4).

The folder is the devkit's `VOC2012`, with the merged masks in `SegmentationClassAug` and the list
`ImageSets/Segmentation/train_aug.txt` (or `trainaug.txt`). An official mask goes before a merged one.
"""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data import voc_layout
from parsenet_cli.data.dataset import DataOptions, Dataset
from parsenet_cli.data.decoding import ReadLabel
from parsenet_cli.data.layout import Layout, Lists, required_root

_NAMES = """
    background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant
    sheep sofa train tvmonitor"""
CLASSES = tuple(_NAMES.split())
FINGERPRINT_FILES: tuple[str, ...] = ("JPEGImages", "VOC2012", "VOCdevkit")


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the lists, images and masks in use."""
    return layout(options).identity(options, progress)


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on `train_aug` (or `trainval_aug`), scored on `val`; 255 is ignored."""
    return layout(options).open_dataset(options, progress)


def lists(root: Path) -> Lists:
    """Every list of the segmentation task that has masks, with what it names; `trainaug` is called `train_aug`."""
    official = {"trainaug": "train_aug", "trainvalaug": "trainval_aug"}
    return {
        official.get(name, name): listing for name, listing in voc_layout.lists(voc_layout.devkit(root, 2012)).items()
    }


def label_reader(_root: Path) -> ReadLabel:
    """Reads a mask of 21 classes."""
    return voc_layout.mask_reader(len(CLASSES))


def layout(options: DataOptions) -> Layout:
    """What is read of the folder. Raises `UserError` where that is missing."""
    root = voc_layout.devkit(required_root(options, "voc12", "VOCdevkit/VOC2012"), 2012)
    return voc_layout.layout("voc12", root, CLASSES, options)
