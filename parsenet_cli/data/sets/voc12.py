"""PASCAL VOC 2012 with the additional masks of SBD: 10 582 training and 1 449 validation pictures (§4.2).

The folder is the devkit's `VOC2012`, with the merged masks in `SegmentationClassAug` and the list
`ImageSets/Segmentation/train_aug.txt` (or `trainaug.txt`). An official mask goes before a merged one.
"""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data import voc_layout
from parsenet_cli.data.dataset import DataOptions, Dataset, required_root
from parsenet_cli.data.decoding import ReadLabel, Source

CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

MARKS = ("JPEGImages", "VOC2012", "VOCdevkit")
"""What tells a folder of this data set."""


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the lists, pictures and masks in use."""
    return voc_layout.identity("voc12", _root(options), CLASSES, options, progress)


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on `train_aug` (or `trainval_aug`), scored on `val`; 255 is ignored."""
    return voc_layout.open_dataset("voc12", _root(options), CLASSES, options, progress)


def lists(root: Path) -> dict[str, tuple[Path, list[Source]]]:
    """Every list of the segmentation task that has masks, with what it names; `trainaug` is called `train_aug`."""
    found = voc_layout.lists(voc_layout.devkit(root, 2012))
    return {
        {"trainaug": "train_aug", "trainvalaug": "trainval_aug"}.get(name, name): part for name, part in found.items()
    }


def label_reader(_root: Path) -> ReadLabel:
    """Reads a mask of 21 classes."""
    return voc_layout.mask_reader(len(CLASSES))


def _root(options: DataOptions) -> Path:
    return voc_layout.devkit(required_root(options, "voc12", "VOCdevkit/VOC2012"), 2012)
