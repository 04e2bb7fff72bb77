"""SiftFlow: 2 486 training and 200 test images of 256x256 pixels, 33 semantic classes (§4.2, Table 3).

    Images/spatial_envelope_256x256_static_8outdoorcategories/<id>.jpg
    SemanticLabels/spatial_envelope_256x256_static_8outdoorcategories/<id>.mat    S, 0 unlabelled, classes from 1
    TestSet1.txt                            the archive's list of test images; all others are for training
    trainval.txt, test.txt                  FCN's lists; used instead where they are there

0 becomes 255 and is ignored, class n becomes n - 1, as in FCN's siftflow_layers.py. The geometric labels are not used.
"""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.core.text import Progress, silent
from parsenet_cli.data.dataset import IGNORED, DataOptions, Dataset
from parsenet_cli.data.decoding import ReadLabel, Source
from parsenet_cli.data.layout import Layout, Lists, check_train_split, ids_in, read_ids, required_root
from parsenet_cli.data.mat_file import label_map_reader

_NAMES = """
    awning balcony bird boat bridge building bus car cow crosswalk desert door fence field grass moon mountain person plant
    pole river road rock sand sea sidewalk sign sky staircase streetlight sun tree window"""
CLASSES = tuple(_NAMES.split())
USUAL = (len(CLASSES), 256, 256)
SUBFOLDER = "spatial_envelope_256x256_static_8outdoorcategories"
UNANNOTATED = ("highway_bost181", "street_urb506")
"""Two images without any label, which FCN's lists leave out."""

MEAN_RGB = (108.353, 115.294, 114.578)
"""The mean colour FCN subtracts here (its siftflow_layers.py), in place of ImageNet's."""

FINGERPRINT_FILES: tuple[str, ...] = ("SemanticLabels",)


def identity(options: DataOptions, progress: Progress = silent) -> str:
    """A hash of the content of the lists, images and label maps."""
    return layout(options).identity(options, progress)


def open_dataset(options: DataOptions, progress: Progress = silent) -> Dataset:
    """Trained on `trainval`, scored on the 200 test images."""
    return layout(options).open_dataset(options, progress)


def layout(options: DataOptions) -> Layout:
    """What is read of the folder. Raises `UserError` where that is missing."""
    return layout_of("siftflow", _root(options), CLASSES)


def layout_of(name: str, root: Path, classes: tuple[str, ...]) -> Layout:
    """What is trained on and scored on in a folder of this layout."""
    splits = dict(zip(("train", "val"), lists(root).values(), strict=True))
    return Layout(name, classes, splits, _reader(len(classes)), f"sift:{len(classes)}")


def lists(root: Path) -> Lists:
    """The lists `train` and `test`, with what they name."""
    images, labels = root / "Images" / SUBFOLDER, root / "SemanticLabels" / SUBFOLDER
    train_list, test_list = root / "trainval.txt", root / "test.txt"
    if train_list.is_file() and test_list.is_file():
        train, test = _ids(train_list), _ids(test_list)
    else:
        train_list, test_list = images, root / "TestSet1.txt"
        test = _ids(test_list)
        train = [name for name in ids_in(images, ".jpg") if name not in {*test, *UNANNOTATED}]
    return {
        part: (listing, [Source(name, images / f"{name}.jpg", labels / f"{name}.mat") for name in ids])
        for part, listing, ids in (("train", train_list, train), ("test", test_list, test))
    }


def label_reader(_root: Path) -> ReadLabel:
    """Reads a label map of 33 classes."""
    return _reader(len(CLASSES))


def _reader(classes: int) -> ReadLabel:
    return label_map_reader("S", [IGNORED, *range(classes)])


def _ids(listing: Path) -> list[str]:
    """The ids of a list; the archive's own writes `category\\name.jpg`."""
    return read_ids(listing, "it, or trainval.txt and test.txt, with one id per line", _spelled)


def _spelled(word: str) -> str:
    return word.replace("\\", "/").rpartition("/")[2].removesuffix(".jpg")


def _root(options: DataOptions) -> Path:
    check_train_split(options, "siftflow")
    return required_root(options, "siftflow", "Images/, SemanticLabels/ and TestSet1.txt")
