"""SiftFlow: 2 486 training and 200 test pictures of 256x256 pixels, 33 semantic classes (§4.1, Table 3).

    Images/spatial_envelope_256x256_static_8outdoorcategories/<id>.jpg
    SemanticLabels/spatial_envelope_256x256_static_8outdoorcategories/<id>.mat    S, 0 unlabelled, classes from 1
    TestSet1.txt                            the archive's list of test pictures; all others are for training
    trainval.txt, test.txt                  FCN's lists; used instead where they are there

0 becomes 255 and is ignored, class n becomes n - 1, as in FCN's siftflow_layers.py. The geometric labels are not used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.cache import decoded, source_content
from parsenet_cli.data.dataset import IGNORED, DataOptions, Dataset, Image, class_indices, required_root
from parsenet_cli.data.decoding import ReadLabel, Source
from parsenet_cli.data.fingerprint import digest
from parsenet_cli.data.mat_file import read_mat

CLASSES = (
    "awning",
    "balcony",
    "bird",
    "boat",
    "bridge",
    "building",
    "bus",
    "car",
    "cow",
    "crosswalk",
    "desert",
    "door",
    "fence",
    "field",
    "grass",
    "moon",
    "mountain",
    "person",
    "plant",
    "pole",
    "river",
    "road",
    "rock",
    "sand",
    "sea",
    "sidewalk",
    "sign",
    "sky",
    "staircase",
    "streetlight",
    "sun",
    "tree",
    "window",
)
PHOTOS = "spatial_envelope_256x256_static_8outdoorcategories"
UNANNOTATED = ("highway_bost181", "street_urb506")
"""Two pictures without any label, which FCN's lists leave out."""

MEAN_RGB = (108.353, 115.294, 114.578)
"""The mean colour FCN subtracts here (its siftflow_layers.py), in place of ImageNet's."""

MARKS = ("SemanticLabels",)
"""What tells a folder of this data set."""


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the lists, pictures and label maps."""
    root = _root(options)
    if options.classes is not None:
        class_indices(CLASSES, options.classes)
    parts = list(CLASSES)
    for listing, sources in _splits(root):
        parts += source_content(sources, str(listing), options.cache, progress)
    return f"siftflow:{digest(parts)}"


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on `trainval`, scored on the 200 test pictures."""
    return open_folder("siftflow", _root(options), CLASSES, options, progress)


def open_folder(name: str, root: Path, classes: tuple[str, ...], options: DataOptions, progress: Progress) -> Dataset:
    """The data set in a folder of this layout, decoded."""
    train, val = (
        decoded(
            f"{name}-{part}",
            sources,
            str(listing),
            _reader(len(classes)),
            f"sift:{len(classes)}",
            options.cache,
            progress,
        )
        for part, (listing, sources) in zip(("train", "val"), _splits(root), strict=True)
    )
    return Dataset(classes, IGNORED, train, val).only(options.classes)


def lists(root: Path) -> dict[str, tuple[Path, list[Source]]]:
    """The lists `train` and `test`, with what they name."""
    return dict(zip(("train", "test"), _splits(root), strict=True))


def label_reader(_root: Path) -> ReadLabel:
    """Reads a label map of 33 classes."""
    return _reader(len(CLASSES))


def _reader(classes: int) -> ReadLabel:
    def read(path: Path) -> Image:
        numbers = read_mat(path, "S")
        if numbers.size and (numbers.min() < 0 or numbers.max() > classes):
            wrong = numbers.max() if numbers.min() >= 0 else numbers.min()
            raise UserError(f"{path}: class number {wrong} is out of range; expected 0 (unlabelled) to {classes}")
        return np.where(numbers == 0, IGNORED, numbers - 1).astype(np.uint8)

    return read


def _splits(root: Path) -> list[tuple[Path, list[Source]]]:
    """The training and the test list, each with the sources it names."""
    photos, labels = root / "Images" / PHOTOS, root / "SemanticLabels" / PHOTOS
    train_list, test_list, archive_list = root / "trainval.txt", root / "test.txt", root / "TestSet1.txt"
    if train_list.is_file() and test_list.is_file():
        ids = [_ids(train_list), _ids(test_list)]
    elif archive_list.is_file():
        test_list = archive_list
        train_list = photos
        test = _ids(archive_list)
        kept_out = {*test, *UNANNOTATED}
        ids = [sorted(file.stem for file in photos.glob("*.jpg") if file.stem not in kept_out), test]
    else:
        raise UserError(
            f"{archive_list}: no such list; expected it, or trainval.txt and test.txt, with one id per line"
        )
    return [
        (listing, [Source(name, photos / f"{name}.jpg", labels / f"{name}.mat") for name in names])
        for listing, names in zip((train_list, test_list), ids, strict=True)
    ]


def _ids(listing: Path) -> list[str]:
    """The ids of a list; the archive's own writes `category\\name.jpg`."""
    lines = listing.read_text().replace("\\", "/").split()
    return [line.rsplit("/", 1)[-1].removesuffix(".jpg") for line in lines]


def _root(options: DataOptions) -> Path:
    if options.train_split != "train_aug":
        raise UserError(f"train_split={options.train_split}: siftflow has one training list; leave train_split alone")
    return required_root(options, "siftflow", "Images/, SemanticLabels/ and TestSet1.txt")
