"""Files that are whole or not there, and never somewhere else.

Every write goes to a new file of a temporary name, is flushed to disk and renamed.

A results folder may be somebody else's. Below a folder that was `guard`ed no link is followed, to write, to read or to remove;
what is appended to is a plain file with one name; what is read is a plain file of bounded size. Everything that writes, locks or
removes goes through here (docs/security.md).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import Progress, silent

MOST_BYTES = 64 << 20
"""Of a text or JSON file; the largest that is written, the index of a large split, has a few."""

LONGEST_NAME = 255
"""Bytes of a file's name that file systems take."""

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space and issue the same command again; what is finished is kept",
    errno.EDQUOT: "the quota is used up: free some space and issue the same command again; what is finished is kept",
    errno.EACCES: "it may not be written: check its permissions, or choose another folder",
    errno.EPERM: "it may not be written: check its permissions, or choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOTDIR: "a file stands where a folder was expected: choose another folder, or move the file away",
    errno.EEXIST: "a file stands where a folder was expected: choose another folder, or move the file away",
    errno.EISDIR: "a folder stands where a file was expected: move it away",
    errno.ELOOP: (
        "is a link, or lies behind one: links inside of a folder that may be somebody else's are not followed; put the file or "
        "folder itself there"
    ),
    errno.ENAMETOOLONG: "the name is too long for the file system: choose a shorter one",
    errno.EINVAL: "is no plain file: move it away",
    errno.EMLINK: "has a second name (a hard link), so writing to it would change another file: move it away",
}

_LONGEST_NAME = 1000
"""Of a path in a message; longer ones are mostly no paths."""

_guarded: set[str] = set()

_TAG = "CACHEDIR.TAG"
_TAG_TEXT = """Signature: 8a477f597d28d172789f06886806bc55
# This is a cache of parsenet: it can be deleted, and a link named cache in a results folder is followed to it.
# https://bford.info/cachedir/
"""


class NotWritten(UserError):
    """The operating system refuses a file: what is at fault is the disk or its permissions, and not the run."""


def os_error_text(problem: OSError) -> str:
    """What the operating system refuses, in a sentence with the file and, where it is known, what to do."""
    remedy = _REMEDIES.get(problem.errno or 0) or problem.strerror or str(problem)
    if not isinstance(problem.filename, str | bytes):
        return remedy
    name = os.fsdecode(problem.filename)
    return f"{name if len(name) <= _LONGEST_NAME else f'{name[:_LONGEST_NAME]}…'}: {remedy}"


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


# --- where files may lie -------------------------------------------------------------------------------------------------


def guard(folder: Path) -> None:
    """From now on no link below `folder` is followed, but one to a folder that `tag_cache` has tagged.

    The folder itself may be a link: it is the user who names it.
    """
    _guarded.add(os.path.abspath(folder))  # noqa: PTH100, resolve() would follow the links that this is about


def refuse_links(path: Path, *, itself: bool = True) -> None:
    """Raises `OSError` (ELOOP) where `path`, or a folder between it and one that is guarded, is a link.

    `itself`: whether the path is looked at too, or only the folders on the way to it.
    """
    text = os.path.abspath(path)  # noqa: PTH100
    outermost = min((folder for folder in _guarded if text.startswith(f"{folder}/")), key=len, default=None)
    if outermost is None:
        return
    folders = [text[:end] for end in range(len(outermost) + 1, len(text)) if text[end] == "/"]
    for each in [*folders, *([text] if itself else [])]:
        if os.path.islink(each) and not _is_tagged(each):  # noqa: PTH114
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), each)


def tag_cache(folder: Path) -> None:
    """Mark a folder as a cache of ours, which a results folder on another disk may link to. Backup tools leave it out."""
    if not (folder / _TAG).is_file():
        write_text(folder / _TAG, _TAG_TEXT)


