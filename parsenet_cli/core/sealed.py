"""JSON of others, bounded; and files that are seen to be damaged where a disk has changed them.

What numbers depend on is *sealed*: the last entry of a JSON object is the CRC-32 of all the others, and files of other formats
have their CRC-32 in such an object elsewhere.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import open_plain, os_errors_as_user_errors, read_bytes, refuse_links, write_text

CHECKSUM_KEY = "crc32"
"""The key of a sealed object's checksum."""

DEEPEST = 64
"""Levels of lists and objects inside each other in a JSON file: nothing that walks through it runs out of stack."""

_CHUNK = 1 << 20


class Damaged(UserError):
    """A file is not what was written to it. The message names it and says what to do."""


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON, whole."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


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
