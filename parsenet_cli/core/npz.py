"""Files of arrays, .npz: the arrays as they were written, or one exception that says what is wrong with the file."""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.core.files import atomic_write, read_bytes
from parsenet_cli.core.sealed import Damaged

Arrays = dict[str, NDArray[Any]]

# The record that ends a zip file; its fifth field is the number of members, which zipfile does not look at.
_END = "<4s4H2LH"

MOST_BYTES = 1 << 30
"""Of a file, and of its arrays together."""


def read(file: Path, crc32: str | None = None) -> Arrays:
    """Every array of the file by name; pickles are refused. `crc32`: the checksum of the whole file, where one is known.

    Raises:
        Damaged: the file is gone, cannot be read, or is not what was written.
    """
    try:
        content = read_bytes(file, MOST_BYTES)
    except OSError as problem:
        raise Damaged(f"{file}: cannot be read ({problem.strerror})") from None
    if crc32 is not None and f"{zlib.crc32(content):08x}" != crc32:
        raise Damaged(f"{file}: is damaged or another training's: its checksum is not the one that was recorded")
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            if (size := sum(member.file_size for member in archive.infolist())) > MOST_BYTES:
                raise ValueError(f"its arrays would have {size} bytes")
            # Each member is read to its end, because only there its checksum is compared: a damaged header could say
            # that an array ends before.
            members = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
        if len(members) != _count(content):
            raise ValueError(f"{len(members)} of its {_count(content)} arrays are found")
        return {name: _array(member) for name, member in members.items()}
    except Exception as problem:  # zipfile and numpy name no common class for what a damaged file can raise
        raise Damaged(f"{file}: is damaged ({type(problem).__name__}: {problem})") from None


def write(file: Path, arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write the arrays by name, whole and compressed; returns the file."""
    with atomic_write(file) as stream:
        np.savez_compressed(stream, **dict[str, Any](arrays))
    return file


def _array(member: bytes) -> NDArray[Any]:
    """An array that has the bytes which its header says: numpy would make room for them first."""
    stream = io.BytesIO(member)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read_header(stream)
    if not kind.hasobject and math.prod(shape) * kind.itemsize != len(member) - stream.tell():
        raise ValueError(f"{len(member) - stream.tell()} bytes for {shape} numbers of {kind}")
    return np.lib.format.read_array(io.BytesIO(member), allow_pickle=False)


def _count(content: bytes) -> int:
    return int(struct.unpack(_END, content[-struct.calcsize(_END) :])[4])
