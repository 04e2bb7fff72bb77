"""CamVid: 367 training, 101 validation and 233 test frames of 480x360 pixels, 11 classes (not in the paper).

    {train,val,test}/<id>.png              frames
    {train,val,test}annot/<id>.png         class ids; 11 is unlabelled and ignored

As in SegNet's publication of it. The literature scores on the *test* frames; so does this module.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.dataset import IGNORED, DataOptions, Dataset, Image
from parsenet_cli.data.decoding import Listing, ReadLabel, Source
from parsenet_cli.data.layout import Layout, Lists, check_train_split, ids_in, required_root
from parsenet_cli.data.voc_layout import mask_reader

_NAMES = "sky building pole road pavement tree sign-symbol fence car pedestrian bicyclist"
CLASSES = tuple(_NAMES.split())
USUAL = (len(CLASSES), 360, 480)
UNLABELLED = len(CLASSES)
FINGERPRINT_FILES: tuple[str, ...] = ("trainannot", "CamVid/trainannot")

_TRAINED_ON = {"train_aug": ("train",), "trainval_aug": ("train", "val")}


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the frames and labels in use."""
    return layout(options).identity(options, progress)


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on `train` (with `val` where train_split is trainval_aug), scored on `test`; 255 is ignored."""
    return layout(options).open_dataset(options, progress)


def lists(root: Path) -> Lists:
    """The frames of `train`, `val` and `test`: what lies in the folder of that name, by name."""
    inside = root / "CamVid"
    return {part: _frames(inside if inside.is_dir() else root, part) for part in ("train", "val", "test")}


def label_reader(_root: Path) -> ReadLabel:
    """Reads an annotation; raises `UserError` for ids above 11."""
    read_ids = mask_reader(len(CLASSES) + 1)

    def read(path: Path) -> Image:
        ids = read_ids(path)
        return np.where(ids == UNLABELLED, np.uint8(IGNORED), ids)

    return read


def layout(options: DataOptions) -> Layout:
    """What is read of the folder. Raises `UserError` where that is missing."""
    root = required_root(options, "camvid", "train/, trainannot/, test/, testannot/")
    check_train_split(options, "camvid", _TRAINED_ON)
    frames, trained_on = lists(root), _TRAINED_ON[options.train_split]
    train = frames[trained_on[0]][0], [source for part in trained_on for source in frames[part][1]]
    splits = {"train": train, "test": frames["test"]}
    return Layout("camvid", CLASSES, splits, label_reader(root), "camvid")


def _frames(root: Path, part: str) -> Listing:
    images, labels = root / part, root / f"{part}annot"
    return images, [Source(name, images / f"{name}.png", labels / f"{name}.png") for name in ids_in(images, ".png")]
