"""Reading Caffe's `.caffemodel` files: a protobuf message NetParameter, read without Caffe and without protobuf.

Only what a weights file is needed for is read, by its field numbers (src/caffe/proto/caffe.proto): layers with their
names, types and blobs, in the present form (field 100, LayerParameter) and in the old one (field 2, V1LayerParameter).
Everything else is skipped by its wire type.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.core.errors import UserError

Array = NDArray[np.float32]

VARINT, EIGHT_BYTES, LENGTH_DELIMITED, FOUR_BYTES = 0, 1, 2, 5
_V1_INNER_PRODUCT = 14
_LAYERS = {100: "present", 2: "old"}
_NAME_TYPE_BLOBS = {"present": (1, 2, 7), "old": (4, 5, 6)}
_SIDES, _DATA, _SHAPE = (1, 2, 3, 4), 5, 7


class _Damaged(Exception):
    """What was found where a message was expected; the message names the place."""


class _Field(NamedTuple):
    number: int
    wire: int
    value: int
    """Of a varint; else 0."""
    start: int
    end: int


@dataclass(frozen=True)
class _Buffer:
    data: mmap.mmap

    def fields(self, start: int, end: int) -> Iterator[_Field]:
        """The fields of the message that lies in bytes `start` to `end`."""
        at = start
        while at < end:
            key, after = self.varint(at, end)
            number, wire, value = key >> 3, key & 7, 0
            if wire == VARINT:
                value, stop = self.varint(after, end)
            elif wire == LENGTH_DELIMITED:
                length, after = self.varint(after, end)
                stop = after + length
            elif wire in (EIGHT_BYTES, FOUR_BYTES):
                stop = after + (8 if wire == EIGHT_BYTES else 4)
            else:
                raise _Damaged(f"a field of the unknown wire type {wire} at byte {at}")
            if number == 0:
                raise _Damaged(f"a field without a number at byte {at}")
            if stop > end:
                raise _Damaged(
                    f"a field of {stop - after} bytes at byte {at}, of which {max(0, end - after)} are there"
                )
            yield _Field(number, wire, value, after, stop)
            at = stop

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """The number that begins at byte `at`, and where it ends."""
        value = 0
        for i in range(10):
            if at + i >= end:
                raise _Damaged(f"a number at byte {at} that does not end")
            byte = self.data[at + i]
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                return value, at + i + 1
        raise _Damaged(f"a number of more than ten bytes at byte {at}")

    def text(self, field: _Field) -> str:
        """The text of a field."""
        return self.data[field.start : field.end].decode("utf-8", errors="replace")

    def floats(self, start: int, end: int) -> Array:
        """Packed little-endian floats, copied: they need not be aligned in the file."""
        if (end - start) % 4:
            raise _Damaged(f"{end - start} bytes of floats at byte {start}")
        return np.frombuffer(self.data, "<f4", (end - start) // 4, start).astype(np.float32, copy=True)


def read(file: Path) -> dict[str, Array]:
    """The blobs of every layer that has any: `<layer>.weight`, `<layer>.bias`, and `<layer>.blob2` and on.

    A convolution's weight is (out, in, kh, kw), a fully connected layer's (out, in), a bias (out,).

    Raises:
        UserError: the file is cut off, or not a caffemodel, or a blob's numbers are not as many as its shape says.
    """
    if file.stat().st_size == 0:
        raise UserError(f"{file}: expected a caffemodel, found an empty file. Copy or download it again")
    found: dict[str, Array] = {}
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        try:
            for name, blobs in _layers(_Buffer(mapped)):
                keys = ["weight", "bias", *(f"blob{i}" for i in range(2, len(blobs)))]
                found |= {f"{name}.{key}": blob for key, blob in zip(keys, blobs, strict=False)}
        except _Damaged as problem:
            raise UserError(
                f"{file}: expected a complete caffemodel (a binary NetParameter), found {problem}; the file has "
                f"{file.stat().st_size} bytes. Copy or download it again"
            ) from None
    if not found:
        raise UserError(
            f"{file}: expected a caffemodel, found no layer with weights in it. Pass the weights of a network"
        )
    return found


def _layers(buffer: _Buffer) -> Iterator[tuple[str, list[Array]]]:
    for field in buffer.fields(0, len(buffer.data)):
        if field.number not in _LAYERS or field.wire != LENGTH_DELIMITED:
            continue
        name_number, type_number, blobs_number = _NAME_TYPE_BLOBS[_LAYERS[field.number]]
        name, is_matrix, blobs = "", False, []
        for part in buffer.fields(field.start, field.end):
            if part.number == name_number and part.wire == LENGTH_DELIMITED:
                name = buffer.text(part)
            elif part.number == type_number:
                kind = part.value if part.wire == VARINT else buffer.text(part)
                is_matrix = kind in (_V1_INNER_PRODUCT, "InnerProduct")
            elif part.number == blobs_number and part.wire == LENGTH_DELIMITED:
                blobs.append(part)
        if blobs:
            yield name, [_blob(buffer, part, name, i, is_matrix) for i, part in enumerate(blobs)]


def _blob(buffer: _Buffer, field: _Field, layer: str, index: int, is_matrix: bool) -> Array:
    """One blob in its shape; the old shape num x channels x height x width of a matrix is 1 x 1 x out x in."""
    sides: dict[int, int] = {}
    shape: tuple[int, ...] | None = None
    parts: list[Array] = []
    for part in buffer.fields(field.start, field.end):
        if part.number in _SIDES and part.wire == VARINT:
            sides[part.number] = part.value
        elif part.number == _SHAPE and part.wire == LENGTH_DELIMITED:
            shape = _dimensions(buffer, part)
        elif part.number == _DATA and part.wire in (LENGTH_DELIMITED, FOUR_BYTES):
            parts.append(buffer.floats(part.start, part.end))
    numbers = np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else np.zeros(0, np.float32)
    if shape is None:
        old = tuple(sides.get(number, 1) for number in _SIDES)
        vector = index > 0 and old[:3] == (1, 1, 1)
        shape = old[3:] if vector else old[2:] if is_matrix and old[:2] == (1, 1) else old
    if math.prod(shape) != numbers.size:
        raise _Damaged(f"{numbers.size} numbers in blob {index} of layer '{layer}', whose shape is {shape}")
    return numbers.reshape(shape)


def _dimensions(buffer: _Buffer, field: _Field) -> tuple[int, ...]:
    """BlobShape: field 1, packed or one by one."""
    found: list[int] = []
    for part in buffer.fields(field.start, field.end):
        if part.number == 1 and part.wire == VARINT:
            found.append(part.value)
        elif part.number == 1 and part.wire == LENGTH_DELIMITED:
            at = part.start
            while at < part.end:
                value, at = buffer.varint(at, part.end)
                found.append(value)
    return tuple(found)
