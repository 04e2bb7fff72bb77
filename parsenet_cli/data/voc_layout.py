"""The VOC devkit's layout: images, palette masks, and lists of ids; shared by every data set that comes this way.

JPEGImages/<id>.jpg                  an image
SegmentationClass/<id>.png           8-bit palette PNG, the pixel value is the class id, 255 ignored
SegmentationClassAug/<id>.png        optional: masks for ids the folder above has none for (VOC + SBD)
ImageSets/Segmentation/<list>.txt    one id per line
classes.txt                          optional: line n, counted from 0, names class n
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from parsenet_cli.core import pictures
from parsenet_cli.core.errors import UserError
from parsenet_cli.data.dataset import IGNORED, DataOptions, Image, check_class_names
from parsenet_cli.data.decoding import ReadLabel, Source
from parsenet_cli.data.layout import Layout, Lists, check_train_split, read_ids, read_lines

# The lists that stand for a value of `train_split`, the first that exists.
_TRAIN_LISTS = {
    "train_aug": ("train_aug", "trainaug", "train"),
    "trainval_aug": ("trainval_aug", "trainvalaug", "trainval"),
}


def layout(name: str, root: Path, classes: tuple[str, ...], options: DataOptions) -> Layout:
    """What is trained on and scored on. Raises `UserError` where a list is missing."""
    check_train_split(options, name, _TRAIN_LISTS)
    files = {"train": _first_list(root, _TRAIN_LISTS[options.train_split]), "val": _first_list(root, ("val",))}
    splits = {part: (file, _sources(root, file)) for part, file in files.items()}
    return Layout(name, classes, splits, mask_reader(len(classes)), f"voc:{len(classes)}")


def devkit(root: Path, year: int) -> Path:
    """The folder `VOC<year>` at or below `root`. Raises `UserError` when it is another year's."""
    inside = [root / "VOCdevkit" / f"VOC{year}", root / f"VOC{year}", root]
    folder = next((folder for folder in inside if (folder / "JPEGImages").is_dir()), None)
    devkits = (file for depth in ("", "VOCdevkit/", "*/VOCdevkit/") for file in root.glob(f"{depth}VOC20??/JPEGImages"))
    other = _other_year(folder, year) if folder else next((file.parent.name for file in sorted(devkits)), None)
    if other:
        raise UserError(
            f"{folder or root}: this looks like {other}, expected VOC{year}/JPEGImages and its lists; data_root= names the "
            f"folder that holds VOC{year} or VOCdevkit/VOC{year}"
        )
    return folder or root


def lists(root: Path) -> Lists:
    """Every list of `ImageSets/Segmentation` with the sources it names; of `test` there are no masks."""
    files = sorted((root / "ImageSets" / "Segmentation").glob("[!.]*.txt"))
    if not files:
        raise UserError(f"{root / 'ImageSets' / 'Segmentation'}: no lists; expected train.txt and val.txt there")
    return {file.stem: (file, _sources(root, file)) for file in files if file.stem != "test"}


def class_names(root: Path) -> tuple[str, ...]:
    """The names in `classes.txt`. Raises `UserError` when the file is missing, empty or names a class twice."""
    file = root / "classes.txt"
    names = read_lines(file, "the name of class n on line n, counted from 0")
    try:
        return check_class_names(names)
    except ValueError as problem:
        raise UserError(f"{file}: {problem}; one per line, {len(names)} are there") from None


def mask_reader(classes: int) -> ReadLabel:
    """Reads a mask PNG; raises `UserError`, naming the file, for anything but ids below `classes` and 255."""

    def read(path: Path) -> Image:
        with pictures.opened(path, "mask", pictures.MASKS) as image:
            mode, ids = image.mode, np.asarray(image)
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
    images, masks, more_masks = (root / name for name in ("JPEGImages", "SegmentationClass", "SegmentationClassAug"))
    additional = {file.stem for file in more_masks.glob("*.png")}
    additional -= {file.stem for file in masks.glob("*.png")} if additional else set()
    return [
        Source(name, images / f"{name}.jpg", (more_masks if name in additional else masks) / f"{name}.png")
        for name in read_ids(listing)
    ]


def _other_year(folder: Path, year: int) -> str | None:
    """Another year's name, told by the folder's or, as to 2007, by images that are only numbered."""
    name = folder.resolve().name
    if re.fullmatch(r"VOC20\d\d", name):
        return name if name != f"VOC{year}" else None
    image = next((folder / "JPEGImages").glob("*.jpg"), None)
    return "VOC2007" if image and re.fullmatch(r"\d{6}", image.stem) else None


def _first_list(root: Path, names: tuple[str, ...]) -> Path:
    files = [root / "ImageSets" / "Segmentation" / f"{name}.txt" for name in names]
    if (first := next(filter(Path.is_file, files), None)) is not None:
        return first
    expected = " or ".join(file.name for file in files)
    raise UserError(f"{files[0].parent}: no such list; expected {expected} with one id per line")
