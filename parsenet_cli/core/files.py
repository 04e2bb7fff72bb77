"""Files that are whole or not there, seen to be damaged where a disk has changed them, and never somewhere else.

Every write goes to a new file of a temporary name, is flushed to disk and renamed. What numbers depend on is *sealed*: the last
entry of a JSON object is the CRC-32 of all the others, and files of other formats have their CRC-32 in such an object elsewhere.

A results folder may be somebody else's. Below a folder that was `guard`ed no link is followed, to write, to read or to remove;
what is appended to is a plain file with one name; what is read is a plain file of bounded size. Everything that writes, locks or
removes goes through here (docs/security.md).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import Progress, silent

CHECKSUM_KEY = "crc32"
"""The key of a sealed object's checksum."""

MOST_BYTES = 64 << 20
"""Of a text or JSON file; the largest that is written, the index of a large split, has a few."""

DEEPEST = 64
"""Levels of lists and objects inside each other in a JSON file: nothing that walks through it runs out of stack."""

LONGEST_NAME = 255
"""Bytes of a file's name that file systems take."""

_CHUNK = 1 << 20
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

_guarded: set[str] = set()

_TAG = "CACHEDIR.TAG"
_TAG_TEXT = """Signature: 8a477f597d28d172789f06886806bc55
# This is a cache of parsenet: it can be deleted, and a link named cache in a results folder is followed to it.
# https://bford.info/cachedir/
"""


class Damaged(UserError):
    """A file is not what was written to it. The message names it and says what to do."""


class NotWritten(UserError):
    """The operating system refuses a file: what is at fault is the disk or its permissions, and not the run."""


def os_error_text(problem: OSError) -> str:
    """What the operating system refuses, in a sentence with the file and, where it is known, what to do."""
    remedy = _REMEDIES.get(problem.errno or 0) or problem.strerror or str(problem)
    return f"{os.fsdecode(problem.filename)}: {remedy}" if isinstance(problem.filename, str | bytes) else remedy


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
    ends = [i for i, character in enumerate(text) if character == "/"]
    first = next((i for i, end in enumerate(ends) if text[:end] in _guarded), None)  # the outermost counts
    if first is None:
        return
    for each in [*(text[:end] for end in ends[first + 1 :]), *([text] if itself else [])]:
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
    refuse_links(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return _plain(os.open(path, flags, 0o666), path, names=1)


def open_plain(path: Path, *, follow: bool = False) -> BufferedReader:
    """A plain file, open for reading: never a pipe or a device, which could block. Raises `OSError`.

    `follow`: also behind links, as for what the user names.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    if not follow:
        refuse_links(path)
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


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON, whole."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_bytes(path: Path, most: int = MOST_BYTES, *, follow: bool = False) -> bytes:
    """The content of a plain file. Raises `OSError`, EFBIG where it is longer than `most` bytes; `follow` as `open_plain`."""
    with open_plain(path, follow=follow) as file:
        content = file.read(most + 1)
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


def parse_json(text: str | bytes) -> Any:
    """What a JSON text in UTF-8 holds.

    Raises:
        ValueError: it holds none, a number that is not finite, half a character (a lone surrogate), or is nested too deeply.
    """
    raw, text = (text.encode(), text) if isinstance(text, str) else (text, text.decode())
    if _is_deep(raw) and _is_deep(_STRING.sub(b"", raw)):
        raise ValueError("it is nested too deeply")
    content = _JSON.decode(text)
    if _SURROGATE.search(text):
        json.dumps(content, ensure_ascii=False).encode()
    return content


def read_json(path: Path) -> Any | None:
    """The content of a JSON file; None where there is none or where it does not parse."""
    try:
        return parse_json(read_bytes(path))
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
        return strip_checksum(read_bytes(path), unsealed_too=unsealed_too)
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
    content = parse_json(text)
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
    with open_plain(path, follow=True) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def crc32_of(path: Path) -> str:
    """The CRC-32 of a file's content, eight hexadecimal digits. Raises `OSError` where it cannot be read."""
    crc = 0
    with open_plain(path) as file:
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
        refuse_links(path, itself=False)
        path.replace(aside)
    return aside


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _checksum(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{zlib.crc32(canonical.encode()):08x}"


def _is_deep(raw: bytes) -> bool:
    """Whether brackets, those in texts too, are more than `DEEPEST` levels inside each other, or so many do not close."""
    brackets = raw.translate(None, _OTHERS)
    for _ in range(DEEPEST):
        inner, brackets = brackets, brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(brackets) == len(inner):
            break
    return len(brackets) > DEEPEST


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number


_JSON = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)
_OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _nearly_sealed(content: dict[str, Any]) -> bool:
    """Whether the last entry is a seal whose key was damaged: the file is no older than seals are."""
    key, value = next(reversed(content.items()), ("", None))
    return len(key) == len(CHECKSUM_KEY) and isinstance(value, str) and re.fullmatch("[0-9a-f]{8}", value) is not None
