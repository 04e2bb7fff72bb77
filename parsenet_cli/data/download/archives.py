"""Taking files out of an archive that nobody has to trust: nothing is written outside the target, and nothing but files.

tar (plain or in gzip), zip, and a single text file, which counts as an archive of one. Sizes and counts are bounded, also those
of what the libraries read for themselves: a tar's header may announce a name of gigabytes.
"""

from __future__ import annotations

import gzip
import re
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import new_file, open_plain, os_errors_as_user_errors
from parsenet_cli.core.text import Progress, printable

LARGEST_FILE = 256 << 20
"""In bytes; the largest image of any data set has 2 MB."""

LARGEST_ARCHIVE = 64 << 30
"""In bytes, unpacked."""

MOST_MEMBERS = 200_000
"""The archive with the most of them, VOC's, has 40 000."""

LARGEST_HEADER = 1 << 20
"""In bytes, of one member of a tar."""

LARGEST_DIRECTORY = 32 << 20
"""In bytes, of a zip."""

DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, OSError, ValueError, RuntimeError, MemoryError),
)
"""What reading a damaged archive raises."""

_EVERY = 200


class Metered:
    """A binary file of which no more than `left` bytes can be read before `left` is set again.

    Attributes:
        left: In bytes.
    """

    def __init__(self, file: BinaryIO | gzip.GzipFile, left: int) -> None:
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, file.close
        self.left = left
        self._file = file

    def read(self, size: int | None = -1) -> bytes:
        """Raises `ValueError` where that is more than is left."""
        wanted = self.left + 1 if size is None or size < 0 else size
        content = self._file.read(min(wanted, self.left + 1))
        if len(content) > self.left:
            raise ValueError("its headers are too large")
        self.left -= len(content)
        return content


def tar_members(file: BinaryIO | gzip.GzipFile) -> Iterator[tuple[tarfile.TarInfo, Callable[[], IO[bytes] | None]]]:
    """The members of an unpacked tar and what opens each: their headers and their number are bounded.

    Raises one of `DAMAGED` where it is none, or these are too large.
    """
    metered = Metered(file, LARGEST_HEADER)
    with tarfile.open(fileobj=cast("IO[bytes]", metered), mode="r:") as tape:
        offset = -1
        for count, member in enumerate(tape):
            if member.size < 0 or tape.offset <= offset:  # would lead back to what has been read
                raise tarfile.ReadError("a member of negative size")
            if count == MOST_MEMBERS:
                raise tarfile.ReadError(f"it has more than {MOST_MEMBERS} members")
            offset = tape.offset
            metered.left = member.size
            yield member, partial(tape.extractfile, member)
            metered.left = LARGEST_HEADER
            tape.members.clear()  # type: ignore[attr-defined]  # a list of all that were read, which nobody looks into here


def extract(archive: Path, target: Path, place: Callable[[str], str | None], progress: Progress) -> int:
    """Write the members that `place` maps to a path below `target`; returns how many.

    Raises:
        UserError: the archive is truncated, damaged or none; a member has an absolute name or one with `..`; a member that
            is wanted is a link, device or sparse file, has control characters in its name, or is there twice; sizes are
            absurd; nothing of what is wanted is in it; the disk is full.
    """
    taken = set[str]()
    with _readable(archive), open_plain(archive, follow=True) as raw:
        size, total = max(archive.stat().st_size, 1), 0
        for name, length, opener in _members(archive, raw):
            total += length
            if length > LARGEST_FILE or total > LARGEST_ARCHIVE:
                raise _refused(archive, name, f"would unpack to {max(length, total)} bytes")
            relative = place(_safe(archive, name))
            if relative is None:
                continue
            if printable(name) != name or "\n" in name or "\t" in name:
                raise _refused(archive, name, "has control characters in its name")
            if relative in taken:
                raise _refused(archive, name, "is there twice")
            content = opener() if opener else None
            if content is None:
                raise _refused(archive, name, "is a link or a device, expected a plain file")
            _write(content, length, target / relative)
            taken.add(relative)
            if len(taken) % _EVERY == 0:
                progress(f"unpacking {archive.name}: {100 * min(raw.tell(), size) // size} %, {len(taken)} files")
    if not taken:
        raise UserError(f"{archive}: none of the files that belong to this data set are in it; is it another archive?")
    progress(f"unpacking {archive.name}: {len(taken)} files")
    return len(taken)


_Member = tuple[str, int, Callable[[], "IO[bytes] | None"] | None]


def _members(archive: Path, raw: BinaryIO) -> Iterator[_Member]:
    """Name, unpacked length and what opens the content (None for what is no plain file) of every member but folders."""
    if archive.suffix == ".txt":
        yield archive.name, archive.stat().st_size, lambda: raw
    elif zipfile.is_zipfile(raw):
        yield from _zip_members(raw)
    else:
        raw.seek(0)
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.GzipFile(fileobj=raw) if packed else raw as tape:
            for member, opener in tar_members(tape):
                if not member.isdir():
                    yield member.name, member.size, opener if member.isreg() and not member.issparse() else None


def _zip_members(raw: BinaryIO) -> Iterator[_Member]:
    metered = Metered(raw, LARGEST_DIRECTORY)
    with zipfile.ZipFile(cast("IO[bytes]", metered)) as packed:
        infos = packed.infolist()
        if len(infos) > MOST_MEMBERS:
            raise zipfile.BadZipFile(f"it has more than {MOST_MEMBERS} members")
        placed = sorted(infos, key=lambda info: info.header_offset)
        if any(
            info.header_offset + info.compress_size > following.header_offset for info, following in pairwise(placed)
        ):
            raise zipfile.BadZipFile("its members overlap")
        if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
            raise zipfile.BadZipFile("its members are not packed by deflate")
        for info in infos:
            if not info.is_dir():
                metered.left = info.compress_size + LARGEST_HEADER
                plain = info.external_attr >> 28 in (0, 8)  # of Unix: 8 is a plain file, 0 unknown
                yield info.filename, info.file_size, partial(packed.open, info) if plain else None


def _safe(archive: Path, name: str) -> str:
    """The name with forward slashes and without a leading `./`."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise _refused(archive, name, "points outside of the folder it is unpacked to")
    return str(path)


def _write(content: IO[bytes], length: int, file: Path) -> None:
    with os_errors_as_user_errors(file), new_file(file) as output:
        shutil.copyfileobj(content, output)
        written = output.tell()
    if written != length:
        raise EOFError(f"{file.name} has {written} of {length} bytes")


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGED as problem:
        raise UserError(
            f"{archive}: not a complete archive ({' '.join(str(problem).split())}). Remove it and issue the command again, or "
            "name a good copy with --from"
        ) from None


def _refused(archive: Path, name: str, why: str) -> UserError:
    return UserError(
        f"{archive}: its member {name[:200]!r} {why}: this is not the published archive. Nothing of it is used; remove it"
    )
