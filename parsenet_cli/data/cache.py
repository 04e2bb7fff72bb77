"""Every picture is decoded once, into one memory-mapped file per split that all runs share.

`<cache>/decoded/<name>-<key>.u8` holds each picture's RGB pixels and then its labels; the `.json` beside it, written
last, holds each one's id, shape and CRC-32. The key is a hash of the content of all source files, so a changed file makes a
new cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from parsenet_cli.data.dataset import Progress, Split
from parsenet_cli.data.decoding import ReadLabel, Record, Source, decode, intact
from parsenet_cli.data.fingerprint import content_hashes, digest
from parsenet_cli.errors import UserError
from parsenet_cli.files import explained, read_json

FORMAT = 2
SAMPLE = 16
"""Pictures whose checksum is looked at whenever a split is opened."""


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
                decode(file, name, sources, read_label, progress)
                split = _opened(file)
    assert split is not None, f"{file} was written but does not verify"
    return split


def _opened(file: Path) -> Split | None:
    """The split in a cache file; None when it is absent, not whole, or a sample of its pictures is not what was written."""
    content = read_json(file.with_suffix(".json"))
    if not isinstance(content, list) or not file.is_file():
        return None
    records = [Record(*values) for values in content]
    offsets = list(accumulate((record.size for record in records), initial=0))
    if file.stat().st_size != offsets[-1]:
        return None
    pixels = np.asarray(np.memmap(file, np.uint8, mode="r"))  # a plain view: slicing a memmap costs microseconds
    for i in range(0, len(records), max(1, len(records) // SAMPLE)):
        if not intact(pixels[offsets[i] : offsets[i + 1]].data, records[i]):
            return None
    shapes = [(record.height, record.width) for record in records]
    return Split(tuple(record.id for record in records), pixels, offsets[:-1], shapes)
