"""The VOC devkit's layout: pictures, palette masks, and lists of ids; shared by every data set that comes this way.

JPEGImages/<id>.jpg                  a picture
SegmentationClass/<id>.png           8-bit palette PNG, the pixel value is the class id, 255 ignored
SegmentationClassAug/<id>.png        optional: masks for ids the folder above has none for (VOC + SBD)
ImageSets/Segmentation/<list>.txt    one id per line
classes.txt                          optional: line n, counted from 0, names class n
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.cache import decoded, source_content
from parsenet_cli.data.dataset import IGNORED, DataOptions, Dataset, Image, class_indices
from parsenet_cli.data.decoding import Source, opened
from parsenet_cli.data.fingerprint import digest

_TRAIN_LISTS = {
    "train_aug": ("train_aug", "trainaug", "train"),
    "trainval_aug": ("trainval_aug", "trainvalaug", "trainval"),
}
"""The lists that stand for a value of `train_split`, the first that exists."""


def identity(name: str, root: Path, classes: tuple[str, ...], options: DataOptions, progress: Progress = silent) -> str:
    """`name:` and a hash of the content of every picture, mask and list in use.

    Raises `UserError` for missing lists or files and for unknown names in `options.classes`.
    """
    if options.classes is not None:
        class_indices(classes, options.classes)
    parts = list(classes)
    for listing in (_train_list(root, options.train_split), _list(root, "val")):
        parts += source_content(_sources(root, listing), str(listing), options.cache, progress)
    return f"{name}:{digest(parts)}"


def open_dataset(name: str, root: Path, classes: tuple[str, ...], options: DataOptions, progress: Progress) -> Dataset:
    """The data set in a folder of this layout, decoded. Raises `UserError` as the readers below do."""
    read, coding = mask_reader(len(classes)), f"voc:{len(classes)}"
    train, val = (
        decoded(f"{name}-{kind}", _sources(root, listing), str(listing), read, coding, options.cache, progress)
        for kind, listing in (("train", _train_list(root, options.train_split)), ("val", _list(root, "val")))
    )
    return Dataset(classes, IGNORED, train, val).only(options.classes)


def devkit(root: Path, year: int) -> Path:
    """The folder `VOC<year>` at or below `root`. Raises `UserError` when it is another year's."""
    inside = [root / "VOCdevkit" / f"VOC{year}", root / f"VOC{year}", root]
    folder = next((folder for folder in inside if (folder / "JPEGImages").is_dir()), None)
    other = _other_year(folder, year) if folder else next((file.parent.name for file in _devkits(root)), None)
    if other:
        raise UserError(
            f"{folder or root}: this looks like {other}, expected VOC{year}/JPEGImages and its lists; data_root= names the "
            f"folder that holds VOC{year} or VOCdevkit/VOC{year}"
        )
    return folder or root


def lists(root: Path) -> dict[str, tuple[Path, list[Source]]]:
    """Every list of `ImageSets/Segmentation` with the sources it names; of `test` there are no masks."""
    files = sorted((root / "ImageSets" / "Segmentation").glob("*.txt"))
    if not files:
        raise UserError(f"{root / 'ImageSets' / 'Segmentation'}: no lists; expected train.txt and val.txt there")
    return {file.stem: (file, _sources(root, file)) for file in files if file.stem != "test"}


def class_names(root: Path) -> tuple[str, ...]:
    """The names in `classes.txt`. Raises `UserError` when the file is missing, empty or names a class twice."""
    file = root / "classes.txt"
    try:
        names = tuple(line.strip() for line in file.read_text().splitlines() if line.strip())
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; expected the name of class n on line n, counted from 0") from None
    if not names or len(set(names)) != len(names) or len(names) > IGNORED:
        raise UserError(f"{file}: expected 1 to {IGNORED} different class names, one per line; found {len(names)}")
    return names


def mask_reader(classes: int) -> Callable[[Path], Image]:
    """Reads a mask PNG; raises `UserError`, naming the file, for anything but ids below `classes` and 255."""

    def read(path: Path) -> Image:
        with opened(path, "mask") as picture:
            mode = picture.mode
            ids = np.asarray(picture)
        if mode not in ("P", "L"):
            raise UserError(
                f"{path}: expected a palette or grey PNG whose pixel values are class ids (mode P or L), found mode "
                f"{mode}; save class ids, not colours"
            )
        check_ids(path, ids, classes)
        return ids

    return read


def check_ids(path: Path, ids: Image, classes: int) -> None:
    """Raises `UserError` unless all ids are below `classes` or 255."""
    present = np.flatnonzero(np.bincount(ids.ravel(), minlength=256))
    wrong = [int(value) for value in present if classes <= value != IGNORED]
    if wrong:
        raise UserError(
            f"{path}: class id {wrong[0]} is out of range; expected 0 to {classes - 1}, or {IGNORED} for ignored pixels"
        )


def _sources(root: Path, listing: Path) -> list[Source]:
    masks, more_masks = root / "SegmentationClass", root / "SegmentationClassAug"
    more = {file.stem for file in more_masks.glob("*.png")} if more_masks.is_dir() else set()
    first = {file.stem for file in masks.glob("*.png")} if more else set()
    return [
        Source(
            id=name,
            image=root / "JPEGImages" / f"{name}.jpg",
            label=(more_masks if name in more and name not in first else masks) / f"{name}.png",
        )
        for name in listing.read_text().split()
    ]


def _devkits(root: Path) -> list[Path]:
    return sorted(
        file for depth in ("", "VOCdevkit/", "*/VOCdevkit/") for file in root.glob(f"{depth}VOC20??/JPEGImages")
    )


def _other_year(folder: Path, year: int) -> str | None:
    """Another year's name, told by the folder's or, as to 2007, by pictures that are only numbered."""
    name = folder.resolve().name
    if re.fullmatch(r"VOC20\d\d", name):
        return name if name != f"VOC{year}" else None
    picture = next((folder / "JPEGImages").glob("*.jpg"), None)
    return "VOC2007" if picture and re.fullmatch(r"\d{6}", picture.stem) else None


def _list(root: Path, *names: str) -> Path:
    folder = root / "ImageSets" / "Segmentation"
    for name in names:
        if (folder / f"{name}.txt").is_file():
            return folder / f"{name}.txt"
    raise UserError(
        f"{folder}: no such list; expected {' or '.join(f'{name}.txt' for name in names)} with one id per line"
    )


def _train_list(root: Path, train_split: str) -> Path:
    if train_split not in _TRAIN_LISTS:
        raise unknown("train_split", train_split, _TRAIN_LISTS)
    return _list(root, *_TRAIN_LISTS[train_split])
