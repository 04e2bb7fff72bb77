"""Files that are whole or not there, and seen to be damaged where a disk has changed them.

Every write goes to a temporary name, is flushed to disk and renamed. What numbers depend on is *sealed*: the last entry of
a JSON object is the CRC-32 of all the others, and files of other formats have their CRC-32 in such an object elsewhere.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import Progress, silent

CHECKSUM_KEY = "crc32"
"""The key of a sealed object's checksum."""

_CHUNK = 1 << 20
_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space and issue the same command again; what is finished is kept",
    errno.EDQUOT: "the quota is used up: free some space and issue the same command again; what is finished is kept",
    errno.EACCES: "it may not be written: check its permissions, or choose another folder with --results",
    errno.EPERM: "it may not be written: check its permissions, or choose another folder with --results",
    errno.EROFS: "the file system is read-only: choose another folder with --results",
    errno.ENOTDIR: "a file stands where a folder was expected: choose another folder with --results",
    errno.EEXIST: "a file stands where a folder was expected: choose another folder with --results",
}


class Damaged(UserError):
    """A file is not what was written to it. The message names it and says what to do."""


class NotWritten(UserError):
    """The operating system refuses a file: what is at fault is the disk or its permissions, and not the run."""


@contextmanager
def os_errors_as_user_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into a `NotWritten` that says what to do."""
    try:
        yield
    except OSError as problem:
        remedy = _REMEDIES.get(problem.errno or 0)
        if remedy is None:
            raise
        raise NotWritten(f"{path}: {remedy}") from None


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends without an error, and leaves no trace otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with os_errors_as_user_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def file_lock(lock: Path, work: str = "", progress: Progress = silent) -> Iterator[None]:
    """Hold the lock file `lock` for the block; `progress` is told every second of another process that does the `work`."""
    from filelock import FileLock, Timeout

    with os_errors_as_user_errors(lock.parent):
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        seconds = 0.0
        while not held.is_locked:
            try:
                held.acquire(timeout=seconds)
            except Timeout:
                progress(f"{work}: waiting for another process that does it")
                seconds = 1.0
    try:
        yield
    finally:
        held.release()


def write_text(path: Path, text: str) -> None:
    """Write `text` whole."""
    with atomic_write(path) as file:
        file.write(text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON, whole."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any | None:
    """The content of a JSON file; None where there is none or where it does not parse."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def write_with_checksum(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, whole and with its seal: `read_sealed` gives it back or says that it is damaged."""
    write_json(path, with_checksum(content))


def read_with_checksum(path: Path, *, unsealed_too: bool = False) -> dict[str, Any] | None:
    """The content of a sealed file, without the seal; None where there is no file.

    `unsealed_too` believes a JSON object without a seal as well, as it was written before seals existed.

    Raises:
        Damaged: the file cannot be read, holds no JSON object, or its content is not what was sealed.
    """
    try:
        return strip_checksum(path.read_bytes(), unsealed_too=unsealed_too)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise Damaged(f"{path}: cannot be read ({problem.strerror})") from None
    except ValueError as problem:
        raise Damaged(f"{path}: is damaged ({problem}); restore it, or remove it so that it is made again") from None


def read_verified(path: Path, *, unsealed_too: bool = False) -> dict[str, Any] | None:
    """The content of a sealed file; None where there is none or where it is damaged: for what can be done without."""
    try:
        return read_with_checksum(path, unsealed_too=unsealed_too)
    except Damaged:
        return None


def with_checksum(content: dict[str, Any]) -> dict[str, Any]:
    """The object with its seal as the last entry."""
    return {**content, CHECKSUM_KEY: _checksum(content)}


def strip_checksum(text: str | bytes, *, unsealed_too: bool) -> dict[str, Any]:
    """The object in a sealed JSON text, without its seal. Raises `ValueError` with the reason where it is not to be believed."""
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    seal = content.pop(CHECKSUM_KEY, None)
    if seal is None and unsealed_too and not _nearly_sealed(content):
        return content
    if seal is None:
        raise ValueError("it has no checksum")
    if seal != _checksum(content):
        raise ValueError("its checksum is another")
    return content


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content as it is now, in hexadecimal digits. Raises `OSError` where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def crc32_of(path: Path) -> str:
    """The CRC-32 of a file's content, eight hexadecimal digits. Raises `OSError` where it cannot be read."""
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            crc = zlib.crc32(piece, crc)
    return f"{crc:08x}"


def write_checksum_beside(path: Path) -> None:
    """Write `<path>.json` with the file's checksum, for what has none of its own."""
    write_with_checksum(_beside(path), {"content": crc32_of(path)})


def intact(path: Path) -> bool:
    """Whether a file is there and is what `seal_beside` saw. One that was never sealed is believed, and sealed now."""
    if not path.is_file():
        return False
    try:
        seal = read_with_checksum(_beside(path))
        if seal is not None:
            return bool(seal.get("content") == crc32_of(path))
    except (Damaged, OSError):
        return False
    with suppress(UserError):  # where nothing can be written it is looked at without a seal
        write_checksum_beside(path)
    return True


def quarantine(path: Path) -> Path:
    """Rename a damaged `name.suffix` to `name.damaged.suffix`, in place of an earlier one; returns the new path."""
    aside = path.with_name(f"{path.stem}.damaged{path.suffix}")
    with os_errors_as_user_errors(path):
        path.replace(aside)
    return aside


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _checksum(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{zlib.crc32(canonical.encode()):08x}"


def _nearly_sealed(content: dict[str, Any]) -> bool:
    """Whether the last entry is a seal whose key was damaged: the file is no older than seals are."""
    key, value = next(reversed(content.items()), ("", None))
    return len(key) == len(CHECKSUM_KEY) and isinstance(value, str) and re.fullmatch("[0-9a-f]{8}", value) is not None
