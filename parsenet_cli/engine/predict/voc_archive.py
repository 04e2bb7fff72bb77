"""The archive that VOC's evaluation server takes (docs/predict.md): how it is packed, what can be wrong with it.

results/VOC2012/Segmentation/comp6_test_cls/<id>.png: one 8-bit indexed PNG per test image, as large as the image, class
ids 0 to 20 under the VOC palette; all of it in a tar.gz. comp5 is for methods trained on VOC's own data alone, comp6 for
all others.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from parsenet_cli.core.palette import COLOURS
from parsenet_cli.core.run_config import Science
from parsenet_cli.data.sets.voc12 import CLASSES

TEST_IMAGES = 1456
OWN_MASKS = {"train": 1464, "trainval": 2913}
"""Masks of VOC2012's own lists."""

LARGEST_PNG = 2**24
"""Bytes of a map beyond which it is not looked at: VOC's images have at most 500x500 pixels."""

_PATH = re.compile(r"results/VOC2012/Segmentation/comp([56])_test_cls/([^/]+)\.png")
_FOLDERS = re.compile(r"results(/VOC2012(/Segmentation(/comp[56]_test_cls)?)?)?")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def competition(science: Science, train_images: int) -> tuple[int, str]:
    """5 or 6, and why in words. Where it cannot be shown that only VOC's own data was used, it is 6."""
    if science.weights == "imagenet":
        return 6, "its trunk started from ImageNet weights"
    if science.weights != "none":
        return 6, f"its trunk started from weights trained elsewhere ({science.weights})"
    if science.data != "voc12":
        return 6, f"it was trained on data={science.data}, whose masks need not be VOC's own"
    if train_images not in OWN_MASKS.values():
        own = " or ".join(f"{count} ({name})" for name, count in OWN_MASKS.items())
        return 6, f"it was trained on {train_images} masks and VOC's own are {own}: some may be SBD's"
    return 5, f"it was trained on VOC's own {train_images} masks alone, from random weights"


def pack(maps: Mapping[str, Path], comp: int, output: BinaryIO) -> None:
    """Write the tar.gz of label maps, id -> PNG file. Equal maps give equal bytes: no times, no owners, sorted by id."""
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=output, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(maps):
            content = maps[name].read_bytes()
            member = tarfile.TarInfo(f"results/VOC2012/Segmentation/comp{comp}_test_cls/{name}.png")
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))


def faults(archive: Path, ids: Collection[str] | None, images: Path | None) -> Iterator[str]:
    """Everything that is wrong with an archive, in words.

    Args:
        archive: the file.
        ids: which ids it must hold; None: any 1 456.
        images: a folder of `<id>.jpg` whose sizes the maps must have, where an image is there.
    """
    found: dict[str, int] = {}
    comps: set[str] = set()
    try:
        with gzip.open(archive) as zipped, tarfile.open(fileobj=zipped, mode="r:") as opened:
            for member in opened:
                if member.isdir() and _FOLDERS.fullmatch(member.name.rstrip("/")):
                    continue
                place = _PATH.fullmatch(member.name)
                if place is None or not member.isfile():
                    yield f"{member.name}: expected only files results/VOC2012/Segmentation/comp6_test_cls/<id>.png"
                    continue
                comps.add(place[1])
                found[place[2]] = found.get(place[2], 0) + 1
                file = opened.extractfile(member)
                assert file is not None
                if member.size > LARGEST_PNG:
                    yield f"{member.name}: {member.size} bytes are too many for a label map"
                else:
                    yield from (f"{member.name}: {fault}" for fault in _of_map(file.read(), _size(images, place[2])))
            while zipped.read(2**20):
                pass  # to the end, where the checksum of the whole stands
    except (tarfile.TarError, zlib.error, OSError, EOFError) as problem:
        yield f"not a whole tar.gz ({problem})"
        return
    if len(comps) > 1:
        yield "it holds both comp5_test_cls and comp6_test_cls; expected one of them"
    yield from (f"{name}: {count} times in the archive" for name, count in found.items() if count > 1)
    if ids is None and len(found) != TEST_IMAGES:
        yield f"{len(found)} ids; expected the {TEST_IMAGES} of VOC2012's test list"
    if ids is not None:
        yield from (f"{name}: missing" for name in sorted(set(ids) - set(found)))
        yield from (f"{name}: not one of the {len(set(ids))} ids expected" for name in sorted(set(found) - set(ids)))


def _of_map(content: bytes, size: tuple[int, int] | None) -> Iterator[str]:
    """The faults of one PNG; `size` is the width and height it must have."""
    from PIL import Image

    if len(content) < 33 or not content.startswith(_SIGNATURE):
        yield "not a PNG"
        return
    width, height, depth, kind = struct.unpack(">IIBB", content[16:26])
    if (depth, kind) != (8, 3):
        yield f"expected an 8-bit indexed PNG, found {depth} bits of PNG colour type {kind}"
        return
    if size is not None and (width, height) != size:
        yield f"{width}x{height} pixels for an image of {size[0]}x{size[1]}"
    if width * height > LARGEST_PNG:
        yield f"{width}x{height} pixels are too many for a label map of VOC2012"
        return
    try:
        with Image.open(io.BytesIO(content)) as image:
            ids = np.asarray(image)
            colours = np.array(image.getpalette() or [], np.uint8).reshape(-1, 3)
    except (OSError, SyntaxError, ValueError) as problem:
        yield f"damaged ({problem})"
        return
    if ids.max() >= len(CLASSES):
        yield f"value {ids.max()}; expected class ids 0 to {len(CLASSES) - 1}"
    count = min(len(colours), len(CLASSES))
    if count <= min(ids.max(), len(CLASSES) - 1) or (colours[:count] != COLOURS[:count]).any():
        yield "its palette is not VOC's"


def _size(images: Path | None, name: str) -> tuple[int, int] | None:
    from PIL import Image

    if images is None:
        return None
    try:
        with Image.open(images / f"{name}.jpg") as image:
            return image.size
    except OSError:
        return None
