"""Numbers in words, text of others made harmless, and the type of everything that tells its progress."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable
from typing import TextIO

from parsenet_cli.core.errors import UserError

Progress = Callable[[str], None]
"""Told, in words, what a long piece of work is doing."""


def silent(_message: str) -> None:
    """The progress nobody asked for."""


def counted(progress: Progress, total: int) -> Progress:
    """A progress for each of `total` images by name: it tells how many are done, how fast, and how long the rest takes."""
    done, started = 0, time.monotonic()

    def step(name: str) -> None:
        nonlocal done
        done += 1
        rate = done / max(time.monotonic() - started, 1e-6)
        progress(f"{done}/{total}  {name}  {rate:.1f} images/s  {duration((total - done) / rate)} left")

    return step


def duration(seconds: float | None) -> str:
    """`0:07`, `12:40`, `3:05:00`, `340 hours`; `?` where it is not known."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return f"{hours} hours"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size_text(size: float) -> str:
    """`512 bytes`, `3.4 MB`, `1.9 GB`."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{round(size)} bytes"


def p_text(p: float) -> str:
    """`0.021`, `<0.001`."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def signed(value: float, decimals: int = 1) -> str:
    """`+4.1`, `−0.2`, `0.0`: with a typographic minus."""
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def natural_key(name: str) -> str:
    """Sorts `table2` before `table10`."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(9), name)


_LONGEST_NAME = 200
_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of Unicode that steer a terminal or the direction of text, and lone surrogates."""


def printable(text: str) -> str:
    """Text of whatever origin for a terminal: what would steer it (escapes, carriage returns) stands there as `\\u001b`."""
    if text.isprintable():
        return text
    return "".join(_spelled(c) if unicodedata.category(c) in _STEERING and c not in "\n\t" else c for c in text)


def _spelled(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def print_line(text: str, stream: TextIO | None = None) -> None:
    """Print a line below the command line's room: into a run's log, or on the terminal of the command that is at work."""
    print(printable(text), file=stream, flush=True)


def check_name(name: object, kind: str) -> str:
    """A name that comes from data and becomes a file's: `name` itself, which can only name a child of a folder.

    Raises:
        UserError: it is no text, empty, too long, has a slash or a control character, or goes up (`..`).
    """
    if not isinstance(name, str) or not name.strip() or name.startswith("."):
        problem = "it is empty or no text" if not isinstance(name, str) or not name.strip() else "it begins with a dot"
    elif "/" in name or "\\" in name:
        problem = "it has a slash"
    elif len(name.encode(errors="replace")) > _LONGEST_NAME:
        problem = f"it has more than {_LONGEST_NAME} bytes"
    elif printable(name) != name or "\n" in name or "\t" in name:
        problem = "it has control characters"
    else:
        return name
    shown = printable(" ".join(str(name)[:_LONGEST_NAME].split()))
    raise UserError(f"the {kind} '{shown}' cannot be the name of a file: {problem}")
