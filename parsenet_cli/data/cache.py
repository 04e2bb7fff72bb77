"""Every picture is decoded once, into one memory-mapped file per split that all runs share.

`<cache>/decoded/<name>-<key>.u8` holds each picture's RGB pixels and then its labels; the `.json` beside it, written
last, holds ids, offsets and shapes. The key is a hash of the content of all source files, so a changed file makes a
new cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from parsenet_cli.data.dataset import Image, Progress, Split
from parsenet_cli.data.fingerprint import content_hashes, digest
from parsenet_cli.errors import UserError
from parsenet_cli.files import explained, read_json, replacing, write_json

FORMAT = 1
_CHUNK = 64


@dataclass(frozen=True)
class Source:
    """Where one picture of a split comes from."""

    id: str
    image: Path
    label: Path


ReadLabel = Callable[[Path], Image]
"""Reads a label file as uint8 (H, W) ids; raises `UserError`, naming the file, when it is not as it should be."""


def source_content(sources: Sequence[Source], listed: str, cache: Path, progress: Progress) -> list[str]:
    """What a split is made of: its ids, the content hashes of all pictures, then of all label files.

    `listed` names the list they come from.

    Raises `UserError` for an empty list and for a file that is missing.
    """
    if not sources:
        raise UserError(f"{listed}: no pictures are listed there; expected one id per line")
    files = [*(source.image for source in sources), *(source.label for source in sources)]
    try:
        return [*(source.id for source in sources), *content_hashes(files, cache, progress)]
    except FileNotFoundError as problem:
        raise UserError(
            f"{problem.filename}: no such file, although {listed} lists it; complete the folder or shorten the list"
        ) from None


def decoded(
    name: str,
    sources: Sequence[Source],
    listed: str,
    read_label: ReadLabel,
    coding: str,
    cache: Path,
    progress: Progress,
) -> Split:
    """The split with these sources, from the cache or decoded into it now.

    `coding` says how label files become class ids, as far as that depends on more than their content.
    Raises `UserError`, naming the file, for a picture or label file that is missing, broken or does not fit.
    """
    from filelock import FileLock

    key = digest([str(FORMAT), coding, *source_content(sources, listed, cache, progress)])
    file = cache / "decoded" / f"{name}-{key}.u8"
    with explained(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file.with_suffix(".lock"))
    split = _opened(file)
    if split is None:
        with lock:
            split = _opened(file)
            if split is None:
                _decode(file, name, sources, read_label, progress)
                split = _opened(file)
    assert split is not None, f"{file} was written but does not verify"
    return split


def read_image(path: Path) -> Image:
    """A picture as RGB, uint8 (H, W, 3). Raises `UserError` when the file is missing, truncated or no picture."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such picture") from None
    except (OSError, SyntaxError, ValueError) as problem:
        raise UserError(
            f"{path}: not a complete picture ({problem}); restore the file or take it off the list"
        ) from None


def _decode(file: Path, name: str, sources: Sequence[Source], read_label: ReadLabel, progress: Progress) -> None:
    shapes = []
    with replacing(file) as output:
        for image, label in _read_all(sources, read_label):
            output.write(np.ascontiguousarray(image).data)
            output.write(np.ascontiguousarray(label).data)
            shapes.append(label.shape)
            if len(shapes) % _CHUNK == 0 or len(shapes) == len(sources):
                progress(f"decoding {name}: {len(shapes)} of {len(sources)}")
    write_json(file.with_suffix(".json"), {"ids": [source.id for source in sources], "shapes": shapes})


def _read_all(sources: Sequence[Source], read_label: ReadLabel) -> Iterator[tuple[Image, Image]]:
    """Pictures and labels in order, decoded by threads (PIL and zlib work outside of Python's lock)."""

    def read(source: Source) -> tuple[Image, Image]:
        image, label = read_image(source.image), read_label(source.label)
        if image.shape[:2] != label.shape:
            raise UserError(
                f"{source.label}: labels of {label.shape[1]}x{label.shape[0]} pixels for a picture of "
                f"{image.shape[1]}x{image.shape[0]} ({source.image}); they must have the same size"
            )
        return image, label

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(sources), _CHUNK):
            yield from pool.map(read, sources[start : start + _CHUNK])


def _opened(file: Path) -> Split | None:
    """The split in a cache file; None when it is absent or not whole."""
    index = read_json(file.with_suffix(".json"))
    if not isinstance(index, dict) or not file.is_file():
        return None
    shapes = [(int(height), int(width)) for height, width in index["shapes"]]
    ends = list(accumulate(4 * height * width for height, width in shapes))
    if file.stat().st_size != ends[-1]:
        return None
    pixels = np.asarray(np.memmap(file, np.uint8, mode="r"))  # a plain view: slicing a memmap costs microseconds
    return Split(tuple(index["ids"]), pixels, [0, *ends[:-1]], shapes)
