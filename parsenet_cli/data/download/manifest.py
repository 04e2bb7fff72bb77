"""`MANIFEST.sha256`: the content of every file of a prepared folder, in the form that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import os_error_text, read_text, write_text
from parsenet_cli.core.text import Progress
from parsenet_cli.data.fingerprint import sha256_of_all

NAME = "MANIFEST.sha256"


def write(root: Path, leave_out: Sequence[str], progress: Progress) -> tuple[str, int, int]:
    """Write the manifest of all files below `root` but those in `leave_out` (files and folders right below `root`).

    Returns its own sha256, the number of files and their bytes.
    """
    kept = [entry for entry in root.iterdir() if entry.name not in (NAME, *leave_out)]
    inside = [file for entry in kept for file in (entry.rglob("*") if entry.is_dir() else [entry])]
    files = sorted(file.relative_to(root).as_posix() for file in inside if file.is_file())
    sums = sha256_of_all([root / name for name in files], "hashing", progress)
    text = "".join(f"{sha256}  {name}\n" for name, sha256 in zip(files, sums, strict=True))
    write_text(root / NAME, text)
    return hashlib.sha256(text.encode()).hexdigest(), len(files), sum((root / name).stat().st_size for name in files)


def differences(root: Path, progress: Progress) -> list[str]:
    """What has changed since the manifest was written; empty where there is no manifest."""
    if not (root / NAME).is_file():
        return []
    wanted = {root / name: sha256 for name, sha256 in _lines(root / NAME)}
    there = [file for file in wanted if file.is_file()]
    gone = [f"{file}: is gone, although {NAME} lists it" for file in sorted(set(wanted) - set(there))]
    sums = zip(there, sha256_of_all(there, "hashing", progress), strict=True)
    return gone + [f"{file}: its content is not the one in {NAME}" for file, sha256 in sums if sha256 != wanted[file]]


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = [line for line in read_text(file).split("\n") if line.strip()]
    except OSError as problem:
        raise UserError(os_error_text(problem)) from None
    for line in lines:
        sha, _, name = line.partition(" ")
        name = name.strip().removeprefix("*")
        path = PurePosixPath(name)
        if len(sha) != 64 or not name or path.is_absolute() or ".." in path.parts:
            raise UserError(
                f"{file}: malformed; expected lines of a sha256 and a path inside of the folder, found '{line[:160]}'"
            )
        yield name, sha
