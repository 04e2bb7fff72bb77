"""Each thing that can be wrong in a data set is found and named, and what is right passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import silent
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.download.check import Report, check_folder, detect_layout, failure
from parsenet_cli.data.download.prepare import SEAL, prepare_release
from parsenet_cli.data.sets import voc12
from tests import published_archives as small
from tests import voc_folder
from tests.damage import halve
from tests.voc_folder import fill, write_ids

VOC = Path("voc12/VOCdevkit/VOC2012")
LISTS, IMAGE = VOC / "ImageSets/Segmentation", VOC / "JPEGImages/2008_000002.jpg"


@pytest.fixture
def home(archives: Path, tmp_path: Path) -> Path:
    for name in ("voc12", "pascal_context"):
        prepare_release(small.small(name, archives), tmp_path, [archives], None, silent)
    return tmp_path


MASK = VOC / "SegmentationClass/2007_000033.png"
MAT = "pascal_context/pascal-context/trainval/2008_000002.mat"
WRONG: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "truncated image": (lambda home: halve(home / IMAGE), [f"{IMAGE}: not a complete image"]),
    "missing image": (lambda home: (home / IMAGE).unlink(), [f"{IMAGE}: no such image"]),
    "id out of range": (lambda home: fill(home / MASK, 21, *small.SIZE), [f"{MASK}: class id 21 is out of range"]),
    "other size": (lambda home: fill(home / MASK, 1, 48, 40), [f"{MASK}: labels of 40x48 pixels for an image of 48x40"]),
    "another valid mask": (
        lambda home: fill(home / MASK, 7, *small.SIZE),
        [f"{MASK}: its content is not the one in MANIFEST.sha256"],
    ),
    "truncated label map": (lambda home: halve(home / MAT), [f"{MAT}: not a readable MATLAB file"]),
    "an id twice": (
        lambda home: write_ids(home / LISTS / "val.txt", "2007_000033 2007_000042 2007_000033"),
        ["val.txt: 3 ids in the list 'val', expected 2", "'2007_000033' is listed more than once", "when it was prepared"],
    ),
    "a list is gone": (
        lambda home: (home / LISTS / "train_aug.txt").unlink(),
        ["the list 'train_aug' is missing; expected 5 ids", "train_aug.txt: is gone"],
    ),
    "an empty list": (lambda home: write_ids(home / LISTS / "val.txt", ""), ["no images are listed there"]),
    "a torn seal": (lambda home: halve(home / "voc12" / SEAL), ["prepared.json: not readable"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(home: Path, case: str) -> None:
    break_it, messages = WRONG[case]
    break_it(home)
    name = "pascal_context" if "label map" in case else "voc12"
    problems = "\n".join(check_folder(name, home / name, small.EXPECTED[name], silent).problems)
    assert all(message in problems for message in messages), problems


def test_a_file_is_only_named_once(home: Path) -> None:
    halve(home / IMAGE)
    assert len(check_folder("voc12", home / "voc12", small.EXPECTED["voc12"], silent).problems) == 1


def test_a_long_list_of_problems_is_cut(home: Path) -> None:
    report = Report("folder", home, {}, 0, False, [f"problem {n}" for n in range(50)])
    message = str(failure(report, "Do something."))
    assert "50 problems" in message
    assert "problem 19\n  … and 30 more\nDo something." in message


def test_many_images_are_looked_at_by_several_processes(tmp_path: Path) -> None:
    ids = [f"{n:03}" for n in range(70)]
    root = voc_folder.write(tmp_path, "sky sea", train=" ".join(ids[:50]), val=" ".join(ids[50:]))
    fill(root / "SegmentationClass" / "060.png", 2)
    report = check_folder("folder", root, None, silent)
    assert report.images == 70
    assert report.problems == [
        f"{root}/SegmentationClass/060.png: class id 2 is out of range; expected 0 to 1, or 255 for ignored pixels"
    ]


def test_a_devkit_of_another_year_is_recognised(tmp_path: Path) -> None:
    images = tmp_path / "VOCdevkit" / "VOC2007" / "JPEGImages"
    images.mkdir(parents=True)
    (images / "000005.jpg").write_bytes(small.jpg(1))
    for root in (tmp_path, tmp_path / "VOCdevkit", images.parent):
        with pytest.raises(UserError, match=r"this looks like VOC2007, expected VOC2012/"):
            voc12.identity(DataOptions(root, tmp_path / "cache"))
    renamed = images.parent.rename(tmp_path / "voc")
    with pytest.raises(UserError, match=r"this looks like VOC2007, expected VOC2012/"):
        check_folder(detect_layout(renamed), renamed, None, silent)


def test_a_folder_of_no_data_set_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data set is recognised here; expected VOC's layout"):
        detect_layout(tmp_path)
    with pytest.raises(UserError, match="no such folder, and no data set of that name"):
        detect_layout(tmp_path / "voc13")
