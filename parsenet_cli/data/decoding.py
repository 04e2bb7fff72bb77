"""Decoding a split into one file: by all cores, in bounded memory, and from where an interrupted attempt ended.

Pixels are appended to `<file>.part`. For each image whose bytes are on the disk `<file>.part.jsonl` then gets a line
with its id, shape and CRC-32: an attempt that was killed goes on after the last image that both agree on.
"""

from __future__ import annotations

import json
import os
import signal
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np

from parsenet_cli.core import pictures
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import (
    append_to,
    make_folder,
    open_plain,
    os_errors_as_user_errors,
    read_bytes,
    refuse_links,
    remove,
    sha256_of,
    write_text,
)
from parsenet_cli.core.sealed import parse_json, write_with_checksum
from parsenet_cli.core.text import Progress
from parsenet_cli.data.dataset import Image

# Images per core that may wait, decoded, to be written: what bounds the memory.
_AHEAD = 8
# Images between two flushes to the disk.
_FLUSH = 64
# Items that a process takes at a time.
_CHUNK = 16
# Items that are done before processes have started.
_FEW = 32


BYTES_A_PIXEL = 4
"""Of a decoded image: red, green, blue and the label."""


@dataclass(frozen=True)
class Source:
    """Where one image of a split comes from."""

    id: str
    image: Path
    label: Path


Listing = tuple[Path, list[Source]]
"""What lists the ids, a file or a folder, as messages name it; and the files of each id."""

Hashes = Mapping[Path, str]
"""The sha256 of files."""

ReadLabel = Callable[[Path], Image]
"""Reads a label file as uint8 (H, W) ids; raises `UserError`, naming the file, when it is not as it should be."""


class Record(NamedTuple):
    """One image in the file: its RGB pixels and then its labels."""

    id: str
    height: int
    width: int
    crc32: int

    @property
    def size(self) -> int:
        """In bytes."""
        return BYTES_A_PIXEL * self.height * self.width

    @classmethod
    def from_json(cls, values: Any) -> Record:
        """As it stands in a file. Raises `ValueError` where that is no record of an image."""
        if not isinstance(values, list) or len(values) != 4 or not isinstance(values[0], str):
            raise ValueError("it is no record of an image")
        name, height, width, crc32 = values
        if not all(type(number) is int and number >= 0 for number in (height, width, crc32)):
            raise ValueError("it is no record of an image")
        if not 0 < height * width <= pictures.MOST_PIXELS:
            raise ValueError("its size is out of range")
        return cls(name, height, width, crc32)


def decode(
    file: Path, name: str, sources: Sequence[Source], hashes: Hashes, read_label: ReadLabel, progress: Progress
) -> None:
    """Write `file` and, last, the sealed `.json` beside it with a record of each image.

    `hashes` are those of the source files that the data set was identified by.

    Raises `UserError`, naming the file, for an image or label file that is missing, broken, does not fit or has
    another content, and for a full disk; what is decoded by then is kept for the next attempt.
    """
    part, journal = file.with_suffix(".part"), file.with_suffix(".part.jsonl")
    with os_errors_as_user_errors(file):
        records = _kept(part, journal, sources)
        with os.fdopen(append_to(part), "ab") as pixels, os.fdopen(append_to(journal), "a") as lines:
            unwritten: list[Record] = []

            def keep() -> None:
                _to_disk(pixels)
                lines.writelines(map(_line, unwritten))
                _to_disk(lines)
                unwritten.clear()

            try:
                for source, image, label in _read_all(sources[len(records) :], hashes, read_label):
                    data = np.ascontiguousarray(image).tobytes() + np.ascontiguousarray(label).tobytes()
                    pixels.write(data)
                    height, width = label.shape
                    records.append(Record(source.id, height, width, zlib.crc32(data)))
                    unwritten.append(records[-1])
                    if len(unwritten) == _FLUSH or len(records) == len(sources):
                        keep()
                        progress(f"decoding {name}: {len(records)} of {len(sources)}")
            except UserError:
                keep()
                raise
        refuse_links(file, itself=False)
        part.replace(file)
        write_with_checksum(file.with_suffix(".json"), {"pictures": records})
        remove(journal)


