"""CamVid: 367 training, 101 validation and 233 test frames of 480x360 pixels, 11 classes (not in the paper).

    {train,val,test}/<id>.png              frames
    {train,val,test}annot/<id>.png         class ids; 11 is unlabelled and ignored

As in SegNet's publication of it. The literature scores on the *test* frames; so does this module.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.cache import decoded, source_content
from parsenet_cli.data.dataset import IGNORED, DataOptions, Dataset, Image, class_indices, required_root
from parsenet_cli.data.decoding import ReadLabel, Source
from parsenet_cli.data.fingerprint import digest
from parsenet_cli.data.voc_layout import mask_reader

CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign-symbol",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
UNLABELLED = len(CLASSES)
MARKS = ("trainannot", "CamVid/trainannot")
"""What tells a folder of this data set."""

_TRAINED_ON = {"train_aug": ("train",), "trainval_aug": ("train", "val")}


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the frames and labels in use."""
    if options.classes is not None:
        class_indices(CLASSES, options.classes)
    parts = list(CLASSES)
    for listing, sources in _splits(options):
        parts += source_content(sources, str(listing), options.cache, progress)
    return f"camvid:{digest(parts)}"


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on `train` (with `val` where train_split is trainval_aug), scored on `test`; 255 is ignored."""
    train, val = (
        decoded(f"camvid-{part}", sources, str(listing), label_reader(), "camvid", options.cache, progress)
        for part, (listing, sources) in zip(("train", "test"), _splits(options), strict=True)
    )
    return Dataset(CLASSES, IGNORED, train, val).only(options.classes)


def lists(root: Path) -> dict[str, tuple[Path, list[Source]]]:
    """The frames of `train`, `val` and `test`: what lies in the folder of that name, by name."""
    inside = root / "CamVid"
    root = inside if inside.is_dir() else root
    return {part: (root / part, _sources(root, part)) for part in ("train", "val", "test")}


def label_reader(_root: Path | None = None) -> ReadLabel:
    """Reads an annotation; raises `UserError` for ids above 11."""
    read_ids = mask_reader(len(CLASSES) + 1)

    def read(path: Path) -> Image:
        ids = read_ids(path)
        return np.where(ids == UNLABELLED, np.uint8(IGNORED), ids)

    return read


def _splits(options: DataOptions) -> list[tuple[Path, list[Source]]]:
    if options.train_split not in _TRAINED_ON:
        raise unknown("train_split", options.train_split, _TRAINED_ON)
    found = lists(required_root(options, "camvid", "train/, trainannot/, test/, testannot/"))
    parts = _TRAINED_ON[options.train_split]
    return [(found[parts[0]][0], [source for part in parts for source in found[part][1]]), found["test"]]


def _sources(root: Path, part: str) -> list[Source]:
    if not (root / part).is_dir():
        raise UserError(f"{root / part}: no such folder; expected the frames of CamVid's {part} there, as PNG")
    names = sorted(file.stem for file in (root / part).glob("*.png"))
    return [Source(name, root / part / f"{name}.png", root / f"{part}annot" / f"{name}.png") for name in names]
