"""The archive that VOC's evaluation server takes (docs/predict.md): how it is packed, what can be wrong with it.

results/VOC2012/Segmentation/comp6_test_cls/<id>.png: one 8-bit indexed PNG per test image, as large as the image, class
ids 0 to 20 under the VOC palette; all of it in a tar.gz. comp5 is for methods trained on VOC's own data alone, comp6 for
all others.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import struct
import tarfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from parsenet_cli.core import pictures
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import open_plain, read_bytes
from parsenet_cli.core.palette import COLOURS
from parsenet_cli.core.run_config import Science
from parsenet_cli.core.text import check_name
from parsenet_cli.data.download.archives import DAMAGED, tar_members
from parsenet_cli.data.sets.voc12 import CLASSES

TEST_IMAGES = 1456
OWN_MASKS = {"train": 1464, "trainval": 2913}
"""Masks of VOC2012's own lists."""

LARGEST_PNG = 2**24
"""Bytes of a map beyond which it is not looked at: VOC's images have at most 500x500 pixels."""

_MOST_BEHIND = 1 << 20
"""Bytes of zeros that end a tar; programs write some 10 kB of them."""

_OWNER = "parsenet"
"""Of the members: the archive was written by `submit`, which may replace it."""

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
    """Write the tar.gz of label maps, id -> PNG file. Equal maps give equal bytes: no times, one owner, sorted by id."""
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=output, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(maps):
            content = read_bytes(maps[name], LARGEST_PNG)
            member = tarfile.TarInfo(f"results/VOC2012/Segmentation/comp{comp}_test_cls/{name}.png")
            member.size, member.mode, member.uname = len(content), 0o644, _OWNER
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
        with open_plain(archive, follow=True) as raw, gzip.GzipFile(fileobj=raw) as zipped:
            for member, opener in tar_members(zipped):
                if member.isdir() and _FOLDERS.fullmatch(member.name.rstrip("/")):
                    continue
                shown = repr(member.name[:200])[1:-1]
                if member.size > LARGEST_PNG:
                    yield f"{shown}: {member.size} bytes are too many for a label map; not looked at further"
                    return
                place = _PATH.fullmatch(member.name)
                content = opener() if place and member.isreg() and not member.issparse() else None
                if place is None or content is None:
                    yield f"{shown}: expected only files results/VOC2012/Segmentation/comp6_test_cls/<id>.png"
                    continue
                comps.add(place[1])
                found[place[2]] = found.get(place[2], 0) + 1
                yield from (f"{shown}: {fault}" for fault in _of_member(content, place[2], images))
            if len(zipped.read(_MOST_BEHIND + 1)) > _MOST_BEHIND:  # to the end, where the checksum of the whole stands
                yield f"more than {_MOST_BEHIND} bytes follow the last map"
    except DAMAGED as problem:
        yield f"not a whole tar.gz ({' '.join(str(problem).split())})"
        return
    if len(comps) > 1:
        yield "it holds both comp5_test_cls and comp6_test_cls; expected one of them"
    yield from (f"{name}: {count} times in the archive" for name, count in found.items() if count > 1)
    if ids is None and len(found) != TEST_IMAGES:
        yield f"{len(found)} ids; expected the {TEST_IMAGES} of VOC2012's test list"
    if ids is not None:
        yield from (f"{name}: missing" for name in sorted(set(ids) - set(found)))
        yield from (f"{name}: not one of the {len(set(ids))} ids expected" for name in sorted(set(found) - set(ids)))


def is_own(archive: Path) -> bool:
    """Whether a file is an archive that `pack` has written."""
    try:
        with open_plain(archive) as raw, gzip.GzipFile(fileobj=raw) as zipped:
            first, _ = next(tar_members(zipped))
            return first.uname == _OWNER and _PATH.fullmatch(first.name) is not None
    except (*DAMAGED, StopIteration):
        return False


def _of_member(content: IO[bytes], name: str, images: Path | None) -> Iterator[str]:
    """The faults of the map of one image."""
    try:
        check_name(name, "id")
        size = _size(images, name)
    except UserError as problem:
        yield str(problem)
        return
    yield from _of_map(content.read(), size)


def _of_map(content: bytes, size: tuple[int, int] | None) -> Iterator[str]:
    """The faults of one PNG; `size` is the width and height it must have."""
    if len(content) < 33 or not content.startswith(_SIGNATURE):
        yield "not a PNG"
        return
    width, height, depth, kind = struct.unpack(">IIBB", content[16:26])
    if (depth, kind) != (8, 3):
        yield f"expected an 8-bit indexed PNG, found {depth} bits of PNG colour type {kind}"
        return
    if size is not None and (width, height) != size:
        yield f"{width}x{height} pixels for an image of {size[0]}x{size[1]}"
    if not 0 < width * height <= LARGEST_PNG:
        yield f"{width}x{height} pixels are too {'many' if width * height else 'few'} for a label map of VOC2012"
        return
    try:
        image = pictures.open_stream(io.BytesIO(content), pictures.MASKS, verify=True)
        ids = np.asarray(image)
        colours = np.array(image.getpalette() or [], np.uint8).reshape(-1, 3)
    except Exception as problem:  # Pillow names no common class for what a damaged file can raise
        yield f"damaged ({problem})"
        return
    if ids.max() >= len(CLASSES):
        yield f"value {ids.max()}; expected class ids 0 to {len(CLASSES) - 1}"
    count = min(len(colours), len(CLASSES))
    if count <= min(ids.max(), len(CLASSES) - 1) or (colours[:count] != COLOURS[:count]).any():
        yield "its palette is not VOC's"


def _size(images: Path | None, name: str) -> tuple[int, int] | None:
    """Width and height of an image, where it is there. Raises `UserError` where it cannot be read."""
    if images is None or not os.path.lexists(images / f"{name}.jpg"):
        return None
    with pictures.opened(images / f"{name}.jpg", "image", pictures.IMAGES) as image:
        return image.size
