"""Each thing that can be wrong in a data set is found and named, and what is right passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import silent
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.download import check
from parsenet_cli.data.download.check import check_folder, detect_layout, failure
from parsenet_cli.data.download.prepare import SEAL, prepare_release
from parsenet_cli.data.sets import voc12
from tests import published_archives as small

VOC = Path("voc12/VOCdevkit/VOC2012")
LISTS = VOC / "ImageSets" / "Segmentation"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small.write(tmp_path / "archives")
    for name in ("voc12", "pascal_context"):
        prepare_release(small.small(name, tmp_path / "archives"), tmp_path, [tmp_path / "archives"], None, silent)
    return tmp_path


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def append(file: Path, line: str) -> None:
    file.write_text(file.read_text() + line + "\n")


def mask(file: Path, fill: int, size: tuple[int, int] = small.SIZE, mode: str = "L") -> None:
    Image.fromarray(np.full(size, fill, np.uint8)).convert(mode).save(file)


MAT = "pascal_context/pascal-context/trainval/2008_000002.mat"
WRONG: dict[str, tuple[str, Callable[[Path], object], list[str]]] = {
    "truncated picture": (
        "voc12",
        lambda home: halve(home / VOC / "JPEGImages/2008_000002.jpg"),
        [r"2008_000002.jpg: not a complete image"],
    ),
    "truncated mask": (
        "voc12",
        lambda home: halve(home / VOC / "SegmentationClassAug/2008_000002.png"),
        ["2008_000002.png: not a complete mask"],
    ),
    "truncated label map": ("pascal_context", lambda home: halve(home / MAT), ["000002.mat: not a readable MATLAB file"]),
    "missing picture": (
        "voc12",
        lambda home: (home / VOC / "JPEGImages/2008_000002.jpg").unlink(),
        ["2008_000002.jpg: no such image"],
    ),
    "id out of range": (
        "voc12",
        lambda home: mask(home / VOC / "SegmentationClass/2007_000033.png", 21),
        ["2007_000033.png: class id 21 is out of range"],
    ),
    "colours": (
        "voc12",
        lambda home: mask(home / VOC / "SegmentationClass/2007_000033.png", 1, mode="RGB"),
        ["2007_000033.png: expected a palette or grey PNG"],
    ),
    "other size": (
        "voc12",
        lambda home: mask(home / VOC / "SegmentationClass/2007_000033.png", 1, (48, 40)),
        ["2007_000033.png: labels of 40x48 pixels for an image of 48x40"],
    ),
    "another valid mask": (
        "voc12",
        lambda home: mask(home / VOC / "SegmentationClass/2007_000033.png", 7),
        ["2007_000033.png: its content is not the one in MANIFEST.sha256"],
    ),
    "an id twice": (
        "voc12",
        lambda home: append(home / LISTS / "val.txt", "2007_000033"),
        ["val.txt: 3 ids in the list 'val', expected 2", "'2007_000033' is listed more than once", "when it was prepared"],
    ),
    "a list is gone": (
        "voc12",
        lambda home: (home / LISTS / "train_aug.txt").unlink(),
        ["the list 'train_aug' is missing; expected 5 ids", "train_aug.txt: is gone"],
    ),
    "an empty list": ("voc12", lambda home: (home / LISTS / "val.txt").write_text("\n"), ["no images are listed there"]),
    "a torn seal": ("voc12", lambda home: halve(home / "voc12" / SEAL), ["prepared.json: not readable"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(home: Path, case: str) -> None:
    name, break_it, messages = WRONG[case]
    break_it(home)
    said = "\n".join(check_folder(name, home / name, small.EXPECTED[name], silent).problems)
    for message in messages:
        assert message in said


def test_a_file_is_only_named_once(home: Path) -> None:
    halve(home / VOC / "JPEGImages/2008_000002.jpg")
    assert len(check_folder("voc12", home / "voc12", small.EXPECTED["voc12"], silent).problems) == 1


def test_a_long_list_of_problems_is_cut(home: Path) -> None:
    report = check.Report("folder", home, {}, 0, False, [f"problem {n}" for n in range(50)])
    said = str(failure(report, "Do something."))
    assert "50 problems" in said
    assert "problem 19" in said
    assert "problem 20" not in said
    assert said.endswith("… and 30 more\nDo something.")


def test_many_pictures_are_looked_at_by_several_processes(tmp_path: Path) -> None:
    names = [f"{n:03}" for n in range(70)]
    lists = tmp_path / "ImageSets" / "Segmentation"
    for folder in (lists, tmp_path / "JPEGImages", tmp_path / "SegmentationClass"):
        folder.mkdir(parents=True)
    (tmp_path / "classes.txt").write_text("sky\nsea\n")
    (lists / "train.txt").write_text("\n".join(names[:50]))
    (lists / "val.txt").write_text("\n".join(names[50:]))
    for n, name in enumerate(names):
        (tmp_path / "JPEGImages" / f"{name}.jpg").write_bytes(small.jpg(n))
        mask(tmp_path / "SegmentationClass" / f"{name}.png", 2 if n == 60 else 1)
    report = check_folder("folder", tmp_path, None, silent)
    assert report.images == 70
    assert report.problems == [
        f"{tmp_path}/SegmentationClass/060.png: class id 2 is out of range; expected 0 to 1, or 255 for ignored pixels"
    ]


def test_a_devkit_of_another_year_is_recognised(tmp_path: Path) -> None:
    pictures = tmp_path / "VOCdevkit" / "VOC2007" / "JPEGImages"
    pictures.mkdir(parents=True)
    (pictures / "000005.jpg").write_bytes(small.jpg(1))
    for root in (tmp_path, tmp_path / "VOCdevkit", pictures.parent):
        with pytest.raises(UserError, match=r"this looks like VOC2007, expected VOC2012/"):
            voc12.identity(DataOptions(root, tmp_path / "cache"))
    renamed = pictures.parent.rename(tmp_path / "voc")
    with pytest.raises(UserError, match=r"this looks like VOC2007, expected VOC2012/"):
        check_folder(detect_layout(renamed), renamed, None, silent)


def test_a_folder_of_no_data_set_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data set is recognised here; expected VOC's layout"):
        detect_layout(tmp_path)
    with pytest.raises(UserError, match="no such folder, and no data set of that name"):
        detect_layout(tmp_path / "voc13")
