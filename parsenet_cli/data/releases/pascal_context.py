"""PASCAL-Context as published: the images and lists of VOC 2010 and the label maps of 459 classes."""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.core.address import Address
from parsenet_cli.core.download import Remote
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import Progress
from parsenet_cli.data.download.release import Archive, Expected, Release
from parsenet_cli.data.layout import write_ids

CLASSES_59 = """
    2: aeroplane, 23: bicycle, 25: bird, 31: boat, 34: bottle, 45: bus, 59: car, 65: cat, 72: chair, 98: cow,
    397: diningtable, 113: dog, 207: horse, 258: motorbike, 284: person, 308: pottedplant, 347: sheep, 368: sofa,
    416: train, 427: tvmonitor, 9: bag, 18: bed, 22: bench, 33: book, 44: building, 46: cabinet, 68: ceiling, 80: clothes,
    85: computer, 104: cup, 115: door, 144: fence, 158: floor, 159: flower, 162: food, 187: grass, 189: ground,
    220: keyboard, 232: light, 259: mountain, 260: mouse, 105: curtain, 296: platform, 355: sign, 295: plate, 324: road,
    326: rock, 349: shelves, 354: sidewalk, 360: sky, 366: snow, 19: bedcloth, 415: track, 420: tree, 424: truck,
    440: wall, 445: water, 454: window, 458: wood
"""
"""The classes that count, in FCN's order, each with its number in labels.txt."""

_VOC_MIRRORS = (
    Address(
        "https://thor.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar", "2026-03", "pytorch/vision#9216"
    ),
)
_VOC_MEMBERS = r"(VOCdevkit/VOC2010/(?:JPEGImages/[^/]+\.jpg|ImageSets/Main/(?:train|val|trainval)\.txt))"
_LABEL_MIRRORS = (
    Address("https://roozbehm.info/pascal-context/trainval.tar.gz", "2024-04", "cvlab-kaist/CAT-Seg#9"),
    Address(
        "https://www.cs.stanford.edu/~roozbeh/pascal-context/trainval.tar.gz",
        "2023-08",
        "cvlab-kaist/CAT-Seg#9",
        works=False,
    ),
)
_LABEL_MEMBERS = r"(labels\.txt|trainval/[^/]+\.mat)"


def finish(root: Path, _progress: Progress) -> None:
    """Write the classes that count. Raises `UserError` where the archive held no labels.txt."""
    folder = root / "pascal-context"
    if not (folder / "labels.txt").is_file():
        raise UserError(
            "the label archive holds no labels.txt (the names of 459 classes): get it from the publisher, who had the "
            "archive at https://roozbehm.info/pascal-context/trainval.tar.gz, and add --from labels.txt"
        )
    write_ids(folder / "59_labels.txt", [line.strip() for line in CLASSES_59.replace("\n", " ").split(",")])


RELEASE = Release(
    name="pascal_context",
    about="PASCAL-Context, 59 classes and background, on the images of VOC 2010",
    archives=(
        Archive(
            Remote("VOCtrainval_03-May-2010.tar", _VOC_MIRRORS, "md5:da459979d0c395079b5c75ee67908abb"),
            _VOC_MEMBERS,
            about_bytes=1.3e9,
        ),
        Archive(Remote("trainval.tar.gz", _LABEL_MIRRORS), _LABEL_MEMBERS, below="pascal-context/"),
        Archive(Remote("labels.txt", ()), _LABEL_MEMBERS, below="pascal-context/", needed=False),
    ),
    expected=Expected({"train": 4998, "val": 5105}),
    finish=finish,
)