def read_image(path: Path) -> Image:
    """An image as RGB, uint8 (H, W, 3). Raises `UserError` when the file is missing, truncated or no image."""
    with pictures.opened(path, "image", pictures.IMAGES) as image:
        return np.asarray(image.convert("RGB"))


def pixels_of(source: Source) -> int | None:
    """How many pixels an image has, from its header alone; None where it cannot be read."""
    with suppress(UserError), pictures.opened(source.image, "image", pictures.IMAGES) as image:
        return image.width * image.height
    return None


def read_pair(source: Source, read_label: ReadLabel) -> tuple[Image, Image]:
    """An image and its labels. Raises `UserError`, naming the file, where one is missing, broken or does not fit."""
    image, label = read_image(source.image), read_label(source.label)
    if image.shape[:2] != label.shape:
        raise UserError(
            f"{source.label}: labels of {label.shape[1]}x{label.shape[0]} pixels for an image of "
            f"{image.shape[1]}x{image.shape[0]} ({source.image}); they must have the same size"
        )
    return image, label


def intact(data: bytes | memoryview, record: Record) -> bool:
    """Whether the bytes of an image are those that were written."""
    return len(data) == record.size and zlib.crc32(data) == record.crc32


def _check_content(path: Path, sha256: str | None) -> None:
    """A disk that changes a file changes neither its size nor its time, by which its hash is remembered."""
    with suppress(OSError):  # its reader names it
        if sha256 is not None and sha256_of(path) != sha256:
            raise UserError(
                f"{path}: its content is not the one that the data set was identified by: it is damaged, or was changed. "
                "Restore it; or, if the change is meant, `touch` it and issue the command again"
            )


def _kept(part: Path, journal: Path, sources: Sequence[Source]) -> list[Record]:
    """The images of an earlier attempt that are whole; `part` and `journal` are cut to them."""
    records: list[Record] = []
    with suppress(FileNotFoundError), open_plain(part) as pixels:
        for line, source in zip(read_bytes(journal).splitlines(), sources, strict=False):
            try:
                record = Record.from_json(parse_json(line))
            except ValueError:
                break  # the last line, torn, or a damaged one
            if record.id != source.id or not intact(pixels.read(record.size), record):
                break
            records.append(record)
    make_folder(part.parent)
    with os.fdopen(append_to(part), "ab") as pixels:
        pixels.truncate(sum(record.size for record in records))
    write_text(journal, "".join(map(_line, records)))
    return records


def _line(record: Record) -> str:
    return json.dumps(record) + "\n"


def _to_disk(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _read_all(
    sources: Sequence[Source], hashes: Hashes, read_label: ReadLabel
) -> Iterator[tuple[Source, Image, Image]]:
    """Images and labels in order, decoded by threads (PIL, zlib and sha256 work outside of Python's lock)."""

    def read(source: Source) -> tuple[Source, Image, Image]:
        for path in (source.image, source.label):
            _check_content(path, hashes.get(path))
        return source, *read_pair(source, read_label)

    cores = len(os.sched_getaffinity(0))
    waiting: deque[Future[tuple[Source, Image, Image]]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for source in sources:
                waiting.append(pool.submit(read, source))
                if len(waiting) == _AHEAD * cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`function` of every item, in order. It must be a module's own function, or a partial of one."""
    if len(items) <= _FEW:
        yield from map(function, items)
        return
    # Fresh processes: a fork of a process with threads may hang.
    pool = ProcessPoolExecutor(max(2, os.cpu_count() or 1), get_context("spawn"), _leave_ctrl_c_to_the_parent)
    try:
        yield from pool.map(function, items, chunksize=_CHUNK)
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
