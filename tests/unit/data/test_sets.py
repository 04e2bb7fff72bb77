"""Readers of the published layouts, and what they say when files are not as they should be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from parsenet_cli.core.errors import UserError
from parsenet_cli.data.dataset import DataOptions, Dataset
from parsenet_cli.data.sets import folder, pascal_context, siftflow, voc12
from parsenet_cli.data.sets.siftflow import SUBFOLDER

IDS = {"train": ["a", "b"], "val": ["c"]}


def picture(seed: int, height: int = 6, width: int = 8) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def write_lists(place: Path, names: dict[str, list[str]]) -> None:
    place.mkdir(parents=True)
    for name, ids in names.items():
        (place / f"{name}.txt").write_text("".join(f"{i}\n" for i in ids))


@pytest.fixture
def photos(tmp_path: Path) -> DataOptions:
    """A folder in VOC's layout: 3 classes, picture n is of class n with one ignored pixel."""
    root = tmp_path / "photos"
    write_lists(root / "ImageSets" / "Segmentation", IDS)
    (root / "JPEGImages").mkdir()
    (root / "SegmentationClass").mkdir()
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    for n, name in enumerate("abc"):
        picture(n).save(root / "JPEGImages" / f"{name}.jpg")
        ids = np.full((6, 8), n, np.uint8)
        ids[0, 0] = 255
        mask = Image.fromarray(ids).convert("P")
        mask.save(root / "SegmentationClass" / f"{name}.png")
    return DataOptions(root, tmp_path / "cache")


def change(options: DataOptions, **changes: object) -> DataOptions:
    return DataOptions(**{**vars(options), **changes})


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
    dataset = folder.open_dataset(change(photos, classes=("dog", "background")))
    assert dataset.classes == ("dog", "background")
    assert [int(dataset.train.label(i)[1, 1]) for i in (0, 1)] == [1, 255]
    assert int(dataset.val.label(0)[1, 1]) == 0


def test_the_augmented_list_is_trained_on_where_there_is_one(photos: DataOptions) -> None:
    lists = root_of(photos) / "ImageSets" / "Segmentation"
    (lists / "trainaug.txt").write_text("b\na\nc\n")
    assert folder.open_dataset(photos).train.ids == ("b", "a", "c")


def test_identity_follows_the_content_and_nothing_else(photos: DataOptions) -> None:
    before = folder.identity(photos)
    mask = root_of(photos) / "SegmentationClass" / "a.png"
    os.utime(mask, ns=(1, 1))
    assert folder.identity(photos) == before
    assert folder.identity(change(photos, cache=photos.cache / "elsewhere")) == before
    Image.fromarray(np.ones((6, 8), np.uint8)).save(mask)
    assert folder.identity(photos) != before


def test_a_changed_file_is_decoded_again(photos: DataOptions) -> None:
    assert int(folder.open_dataset(photos).train.label(0)[1, 1]) == 0
    Image.fromarray(np.ones((6, 8), np.uint8)).save(root_of(photos) / "SegmentationClass" / "a.png")
    assert int(folder.open_dataset(photos).train.label(0)[1, 1]) == 1


def test_what_is_decoded_is_not_decoded_again(photos: DataOptions) -> None:
    folder.open_dataset(photos)
    said: list[str] = []
    folder.open_dataset(photos, said.append)
    assert said == []


def test_a_cache_that_is_not_whole_is_made_again(photos: DataOptions) -> None:
    expected = folder.open_dataset(photos).train.image(1).copy()
    (pixels,) = photos.cache.glob("decoded/folder-train-*.u8")
    pixels.write_bytes(pixels.read_bytes()[:-1])
    np.testing.assert_array_equal(folder.open_dataset(photos).train.image(1), expected)


