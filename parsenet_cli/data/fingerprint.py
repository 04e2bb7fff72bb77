"""The content of files as hashes, remembered by size and modification time so that it is read once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from parsenet_cli.core.files import NotWritten, sha256_of
from parsenet_cli.core.sealed import read_verified, write_with_checksum
from parsenet_cli.core.text import Progress

_CHUNK = 256


def content_hashes(files: Sequence[Path], cache: Path, progress: Progress) -> list[str]:
    """sha256 of every file, in order. Raises FileNotFoundError for one that is missing.

    A file whose size and modification time (ns) are those remembered in `<cache>/fingerprints/` is not read again.
    """
    folders = sorted({os.path.realpath(file.parent) for file in files})
    memory = cache / "fingerprints" / f"{digest(folders)}.json"
    known = _remembered(memory)
    stamps = {str(file): _stamp(file) for file in files}
    stale = [name for name, stamp in stamps.items() if known.get(name, [""])[0] != stamp]
    if stale:
        try:
            for name, sha256 in zip(stale, sha256_of_all(list(map(Path, stale)), "reading", progress), strict=True):
                known[name] = [stamps[name], sha256]
        finally:
            with suppress(NotWritten):  # in a store that is somebody else's it is not remembered
                write_with_checksum(memory, {"files": known})
    return [known[str(file)][1] for file in files]


def _remembered(memory: Path) -> dict[str, list[str]]:
    """Stamp and hash by file, as far as they are what was written."""
    files = (read_verified(memory) or {}).get("files")
    if not isinstance(files, dict):
        return {}
    return {
        name: entry
        for name, entry in files.items()
        if isinstance(entry, list) and len(entry) == 2 and all(isinstance(text, str) for text in entry)
    }


def sha256_of_all(files: Sequence[Path], doing: str, progress: Progress) -> Iterator[str]:
    """sha256 of every file as it is now, in order, by all cores."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(files), _CHUNK):
            part = files[start : start + _CHUNK]
            yield from pool.map(sha256_of, part)
            progress(f"{doing} files: {start + len(part)} of {len(files)}")


def digest(parts: Iterable[str]) -> str:
    """Sixteen hexadecimal digits for a sequence of texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"
