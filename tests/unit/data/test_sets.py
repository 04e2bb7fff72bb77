"""Readers of the published layouts, and what they say when files are not as they should be."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import silent
from parsenet_cli.data import sets
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.download.check import check_folder, detect_layout
from parsenet_cli.data.sets import camvid, folder, pascal_context, siftflow, voc12
from parsenet_cli.data.sets.siftflow import SUBFOLDER
from tests import new_module, voc_folder
from tests.damage import halve
from tests.voc_folder import fill, noise, write_ids


@pytest.fixture
def photos(tmp_path: Path) -> DataOptions:
    """A folder in VOC's layout: 3 classes, image n is of class n with one ignored pixel."""
    return DataOptions(
        voc_folder.write(tmp_path / "photos", "background cat dog", train="a b", val="c"), tmp_path / "c"
    )


def root_of(options: DataOptions) -> Path:
    assert options.root is not None
    return options.root


def test_a_folder_is_read_as_it_lies(photos: DataOptions) -> None:
    dataset = folder.open_dataset(photos)
    assert dataset.classes == ("background", "cat", "dog")
    assert dataset.ignore == 255
    assert (dataset.train.ids, dataset.val.ids) == (("a", "b"), ("c",))
    with Image.open(root_of(photos) / "JPEGImages" / "b.jpg") as file:
        np.testing.assert_array_equal(dataset.train.image(1), np.asarray(file.convert("RGB")))
    assert dataset.val.label(0)[0, 0] == 255
    assert set(dataset.val.label(0)[1:].ravel()) == {2}


def test_only_the_chosen_classes_count_in_the_chosen_order(photos: DataOptions) -> None:
    dataset = folder.open_dataset(replace(photos, classes=("dog", "background")))
    assert dataset.classes == ("dog", "background")
    assert [int(dataset.train.label(i)[1, 1]) for i in (0, 1)] == [1, 255]
    assert int(dataset.val.label(0)[1, 1]) == 0


def test_the_augmented_list_is_trained_on_where_there_is_one(photos: DataOptions) -> None:
    write_ids(root_of(photos) / "ImageSets" / "Segmentation" / "trainaug.txt", "b a c")
    assert folder.open_dataset(photos).train.ids == ("b", "a", "c")


def test_identity_follows_the_content_and_nothing_else(photos: DataOptions) -> None:
    before = folder.identity(photos)
    mask = root_of(photos) / "SegmentationClass" / "a.png"
    os.utime(mask, ns=(1, 1))
    assert folder.identity(photos) == before
    assert folder.identity(replace(photos, cache=photos.cache / "elsewhere")) == before
    assert not list(photos.cache.rglob("decoded")), "nothing is decoded for it"
    fill(mask, 1)
    assert folder.identity(photos) != before


def test_what_is_decoded_is_decoded_again_only_when_a_file_has_changed(photos: DataOptions) -> None:
    assert int(folder.open_dataset(photos).train.label(0)[1, 1]) == 0
    messages: list[str] = []
    folder.open_dataset(photos, messages.append)
    assert messages == []
    fill(root_of(photos) / "SegmentationClass" / "a.png", 1)
    assert int(folder.open_dataset(photos).train.label(0)[1, 1]) == 1


def test_an_official_mask_goes_before_a_merged_one(photos: DataOptions) -> None:
    root = root_of(photos)
    (root / "SegmentationClassAug").mkdir()
    for name in "ab":
        fill(root / "SegmentationClassAug" / f"{name}.png", 9)
    (root / "SegmentationClass" / "b.png").unlink()
    dataset = voc12.open_dataset(photos)
    assert len(dataset.classes) == 21
    assert [int(dataset.train.label(i)[1, 1]) for i in (0, 1)] == [0, 9]