def test_an_official_mask_goes_before_a_merged_one(photos: DataOptions) -> None:
    root = root_of(photos)
    (root / "SegmentationClassAug").mkdir()
    for name in "ab":
        Image.fromarray(np.full((6, 8), 9, np.uint8)).save(root / "SegmentationClassAug" / f"{name}.png")
    (root / "SegmentationClass" / "b.png").unlink()
    dataset = voc12.open_dataset(photos)
    assert len(dataset.classes) == 21
    assert [int(dataset.train.label(i)[1, 1]) for i in (0, 1)] == [0, 9]


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated image": (lambda root: _truncate(root / "JPEGImages/b.jpg"), r"b\.jpg: not a complete image"),
    "truncated mask": (lambda root: _truncate(root / "SegmentationClass/b.png"), r"b\.png: not a complete mask"),
    "missing image": (lambda root: (root / "JPEGImages/b.jpg").unlink(), r"b\.jpg: no such file.*train\.txt lists it"),
    "missing mask": (lambda root: (root / "SegmentationClass/c.png").unlink(), r"c\.png: no such file.*val\.txt"),
    "colours instead of ids": (
        lambda root: picture(0).save(root / "SegmentationClass/a.png"),
        r"a\.png: expected a palette or grey PNG.*found mode RGB",
    ),
    "id out of range": (
        lambda root: Image.fromarray(np.full((6, 8), 3, np.uint8)).save(root / "SegmentationClass/a.png"),
        r"a\.png: class id 3 is out of range; expected 0 to 2",
    ),
    "other size": (
        lambda root: Image.fromarray(np.zeros((8, 6), np.uint8)).save(root / "SegmentationClass/a.png"),
        r"a\.png: labels of 6x8 pixels for an image of 8x6 .*a\.jpg",
    ),
    "no list": (
        lambda root: (root / "ImageSets/Segmentation/val.txt").unlink(),
        r"Segmentation: no such list.*val\.txt",
    ),
    "empty list": (lambda root: (root / "ImageSets/Segmentation/val.txt").write_text("\n"), r"val\.txt: no images"),
    "no class names": (lambda root: (root / "classes.txt").unlink(), r"classes\.txt: no such file"),
    "a class twice": (lambda root: (root / "classes.txt").write_text("cat\ncat\n"), r"classes\.txt: expected 1 to 255"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_folder_is_named_file_by_file(photos: DataOptions, case: str) -> None:
    break_it, message = BROKEN[case]
    break_it(root_of(photos))
    with pytest.raises(UserError, match=message):
        folder.open_dataset(photos)
    assert list(photos.cache.glob("decoded/*.tmp")) == []


def test_what_is_missing_from_the_command_is_said(photos: DataOptions, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pass data_root=/path/to/folder"):
        folder.identity(change(photos, root=None))
    with pytest.raises(UserError, match=r"data_root=.*nowhere: no such folder"):
        folder.identity(change(photos, root=tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"unknown class 'catt'. Did you mean 'cat'\?"):
        folder.identity(change(photos, classes=("catt",)))
    with pytest.raises(UserError, match=r"none twice"):
        folder.identity(change(photos, classes=("cat", "cat")))


@pytest.fixture
def context(tmp_path: Path) -> DataOptions:
    """PASCAL-Context's layout: labels.txt spells "table" what 59_labels.txt calls "diningtable"."""
    root = tmp_path / "context"
    voc, labels = root / "VOCdevkit" / "VOC2010", root / "pascal-context"
    write_lists(voc / "ImageSets" / "Main", IDS)
    (voc / "JPEGImages").mkdir()
    (labels / "trainval").mkdir(parents=True)
    (labels / "labels.txt").write_text("1: accordion\n2: aeroplane\n3: table\n4: potted plant\n")
    (labels / "59_labels.txt").write_text("2: aeroplane\n4: pottedplant\n3: diningtable\n")
    for n, name in enumerate("abc"):
        picture(n).save(voc / "JPEGImages" / f"{name}.jpg")
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
        picture(n).save(root / "Images" / SUBFOLDER / f"{name}.jpg")
        numbers = np.arange(48, dtype=np.uint8).reshape(6, 8) % 34
        savemat(root / "SemanticLabels" / SUBFOLDER / f"{name}.mat", {"S": numbers})
    return DataOptions(root, tmp_path / "cache")


def test_siftflow_counts_from_0_and_ignores_what_is_unlabelled(outdoors: DataOptions) -> None:
    dataset = siftflow.open_dataset(outdoors)
    assert len(dataset.classes) == 33
    assert dataset.val.label(0)[0, :3].tolist() == [255, 0, 1]


def test_siftflow_trains_on_what_is_no_test_picture_and_is_annotated(outdoors: DataOptions) -> None:
    dataset = siftflow.open_dataset(outdoors)
    assert (dataset.train.ids, dataset.val.ids) == (("a", "b"), ("c",))


def test_fcns_lists_go_before_the_archives(outdoors: DataOptions) -> None:
    root = root_of(outdoors)
    (root / "trainval.txt").write_text("c\n")
    (root / "test.txt").write_text("a\n")
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
def test_a_broken_label_file_is_named(
    context: DataOptions, content: bytes | dict[str, np.ndarray[tuple[int, int], np.dtype[np.generic]]], message: str
) -> None:
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


@pytest.mark.parametrize("module", [pascal_context, siftflow])
def test_data_with_one_training_list_refuses_another(module: object, context: DataOptions) -> None:
    open_dataset: Callable[[DataOptions], Dataset] = module.open_dataset  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="has one training list"):
        open_dataset(change(context, train_split="trainval_aug"))


def test_an_unknown_training_split_is_answered_with_the_nearest(photos: DataOptions) -> None:
    with pytest.raises(UserError, match=r"unknown train_split 'train_au'. Did you mean 'train_aug'\?"):
        folder.identity(change(photos, train_split="train_au"))


@pytest.mark.skipif("PARSENET_PHOTOS" not in os.environ, reason="PARSENET_PHOTOS does not name a folder of photos")
def test_real_photos_are_identified_without_decoding_them(tmp_path: Path) -> None:
    options = DataOptions(Path(os.environ["PARSENET_PHOTOS"]), tmp_path, ("background", "cat", "person"))
    identity = folder.identity(options)
    assert identity == folder.identity(change(options, cache=tmp_path / "other"))
    assert not (tmp_path / "decoded").exists()
