"""VOC 2012 and SBD as published, merged into the training list of 10 582 ids and their masks.

train_aug is (VOC train + SBD train + SBD val) - VOC val. SegmentationClassAug holds the masks of train_aug and val: SBD's
class maps, and the official VOC mask wherever there is one, as in DeepLab's preparation. The mark of each number is in
docs/protocol.md.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from parsenet_cli.core.download import Remote
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import os_errors_as_user_errors, write_text
from parsenet_cli.core.text import Progress
from parsenet_cli.data import decoding
from parsenet_cli.data.download.release import Archive, Expected, Release, some
from parsenet_cli.data.mat_file import read_mat
from parsenet_cli.data.sets.synthetic_voc import palette
from parsenet_cli.data.sets.voc12 import CLASSES
from parsenet_cli.data.voc_layout import check_ids

VOC = "VOCdevkit/VOC2012"
SBD = "benchmark_RELEASE/dataset"
TEST_IDS = 1456

_FROM_VOC = re.compile(
    rf"(?:.*/)?{VOC}/(JPEGImages/[^/]+\.jpg|SegmentationClass/[^/]+\.png|ImageSets/Segmentation/[^/]+\.txt)"
)
_FROM_SBD = re.compile(rf"(?:.*/)?{SBD}/(cls/[^/]+\.mat|(?:train|val)\.txt)")


def from_voc(member: str) -> str | None:
    """The devkit keeps its layout; boxes, instances and the other tasks' lists are left out."""
    match = _FROM_VOC.fullmatch(member)
    return f"{VOC}/{match[1]}" if match else None


def from_sbd(member: str) -> str | None:
    """Only the class maps and lists; `finish` uses them and removes them."""
    match = _FROM_SBD.fullmatch(member)
    return f"{SBD}/{match[1]}" if match else None


def finish(root: Path, progress: Progress) -> None:
    """Derive the augmented lists and merge the masks. Raises `UserError`, naming it, for a file that does not fit."""
    voc, sbd = root / VOC, root / SBD
    lists = voc / "ImageSets" / "Segmentation"
    train, val = _ids(lists / "train.txt"), _ids(lists / "val.txt")
    more = {*_ids(sbd / "train.txt"), *_ids(sbd / "val.txt")}
    train_aug = sorted({*train, *more} - set(val))
    write_text(lists / "train_aug.txt", "".join(f"{name}\n" for name in train_aug))
    write_text(lists / "trainval_aug.txt", "".join(f"{name}\n" for name in sorted({*train_aug, *val})))
    merged = voc / "SegmentationClassAug"
    with os_errors_as_user_errors(merged):
        merged.mkdir(exist_ok=True)
        for torn in merged.glob(".*.part"):
            torn.unlink()
        made = {file.stem for file in merged.glob("*.png")}
        official = {file.stem for file in (voc / "SegmentationClass").glob("*.png")}
        for name in sorted(official & {*train_aug, *val}):
            shutil.copyfile(voc / "SegmentationClass" / f"{name}.png", merged / f"{name}.png")
        wanted = [name for name in train_aug if name not in official]
        missing = sorted(set(wanted) - {file.stem for file in (sbd / "cls").glob("*.mat")})
        if missing:
            raise UserError(f"{sbd / 'cls'}: no class maps for {some(missing)}; is benchmark.tgz the whole archive?")
        write = partial(_write_mask, sbd / "cls", merged)
        for done, _ in enumerate(decoding.each(write, sorted({*wanted} - made)), start=1):
            if done % 200 == 0:
                progress(f"merging SBD's masks: {len(made - official) + done} of {len(wanted)}")


def _write_mask(maps: Path, masks: Path, name: str) -> None:
    from PIL import Image

    file = maps / f"{name}.mat"
    numbers = read_mat(file, "GTcls", "Segmentation")
    if numbers.size and (numbers.min() < 0 or numbers.max() > 255):
        raise UserError(f"{file}: class numbers {numbers.min()} to {numbers.max()}, expected 0 to {len(CLASSES) - 1}")
    ids = numbers.astype(np.uint8)
    check_ids(file, ids, len(CLASSES))
    mask = Image.fromarray(ids).convert("P")
    mask.putpalette(palette().tobytes())
    temporary = masks / f".{name}.part"  # a mask that is there is whole
    mask.save(temporary, format="PNG")
    temporary.replace(masks / f"{name}.png")


def check_test(root: Path, count: int = TEST_IDS) -> None:
    """Raises `UserError` unless the test list and its pictures are complete."""
    listing = root / VOC / "ImageSets" / "Segmentation" / "test.txt"
    ids = _ids(listing)
    if len(ids) != count:
        raise UserError(f"{listing.name} of the test archive lists {len(ids)} ids, expected {count}")
    missing = [name for name in ids if not (root / VOC / "JPEGImages" / f"{name}.jpg").is_file()]
    if missing:
        raise UserError(f"the test archive lacks the pictures of {some(missing)}, although its test.txt lists them")


def _ids(listing: Path) -> Sequence[str]:
    try:
        return [line.split()[0] for line in listing.read_text().splitlines() if line.strip()]
    except FileNotFoundError:
        raise UserError(f"{listing}: no such list; is the archive it belongs to the published one?") from None


PUBLISHED = Release(
    name="voc12",
    about="PASCAL VOC 2012 with the masks of SBD",
    archives=(
        Archive(
            Remote(
                "VOCtrainval_11-May-2012.tar",
                (
                    "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
                    "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
                    "https://pjreddie.com/media/files/VOCtrainval_11-May-2012.tar",
                ),
                "md5:6cd6e144f989b92b3379bac3b3de84fd",
                None,
            ),
            from_voc,
        ),
        Archive(
            Remote(
                "benchmark.tgz",
                (
                    "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
                    "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
                ),
                "md5:82b4d87ceb2ed10f6038a1cba92111cb",
                None,
            ),
            from_sbd,
        ),
        Archive(Remote("VOC2012test.tar", (), None, None), from_voc, needed=False, verify=check_test),
    ),
    expected=Expected(
        {"train": 1464, "val": 1449, "trainval": 2913, "train_aug": 10582, "trainval_aug": 12031},
        {"train_aug": "215992f6fd958f89800449fdb4bbabe6"},
        optional=("trainval", "trainval_aug"),
    ),
    finish=finish,
    temporary=("benchmark_RELEASE",),
    remark="The test pictures are only given to who registers at http://host.robots.ox.ac.uk:8080. Download VOC2012test.tar "
    "there, then: parsenet data get voc12 --from VOC2012test.tar",
)