LISTS = "ImageSets/Segmentation"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated image": (lambda root: halve(root / "JPEGImages/b.jpg"), r"b\.jpg: not a complete image"),
    "truncated mask": (lambda root: halve(root / "SegmentationClass/b.png"), r"b\.png: not a complete mask"),
    "missing image": (lambda root: (root / "JPEGImages/b.jpg").unlink(), r"b\.jpg: no such file.*train\.txt lists it"),
    "missing mask": (lambda root: (root / "SegmentationClass/c.png").unlink(), r"c\.png: no such file.*val\.txt"),
    "colours instead of ids": (
        lambda root: noise(0, 6, 8).save(root / "SegmentationClass/a.png"),
        r"a\.png: expected a palette or grey PNG.*found mode RGB",
    ),
    "id out of range": (
        lambda root: fill(root / "SegmentationClass/a.png", 3),
        r"a\.png: class id 3 is out of range; expected 0 to 2",
    ),
    "other size": (
        lambda root: fill(root / "SegmentationClass/a.png", 0, 8, 6),
        r"a\.png: labels of 6x8 pixels for an image of 8x6 .*a\.jpg",
    ),
    "no list": (lambda root: (root / LISTS / "val.txt").unlink(), r"Segmentation: no such list.*val\.txt"),
    "empty list": (lambda root: (root / LISTS / "val.txt").write_text("\n"), r"val\.txt: no images"),
    "no class names": (lambda root: (root / "classes.txt").unlink(), r"classes\.txt: no such file"),
    "a class twice": (lambda root: write_ids(root / "classes.txt", "cat cat"), r"classes\.txt: expected 1 to 255"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_folder_is_named_file_by_file(photos: DataOptions, case: str) -> None:
    break_it, message = BROKEN[case]
    break_it(root_of(photos))
    with pytest.raises(UserError, match=message):
        folder.open_dataset(photos)
    assert list(photos.cache.glob("decoded/*.tmp")) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": None}, r"pass data_root=/path/to/folder"),
        ({"root": Path("/nowhere")}, r"data_root=/nowhere: no such folder"),
        ({"classes": ("catt",)}, r"unknown class 'catt'. Did you mean 'cat'\?"),
        ({"classes": ("cat", "cat")}, r"none twice"),
        ({"train_split": "train_au"}, r"unknown train_split 'train_au'. Did you mean 'train_aug'\?"),
    ],
)
def test_what_is_wrong_in_the_command_is_said(photos: DataOptions, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        folder.identity(replace(photos, **changes))


@pytest.fixture
def context(tmp_path: Path) -> DataOptions:
    """PASCAL-Context's layout: labels.txt spells "table" what 59_labels.txt calls "diningtable"."""
    root = tmp_path / "context"
    voc, labels = root / "VOCdevkit" / "VOC2010", root / "pascal-context"
    (voc / "JPEGImages").mkdir(parents=True)
    (labels / "trainval").mkdir(parents=True)
    for part, ids in (("train", "a b"), ("val", "c")):
        write_ids(voc / "ImageSets" / "Main" / f"{part}.txt", ids)
    (labels / "labels.txt").write_text("1: accordion\n2: aeroplane\n3: table\n4: potted plant\n")
    (labels / "59_labels.txt").write_text("2: aeroplane\n4: pottedplant\n3: diningtable\n")
    for n, name in enumerate("abc"):
        noise(n, 6, 8).save(voc / "JPEGImages" / f"{name}.jpg")
        numbers = np.arange(48, dtype=np.uint16).reshape(6, 8) % 5
        savemat(labels / "trainval" / f"{name}.mat", {"LabelMap": numbers})
    return DataOptions(root, tmp_path / "cache")


def test_context_classes_are_found_by_name_and_the_rest_is_class_0(context: DataOptions) -> None:
    dataset = pascal_context.open_dataset(context)
    assert dataset.classes == ("background", "aeroplane", "pottedplant", "diningtable")
    assert dataset.ignore is None
    assert dataset.val.label(0)[0, :5].tolist() == [0, 0, 1, 3, 2]


@pytest.fixture
def outdoors(tmp_path: Path) -> DataOptions:
    """SiftFlow's layout, with the archive's own list."""
    root = tmp_path / "outdoors"
    (root / "Images" / SUBFOLDER).mkdir(parents=True)
    (root / "SemanticLabels" / SUBFOLDER).mkdir(parents=True)
    (root / "TestSet1.txt").write_text(f"{SUBFOLDER}\\c.jpg\n")
    for n, name in enumerate(["a", "b", "c", "street_urb506"]):
        noise(n, 6, 8).save(root / "Images" / SUBFOLDER / f"{name}.jpg")
        numbers = np.arange(48, dtype=np.uint8).reshape(6, 8) % 34
        savemat(root / "SemanticLabels" / SUBFOLDER / f"{name}.mat", {"S": numbers})
    return DataOptions(root, tmp_path / "cache")


def test_siftflow_counts_from_0_and_trains_on_what_is_annotated_and_no_test_image(outdoors: DataOptions) -> None:
    dataset = siftflow.open_dataset(outdoors)
    assert len(dataset.classes) == 33
    assert dataset.val.label(0)[0, :3].tolist() == [255, 0, 1]
    assert (dataset.train.ids, dataset.val.ids) == (("a", "b"), ("c",))


def test_fcns_lists_go_before_the_archives(outdoors: DataOptions) -> None:
    write_ids(root_of(outdoors) / "trainval.txt", "c")
    write_ids(root_of(outdoors) / "test.txt", "a")
    dataset = siftflow.open_dataset(outdoors)
    assert (dataset.train.ids, dataset.val.ids) == (("c",), ("a",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"MATLAB 5.0 MAT-file" + bytes(200), r"a\.mat: not a readable MATLAB file"),
        ({"LabelMap": np.full((6, 8), 5)}, r"a\.mat: class number 5 is out of range; expected 0 to 4"),
        ({"S": np.zeros((6, 8))}, r"a\.mat: expected the matrix 'LabelMap' of class numbers; found nothing"),
        ({"LabelMap": np.zeros((5, 8), np.uint8)}, r"a\.mat: labels of 8x5 pixels"),
        ({"LabelMap": np.full((6, 8), -1)}, r"a\.mat: class number -1 is out of range"),
    ],
)
def test_a_broken_label_file_is_named(context: DataOptions, content: bytes | dict[str, Any], message: str) -> None:
    file = root_of(context) / "pascal-context" / "trainval" / "a.mat"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        savemat(file, content)
    with pytest.raises(UserError, match=message):
        pascal_context.open_dataset(context)


