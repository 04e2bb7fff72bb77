"""PASCAL-Context: 4 998 training and 5 105 validation images of VOC 2010, 59 classes and one for the rest (§4).

    VOCdevkit/VOC2010/JPEGImages/<id>.jpg
    VOCdevkit/VOC2010/ImageSets/Main/{train,val}.txt
    pascal-context/trainval/<id>.mat       LabelMap, numbers of labels.txt
    pascal-context/labels.txt              "number: name", 459 of them
    pascal-context/59_labels.txt           the names that count, in the order of the classes

Classes are found by name, as in FCN's pascalcontext_layers.py; every other pixel is class 0, which is trained and
scored like any other: nothing is ignored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.dataset import DataOptions, Dataset, Image, check_class_names
from parsenet_cli.data.decoding import Listing, ReadLabel, Source
from parsenet_cli.data.fingerprint import digest
from parsenet_cli.data.layout import Layout, Lists, check_train_split, read_ids, read_lines, required_root
from parsenet_cli.data.mat_file import label_map_reader
from parsenet_cli.data.voc_layout import devkit

SAME_CLASS = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}
"""Three names of 59_labels.txt that labels.txt spells otherwise."""

LARGEST_NUMBER = 65535
"""Of labels.txt; a LabelMap has 16 bits a pixel."""

USUAL = (60, 375, 500)
FINGERPRINT_FILES: tuple[str, ...] = ("pascal-context",)


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the lists, names, images and label maps."""
    return layout(options).identity(options, progress)


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on the devkit's `Main/train.txt`, scored on `Main/val.txt`."""
    return layout(options).open_dataset(options, progress)


def layout(options: DataOptions) -> Layout:
    """What is read of the folder. Raises `UserError` where that is missing."""
    return layout_of("pascal_context", _root(options))


def layout_of(name: str, root: Path) -> Layout:
    """What is trained on and scored on in a folder of this layout."""
    classes, table = class_table(root)
    numbers, reader = table.tobytes().hex(), label_map_reader("LabelMap", table)
    return Layout(name, classes, lists(root), reader, digest(["context", numbers]), ignore=None, more=(numbers,))


def class_table(root: Path) -> tuple[tuple[str, ...], Image]:
    """The classes in order, "background" first, and the class of every number that a LabelMap may hold.

    Raises `UserError` when a file of names is missing or malformed, or names a class that labels.txt does not have.
    """
    folder = root / "pascal-context"
    numbers = {name: number for number, name in _names(folder / "labels.txt")}
    table = np.zeros(max(numbers.values(), default=0) + 1, np.uint8)
    names = [name for _, name in _names(folder / "59_labels.txt")]
    try:
        classes = check_class_names(["background", *names])
    except ValueError as problem:
        raise UserError(f"{folder / '59_labels.txt'}: {problem}") from None
    for index, name in enumerate(names, start=1):
        number = numbers.get(name, numbers.get(SAME_CLASS.get(name, name)))
        if number is None:
            raise UserError(f"{folder / '59_labels.txt'}: '{name}' does not stand in {folder / 'labels.txt'}")
        table[number] = index
    return classes, table


def lists(root: Path) -> Lists:
    """The devkit's `train` and `val` of the main task, with what they name."""
    return {part: _listing(root, part) for part in ("train", "val")}


def label_reader(root: Path) -> ReadLabel:
    """Reads a label map of the folder's labels.txt."""
    return label_map_reader("LabelMap", class_table(root)[1])


def _listing(root: Path, part: str) -> Listing:
    voc = devkit(root, 2010)
    voc = root / "VOCdevkit" / "VOC2010" if voc == root else voc
    images, labels = voc / "JPEGImages", root / "pascal-context" / "trainval"
    listing = voc / "ImageSets" / "Main" / f"{part}.txt"
    return listing, [Source(name, images / f"{name}.jpg", labels / f"{name}.mat") for name in read_ids(listing)]


def _names(file: Path) -> list[tuple[int, str]]:
    """The pairs of a file of lines "number: name"; spaces in a name do not count."""
    example = "lines such as '2: aeroplane'"
    try:
        pairs = [line.split(":", 1) for line in read_lines(file, example)]
        names = [(int(number), name.replace(" ", "")) for number, name in pairs]
    except ValueError:
        raise UserError(f"{file}: malformed; expected {example}") from None
    if any(not 0 <= number <= LARGEST_NUMBER for number, _ in names):
        raise UserError(f"{file}: malformed; expected numbers of 0 to {LARGEST_NUMBER} in {example}")
    return names


def _root(options: DataOptions) -> Path:
    check_train_split(options, "pascal_context")
    return required_root(options, "pascal_context", "VOCdevkit/VOC2010 and pascal-context")
