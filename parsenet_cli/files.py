"""Files that are whole or not there: every write goes to a temporary name, is flushed to disk and renamed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from parsenet_cli.errors import UserError

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space and issue the same command again; what is finished is kept",
    errno.EDQUOT: "the quota is used up: free some space and issue the same command again; what is finished is kept",
    errno.EACCES: "it may not be written: check its permissions, or choose another folder with --results",
    errno.EPERM: "it may not be written: check its permissions, or choose another folder with --results",
    errno.EROFS: "the file system is read-only: choose another folder with --results",
    errno.ENOTDIR: "a file stands where a folder was expected: choose another folder with --results",
    errno.EEXIST: "a file stands where a folder was expected: choose another folder with --results",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into a `UserError` that says what to do."""
    try:
        yield
    except OSError as problem:
        remedy = _REMEDIES.get(problem.errno or 0)
        if remedy is None:
            raise
        raise UserError(f"{path}: {remedy}") from None


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends without an error, and leaves no trace otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with explained(path):
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
def alone(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `lock` for the block; `waiting` is called once where another process holds it."""
    from filelock import FileLock, Timeout

    with explained(lock.parent):
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        try:
            held.acquire(timeout=0)
        except Timeout:
            waiting()
            held.acquire()
    try:
        yield
    finally:
        held.release()


def write_text(path: Path, text: str) -> None:
    """Write `text` whole."""
    with replacing(path) as file:
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