def _is_tagged(folder: str) -> bool:
    try:
        return read_bytes(Path(folder, _TAG), follow=True) == _TAG_TEXT.encode()
    except OSError:
        return False


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it that are missing, none of them behind a link. Raises `OSError`."""
    refuse_links(folder)
    folder.mkdir(mode, parents=True, exist_ok=True)


def remove(path: Path) -> None:
    """Remove a file, or a folder with everything in it; of a link, the link alone. What is not there is removed already."""
    with os_errors_as_user_errors(path):
        refuse_links(path, itself=False)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def link_or_copy(path: Path, second: Path) -> None:
    """Give a file a second name, or a copy of it where the file system has no hard links; what has that name already stays."""
    with os_errors_as_user_errors(second):
        refuse_links(path)
        make_folder(second.parent)
        try:
            os.link(path, second, follow_symlinks=False)
        except FileExistsError:
            return
        except OSError:
            with open_plain(path) as file, atomic_write(second) as copy:
                shutil.copyfileobj(file, copy)


def append_to(path: Path) -> int:
    """A descriptor that appends to a plain file with this one name, made now unless it is there. Raises `OSError`."""
    refuse_links(path, itself=False)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return _plain(os.open(path, flags, 0o666), path, names=1)


def open_plain(path: Path, *, follow: bool = False) -> BufferedReader:
    """A plain file, open for reading: never a pipe or a device, which could block. Raises `OSError`.

    `follow`: also behind links, as for what the user names.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    if not follow:
        refuse_links(path, itself=False)
        flags |= os.O_NOFOLLOW
    return os.fdopen(_plain(os.open(path, flags), path), "rb")


def is_plain(path: Path) -> bool:
    """Whether a plain file has this name: no link, folder or device, and nothing that may not be looked at."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def refuse_lock(path: Path) -> None:
    """Raises `OSError` where a lock file would not be a plain file of this one name."""
    refuse_links(path)
    with suppress(FileNotFoundError):
        _check_plain(path.lstat(), path, names=1)


def is_locked(path: Path) -> bool:
    """Whether a process holds this lock file; looked at without writing anything. What is no lock file nobody holds."""
    try:
        with open_plain(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _plain(descriptor: int, path: Path, names: int | None = None) -> int:
    try:
        _check_plain(os.fstat(descriptor), path, names)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_plain(status: os.stat_result, path: Path, names: int | None) -> None:
    if stat.S_ISREG(status.st_mode) and names in (None, status.st_nlink):
        return
    kind = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
    code = errno.EMLINK if stat.S_ISREG(status.st_mode) else kind
    raise OSError(code, os.strerror(code), str(path))


def new_file(path: Path) -> BinaryIO:
    """A new binary file in the place of what has this name, for a folder that counts only once it is whole. Raises `OSError`."""
    make_folder(path.parent)
    path.unlink(missing_ok=True)
    return path.open("xb")


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends without an error, and leaves no trace otherwise.

    It begins as a new file of a name that nobody can foresee. A link in the place of `path` is replaced, never followed.
    """
    with os_errors_as_user_errors(path):
        if len(os.fsencode(path.name)) > LONGEST_NAME:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
        make_folder(path.parent)
        ending = f".{os.getpid()}.{secrets.token_hex(4)}.tmp"
        begins = os.fsencode(path.name)[: LONGEST_NAME - 1 - len(ending)].decode(errors="ignore")
        temporary = path.with_name(f".{begins}{ending}")
        try:
            with temporary.open("xb") as file:  # O_EXCL: fails where anything has this name, be it a link
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

    with os_errors_as_user_errors(lock):
        make_folder(lock.parent)
        refuse_lock(lock)
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


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` whole."""
    with atomic_write(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write `text` whole."""
    write_bytes(path, text.encode())


def read_bytes(path: Path, most: int = MOST_BYTES, *, follow: bool = False) -> bytes:
    """The content of a plain file. Raises `OSError`, EFBIG where it is longer than `most` bytes; `follow` as `open_plain`."""
    with open_plain(path, follow=follow) as file:
        asked = min(os.fstat(file.fileno()).st_size, most) + 1  # Python takes the memory for all that is asked for
        content = file.read(asked)
        if len(content) == asked:  # it has grown, or has no size, as what a kernel makes
            content += file.read(most + 1 - asked)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"more than {most} bytes", str(path))
    return content


def read_text(path: Path, most: int = MOST_BYTES, *, follow: bool = True) -> str:
    """The text of a plain file, which is UTF-8; a byte order mark is dropped.

    Raises:
        OSError: as `read_bytes`.
        UserError: it is in another encoding, or no text.
    """
    content = read_bytes(path, most, follow=follow)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UserError(
            f"{path}: not a text in UTF-8 (byte 0x{content[problem.start]:02x} at {problem.start}): save it as UTF-8"
        ) from None
    if "\0" in text:
        raise UserError(f"{path}: not a text in UTF-8 (byte 0x00 at {text.index(chr(0))}): save it as UTF-8")
    return text


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content as it is now, in hexadecimal digits. Raises `OSError` where it cannot be read."""
    with open_plain(path, follow=True) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
