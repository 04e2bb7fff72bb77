"""Every image is decoded once, into one memory-mapped file per split that all runs share.

`<cache>/decoded/<name>-<key>.u8` holds each image's RGB pixels and then its labels; the sealed `.json` beside it, written
last, holds each one's id, shape and CRC-32. The key is a hash of the content of all source files, so a changed file makes a
new cache. A process compares every image with its CRC-32 when it first reads it; where one is damaged, the split is decoded
again within the same run.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import mean

import numpy as np

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import file_lock, is_plain, open_plain, os_error_text, remove
from parsenet_cli.core.sealed import read_verified
from parsenet_cli.core.text import Progress, print_line, silent
from parsenet_cli.data.dataset import Image, Split
from parsenet_cli.data.decoding import BYTES_A_PIXEL, Listing, ReadLabel, Record, Source, decode, intact, pixels_of
from parsenet_cli.data.fingerprint import content_hashes, digest

FORMAT = 2

SAMPLE = 48
"""Images of a split whose size is looked up, to tell what all would take."""


@dataclass(frozen=True)
class CacheFile:
    """A file, or a folder, that a data set needs in the cache.

    Attributes:
        bytes: Its size; about, while it is not there.
    """

    path: Path
    bytes: float
    there: bool


def would_decode(name: str, listing: Listing, coding: str, cache: Path) -> CacheFile:
    """The file that `decoded` reads a split from, or would make. Raises `UserError` as `source_content` does."""
    sources = listing[1]
    file = _cache_file(name, coding, source_content(listing, cache, silent), cache)
    if is_plain(file) and is_plain(file.with_suffix(".json")):
        return CacheFile(file, file.lstat().st_size, there=True)
    pixels = [known for source in sources[:: -(-len(sources) // SAMPLE)] if (known := pixels_of(source)) is not None]
    return CacheFile(file, BYTES_A_PIXEL * mean(pixels) * len(sources) if pixels else 0.0, there=False)


def source_content(listing: Listing, cache: Path, progress: Progress) -> list[str]:
    """What a split is made of: its ids, the content hashes of all images, then of all label files.

    Raises `UserError` for an empty list and for a file that is missing.
    """
    listed, sources = listing
    if not sources:
        raise UserError(f"{listed}: no images are listed there; expected one id per line")
    try:
        return [*(source.id for source in sources), *content_hashes(_files(sources), cache, progress)]
    except FileNotFoundError as problem:
        raise UserError(
            f"{problem.filename}: no such file, although {listed} lists it; complete the folder or shorten the list"
        ) from None
    except OSError as problem:
        raise UserError(f"{listed} lists what cannot be read: {os_error_text(problem)}") from None


def decoded(name: str, listing: Listing, read_label: ReadLabel, coding: str, cache: Path, progress: Progress) -> Split:
    """The split that a list names, from the cache or decoded into it now.

    `coding` says how label files become class ids, as far as that depends on more than their content.
    Raises `UserError`, naming the file, for an image or label file that is missing, broken or does not fit.
    """
    sources, content = listing[1], source_content(listing, cache, progress)
    hashes = dict(zip(_files(sources), content[len(sources) :], strict=True))
    file = _cache_file(name, coding, content, cache)

    def made(unless: Callable[[_Decoded], bool]) -> _Decoded:
        """The file as it is now, where that will do; otherwise decoded now."""
        with file_lock(file.with_suffix(".lock"), f"decoding {name}", progress):
            there = _opened(file, sources)
            if there is None or not unless(there):
                if file.is_file():
                    print_line(f"{file}: is damaged, or an earlier version's; the data are decoded again")
                remove(file.with_suffix(".json"))  # an attempt that is interrupted leaves no index
                decode(file, name, sources, hashes, read_label, progress)
                there = _opened(file, sources)
        if there is None:
            raise _failing(file, "its index is damaged although the data were decoded again")
        return there

    current = _opened(file, sources) or made(unless=lambda _: True)
    shapes = [(record.height, record.width) for record in current.records]
    pixels = _Checked(file, current, lambda i: made(unless=lambda there: there.is_intact(i)))
    return Split(tuple(record.id for record in current.records), pixels, current.offsets[:-1], shapes)


@dataclass(frozen=True)
class _Decoded:
    """A cache file, mapped. It stays what it is for whoever has mapped it when another one takes its place.

    Attributes:
        offsets: Where each image begins, and where the last one ends.
        pixels: (bytes,), flat.
    """

    records: Sequence[Record]
    offsets: Sequence[int]
    pixels: Image

    def is_intact(self, i: int) -> bool:
        """Whether image i is what was decoded."""
        return intact(self.pixels[self.offsets[i] : self.offsets[i + 1]].data, self.records[i])


class _Checked:
    """A split's pixels: those of an image are compared with their checksum when this process first reads them.

    `again` gives a file in which image i is whole; it is asked for once.
    """

    def __init__(self, file: Path, current: _Decoded, again: Callable[[int], _Decoded]) -> None:
        self._file, self._current, self._again = file, current, again
        self._verified = bytearray(len(current.records))
        self._made_again = False

    def __getitem__(self, part: slice) -> Image:
        i = bisect_right(self._current.offsets, part.start) - 1
        if not self._verified[i]:
            self._verify(i)
        return self._current.pixels[part]

    def _verify(self, i: int) -> None:
        while not self._current.is_intact(i):
            name = self._current.records[i].id
            if self._made_again:
                raise _failing(self._file, f"image {name} is damaged although the data were decoded again")
            print_line(f"{self._file}: image {name} is damaged")
            self._current, self._made_again = self._again(i), True
            self._verified = bytearray(len(self._verified))
        self._verified[i] = 1


def _failing(file: Path, what: str) -> UserError:
    return UserError(
        f"{file}: {what}: this machine's disk or memory fails. Look at both, or use another results folder, and issue the "
        "command again"
    )


def _cache_file(name: str, coding: str, content: Sequence[str], cache: Path) -> Path:
    """Where a split with this content is decoded to."""
    return cache / "decoded" / f"{name}-{digest([str(FORMAT), coding, *content])}.u8"


def _files(sources: Sequence[Source]) -> list[Path]:
    return [*(source.image for source in sources), *(source.label for source in sources)]


def _opened(file: Path, sources: Sequence[Source]) -> _Decoded | None:
    """A cache file; None when it or its index is absent, not whole, or of other images."""
    index = read_verified(file.with_suffix(".json")) or {}
    try:
        records = list(map(Record.from_json, index.get("pictures", ())))
        offsets = list(accumulate((record.size for record in records), initial=0))
        if [record.id for record in records] != [source.id for source in sources]:
            return None
        with open_plain(file) as opened:
            if os.fstat(opened.fileno()).st_size != offsets[-1]:
                return None
            # A plain view: slicing a memmap costs microseconds.
            return _Decoded(records, offsets, np.asarray(np.memmap(opened, np.uint8, mode="r")))
    except (OSError, ValueError, TypeError):
        return None