def test_siftflow_classes_out_of_range_are_named(outdoors: DataOptions) -> None:
    savemat(root_of(outdoors) / "SemanticLabels" / SUBFOLDER / "b.mat", {"S": np.full((6, 8), 34)})
    with pytest.raises(UserError, match=r"b\.mat: class number 34 is out of range; expected 0 to 33"):
        siftflow.open_dataset(outdoors)


@pytest.mark.parametrize("module", [pascal_context, siftflow], ids=lambda module: module.__name__)
def test_data_with_one_training_list_refuses_another(module: sets.DataSet, context: DataOptions) -> None:
    with pytest.raises(UserError, match="has one training list"):
        module.open_dataset(replace(context, train_split="trainval_aug"))


@pytest.mark.parametrize(
    ("module", "missing"),
    [
        (voc12, "Segmentation: no such list; expected train_aug.txt or trainaug.txt or train.txt"),
        (pascal_context, "labels.txt: no such file; expected lines such as '2: aeroplane'"),
        (siftflow, "TestSet1.txt: no such file; expected it, or trainval.txt and test.txt, with one id per line"),
        (camvid, "train: no such folder; expected the images there, as .png"),
    ],
    ids=["voc12", "pascal_context", "siftflow", "camvid"],
)
def test_an_empty_folder_is_told_what_it_lacks(module: sets.DataSet, missing: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=missing):
        module.identity(DataOptions(tmp_path, tmp_path / "cache"))


# --- the interface -----------------------------------------------------------------------------------------------------


ON_DISK: list[sets.DataSetOnDisk] = [camvid, folder, pascal_context, siftflow, voc12]
"""Whether each offers what is declared is seen by mypy."""


def test_data_sets_are_found_by_name() -> None:
    assert list(sets.on_disk().values()) == ON_DISK
    generated = set(sets.names()) - set(sets.on_disk())
    assert generated == {"synthetic_context", "synthetic_siftflow", "synthetic_voc"}
    with pytest.raises(UserError, match=r"unknown data set 'voc13'. Did you mean 'voc12'\?"):
        sets.find("voc13")


NEW = '''
"""Stripes: <id>.png, whose labels are <id>_mask.png."""
from parsenet_cli.core.text import silent
from parsenet_cli.data.decoding import Source
from parsenet_cli.data.layout import Layout, read_ids, required_root
from parsenet_cli.data.voc_layout import mask_reader

FINGERPRINT_FILES = ("stripes.txt",)

def identity(options, progress=silent):
    return _layout(options).identity(options, progress)

def open_dataset(options, progress=silent):
    return _layout(options).open_dataset(options, progress)

def lists(root):
    sources = [Source(name, root / f"{name}.png", root / f"{name}_mask.png") for name in read_ids(root / "stripes.txt")]
    return {"train": (root / "stripes.txt", sources), "val": (root / "stripes.txt", sources[:1])}

def label_reader(_root):
    return mask_reader(2)

def _layout(options):
    root = required_root(options, "stripes", "stripes.txt")
    return Layout("stripes", ("no", "yes"), lists(root), label_reader(root), "stripes")
'''


def test_a_new_data_set_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_module.add(sets, "stripes", NEW, tmp_path / "package", monkeypatch)
    data = tmp_path / "data"
    write_ids(data / "stripes.txt", "a b")
    for name in "ab":
        noise(0, 6, 8).save(data / f"{name}.png")
        fill(data / f"{name}_mask.png", 1)
    stripes, options = sets.find("stripes"), DataOptions(data, tmp_path / "cache")
    assert stripes.identity(options).startswith("stripes:")
    dataset = stripes.open_dataset(options)
    assert (dataset.train.ids, dataset.val.label(0).max()) == (("a", "b"), 255)
    assert detect_layout(data) == "stripes"
    report = str(check_folder("stripes", data, None, silent))
    assert report.startswith(f"{data}: stripes, 2 images with labels (train 2, val 1); all readable")
