"""What a failing disk does to a file: a flipped bit, or an end that is missing. Neither changes the file's time."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np


def flip(file: Path, bit: int) -> None:
    """Change one bit in place, and not the file's time."""
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    _in_place(file, bytes(content))


def at_random(file: Path, seed: int) -> None:
    """A flipped bit or, in every fourth case, a truncation, at a place that the seed chooses."""
    rng = np.random.default_rng(seed)
    content = file.read_bytes()
    if seed % 4 == 3:
        _in_place(file, content[: int(rng.integers(len(content)))])
    else:
        flip(file, int(rng.integers(8 * len(content))))


def halve(file: Path) -> None:
    """Cut the file in its middle; its time changes."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _in_place(file: Path, content: bytes) -> None:
    """The same file with other bytes: a process that has it open or mapped sees them."""
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(content)
        opened.truncate()
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
