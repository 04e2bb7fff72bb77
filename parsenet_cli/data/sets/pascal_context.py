"""PASCAL-Context: 4 998 training and 5 105 validation pictures of VOC 2010, 59 classes and one for the rest (§4.1).

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
from parsenet_cli.data.cache import decoded, source_content
from parsenet_cli.data.dataset import DataOptions, Dataset, Image, Split, class_indices, required_root
from parsenet_cli.data.decoding import ReadLabel, Source
from parsenet_cli.data.fingerprint import digest
from parsenet_cli.data.mat_file import read_mat
from parsenet_cli.data.voc_layout import devkit

SAME_CLASS = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}
"""Three names of 59_labels.txt that labels.txt spells otherwise."""

MARKS = ("pascal-context",)
"""What tells a folder of this data set."""


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the lists, names, pictures and label maps."""
    root = required_root(options, "pascal_context", "VOCdevkit/VOC2010 and pascal-context")
    _only_training_list(options)
    classes, table = class_table(root)
    if options.classes is not None:
        class_indices(classes, options.classes)
    parts = [*classes, table.tobytes().hex()]
    for name in ("train", "val"):
        listing, sources = _sources(root, name)
        parts += source_content(sources, str(listing), options.cache, progress)
    return f"pascal_context:{digest(parts)}"


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on the devkit's `Main/train.txt`, scored on `Main/val.txt`."""
    _only_training_list(options)
    root = required_root(options, "pascal_context", "VOCdevkit/VOC2010 and pascal-context")
    return open_folder("pascal_context", root, options, progress)


def open_folder(name: str, root: Path, options: DataOptions, progress: Progress) -> Dataset:
    """The data set in a folder of this layout, decoded."""
    classes, table = class_table(root)
    coding = digest(["context", table.tobytes().hex()])

    def split(part: str, listing: Path, sources: list[Source]) -> Split:
        return decoded(f"{name}-{part}", sources, str(listing), _reader(table), coding, options.cache, progress)

    train, val = (split(part, *_sources(root, part)) for part in ("train", "val"))
    return Dataset(classes, None, train, val).only(options.classes)


def class_table(root: Path) -> tuple[tuple[str, ...], Image]:
    """The classes in order, "background" first, and the class of every number that a LabelMap may hold.

    Raises `UserError` when a file of names is missing or malformed, or names a class that labels.txt does not have.
    """
    folder = root / "pascal-context"
    numbers = {name: number for number, name in _names(folder / "labels.txt")}
    table = np.zeros(max(numbers.values()) + 1, np.uint8)
    names = [name for _, name in _names(folder / "59_labels.txt")]
    for index, name in enumerate(names, start=1):
        number = numbers.get(name, numbers.get(SAME_CLASS.get(name, name)))
        if number is None:
            raise UserError(f"{folder / '59_labels.txt'}: '{name}' does not stand in {folder / 'labels.txt'}")
        table[number] = index
    return ("background", *names), table


def lists(root: Path) -> dict[str, tuple[Path, list[Source]]]:
    """The devkit's `train` and `val` of the main task, with what they name."""
    return {part: _sources(root, part) for part in ("train", "val")}


def label_reader(root: Path) -> ReadLabel:
    """Reads a label map of the folder's labels.txt."""
    return _reader(class_table(root)[1])


def _reader(table: Image) -> ReadLabel:
    def read(path: Path) -> Image:
        numbers = read_mat(path, "LabelMap")
        if numbers.size and (numbers.min() < 0 or numbers.max() >= len(table)):
            raise UserError(
                f"{path}: number {numbers.max() if numbers.min() >= 0 else numbers.min()} is out of range; "
                f"labels.txt goes to {len(table) - 1}"
            )
        return table[numbers]

    return read


def _sources(root: Path, part: str) -> tuple[Path, list[Source]]:
    voc = devkit(root, 2010)
    voc = root / "VOCdevkit" / "VOC2010" if voc == root else voc
    listing = voc / "ImageSets" / "Main" / f"{part}.txt"
    if not listing.is_file():
        raise UserError(f"{listing}: no such list; expected one picture id per line")
    labels = root / "pascal-context" / "trainval"
    ids = listing.read_text().split()
    return listing, [Source(name, voc / "JPEGImages" / f"{name}.jpg", labels / f"{name}.mat") for name in ids]


def _names(file: Path) -> list[tuple[int, str]]:
    """The pairs of a file of lines "number: name"; spaces in a name do not count."""
    try:
        pairs = [line.split(":", 1) for line in file.read_text().splitlines() if line.strip()]
        return [(int(number), name.replace(" ", "")) for number, name in pairs]
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; expected lines such as '2: aeroplane'") from None
    except ValueError:
        raise UserError(f"{file}: malformed; expected lines such as '2: aeroplane'") from None


def _only_training_list(options: DataOptions) -> None:
    if options.train_split != "train_aug":
        raise UserError(
            f"train_split={options.train_split}: pascal_context has one training list; leave train_split alone"
        )
