"""`MANIFEST.sha256`: the content of every file of a prepared folder, in the form that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from parsenet_cli.core.download import checksum
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import write_text
from parsenet_cli.core.text import Progress

NAME = "MANIFEST.sha256"
_CHUNK = 512


def write(root: Path, leave_out: Sequence[str], progress: Progress) -> tuple[str, int, int]:
    """Write the manifest of all files below `root` but those in `leave_out` (files and folders right below `root`).

    Returns its own sha256, the number of files and their bytes.
    """
    kept = [entry for entry in root.iterdir() if entry.name not in (NAME, *leave_out)]
    inside = [file for entry in kept for file in (entry.rglob("*") if entry.is_dir() else [entry])]
    files = sorted(file.relative_to(root).as_posix() for file in inside if file.is_file())
    sums = _sums(root, files, progress)
    text = "".join(f"{found}  {name}\n" for name, found in zip(files, sums, strict=True))
    write_text(root / NAME, text)
    return hashlib.sha256(text.encode()).hexdigest(), len(files), sum((root / name).stat().st_size for name in files)


def differences(root: Path, progress: Progress) -> list[str]:
    """What has changed since the manifest was written; empty where there is no manifest."""
    if not (root / NAME).is_file():
        return []
    wanted = dict(_lines(root / NAME))
    there = [name for name in wanted if (root / name).is_file()]
    gone = [f"{root / name}: is gone, although {NAME} lists it" for name in wanted if not (root / name).is_file()]
    found = zip(there, _sums(root, there, progress), strict=True)
    return gone + [f"{root / name}: its content is not the one in {NAME}" for name, sha in found if sha != wanted[name]]


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    for line in file.read_text().splitlines():
        sha, _, name = line.partition(" ")
        if len(sha) != 64 or not name.strip():
            raise UserError(f"{file}: malformed; expected lines of a sha256 and a path, found '{line[:80]}'")
        yield name.strip().removeprefix("*"), sha


def _sums(root: Path, files: Sequence[str], progress: Progress) -> list[str]:
    found: list[str] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(files), _CHUNK):
            part = [root / name for name in files[start : start + _CHUNK]]
            found += [text.removeprefix("sha256:") for text in pool.map(checksum, part)]
            progress(f"hashing files: {len(found)} of {len(files)}")
    return found
