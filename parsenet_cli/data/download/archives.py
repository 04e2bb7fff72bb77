"""Taking files out of an archive that nobody has to trust: nothing is written outside the target, and nothing but files.

tar (plain or compressed), zip, and a single text file, which counts as an archive of one.
"""

from __future__ import annotations

import lzma
import re
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import os_errors_as_user_errors
from parsenet_cli.core.text import Progress

LARGEST_FILE = 256 << 20
"""In bytes; the largest image of any data set has 2 MB."""

LARGEST_ARCHIVE = 64 << 30
"""In bytes, unpacked."""

_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, RuntimeError),
)
_EVERY = 200


def extract(archive: Path, target: Path, place: Callable[[str], str | None], progress: Progress) -> int:
    """Write the members that `place` maps to a path below `target`; returns how many.

    Raises:
        UserError: the archive is truncated, damaged or none; a member has an absolute name or one with `..`; a member that
            is wanted is a link or device; sizes are absurd; nothing of what is wanted is in it; the disk is full.
    """
    count = 0
    with archive.open("rb") as raw, _readable(archive):
        size, total = max(archive.stat().st_size, 1), 0
        for name, length, opener in _members(archive, raw):
            total += length
            if length > LARGEST_FILE or total > LARGEST_ARCHIVE:
                raise _refused(archive, name, f"would unpack to {max(length, total)} bytes")
            relative = place(_safe(archive, name))
            if relative is None:
                continue
            content = opener() if opener else None
            if content is None:
                raise _refused(archive, name, "is a link or a device, expected a plain file")
            _write(content, length, target / relative, archive)
            count += 1
            if count % _EVERY == 0:
                progress(f"unpacking {archive.name}: {100 * min(raw.tell(), size) // size} %, {count} files")
    if count == 0:
        raise UserError(f"{archive}: none of the files that belong to this data set are in it; is it another archive?")
    progress(f"unpacking {archive.name}: {count} files")
    return count


_Member = tuple[str, int, Callable[[], "IO[bytes] | None"] | None]


def _members(archive: Path, raw: BinaryIO) -> Iterator[_Member]:
    """Name, unpacked length and what opens the content (None for what is no plain file) of every member but folders."""
    if archive.suffix == ".txt":
        yield archive.name, archive.stat().st_size, lambda: raw
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(raw) as packed:
            for info in packed.infolist():
                if not info.is_dir():
                    plain = info.external_attr >> 28 in (0, 8)  # of Unix: 8 is a plain file, 0 unknown
                    yield info.filename, info.file_size, partial(packed.open, info) if plain else None
    else:
        with tarfile.open(fileobj=raw) as tape:
            for member in tape:
                if not member.isdir():
                    yield member.name, member.size, partial(tape.extractfile, member) if member.isreg() else None


def _safe(archive: Path, name: str) -> str:
    """The name with forward slashes and without a leading `./`."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise _refused(archive, name, "points outside of the folder it is unpacked to")
    return str(path)


def _write(content: IO[bytes], length: int, file: Path, archive: Path) -> None:
    with os_errors_as_user_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as output:
            shutil.copyfileobj(content, output)
    if file.stat().st_size != length:
        raise EOFError(f"{file.name} has {file.stat().st_size} of {length} bytes")


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as problem:
        raise UserError(
            f"{archive}: not a complete archive ({' '.join(str(problem).split())}). Remove it and issue the command again, or "
            "name a good copy with --from"
        ) from None


def _refused(archive: Path, name: str, why: str) -> UserError:
    return UserError(
        f"{archive}: its member '{name[:200]}' {why}: this is not the published archive. Nothing of it is used; remove it"
    )
