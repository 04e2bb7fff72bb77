"""Reading Caffe's `.caffemodel` files: a protobuf message NetParameter, read without Caffe and without protobuf.

Only what a weights file is needed for is read, by its field numbers (src/caffe/proto/caffe.proto): layers with their
names, types and blobs, in the present form (field 100, LayerParameter) and in the old one (field 2, V1LayerParameter).
Everything else is skipped by its wire type.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.core.errors import UserError

Array = NDArray[np.float32]

VARINT, EIGHT_BYTES, LENGTH_DELIMITED, FOUR_BYTES = 0, 1, 2, 5
INNER_PRODUCT = ("InnerProduct", 14)
"""The type of a fully connected layer, as the present form says it and as the old one does."""

# The field of a layer, in the present form and in the old one -> the fields of its name, its type and its blobs.
_NAME_TYPE_BLOBS = {100: (1, 2, 7), 2: (4, 5, 6)}

MOST_AXES = 32
"""Caffe's kMaxBlobAxes."""

_LARGEST_SIDE = (1 << 31) - 1
_MOST_PIECES = 1 << 20
"""Of a blob's numbers: one, or one for each number where a program does not pack them."""

_SIDES, _DATA, _SHAPE = (1, 2, 3, 4), 5, 7


class _Damaged(Exception):
    """What was found where a message was expected; the message names the place."""


class _Part(NamedTuple):
    """Bytes `start` to `end` of a file: the content of field `number` of a message, or all of it."""

    data: mmap.mmap
    start: int
    end: int
    number: int = 0
    wire: int = LENGTH_DELIMITED

    def fields(self) -> Iterator[_Part]:
        """The fields of a message."""
        at = self.start
        while at < self.end:
            key, start = self.varint(at)
            number, wire = key >> 3, key & 7
            if wire == VARINT:
                _, end = self.varint(start)
            elif wire == LENGTH_DELIMITED:
                length, start = self.varint(start)
                end = start + length
            elif wire in (EIGHT_BYTES, FOUR_BYTES):
                end = start + (8 if wire == EIGHT_BYTES else 4)
            else:
                raise _Damaged(f"a field of the unknown wire type {wire} at byte {at}")
            if number == 0:
                raise _Damaged(f"a field without a number at byte {at}")
            if end > self.end:
                raise _Damaged(
                    f"a field of {end - start} bytes at byte {at}, of which {max(0, self.end - start)} are there"
                )
            yield _Part(self.data, start, end, number, wire)
            at = end

    def varint(self, at: int) -> tuple[int, int]:
        """The number that begins at byte `at`, and where it ends."""
        value = 0
        for i in range(10):
            if at + i >= self.end:
                raise _Damaged(f"a number at byte {at} that does not end")
            byte = self.data[at + i]
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                return value, at + i + 1
        raise _Damaged(f"a number of more than ten bytes at byte {at}")

    def numbers(self) -> Iterator[int]:
        """The number of a varint, or those packed into a field."""
        at = self.start
        while at < self.end:
            value, at = self.varint(at)
            yield value

    def text(self) -> str:
        """The content as text."""
        return self.data[self.start : self.end].decode("utf-8", errors="replace")

    def floats(self) -> Array:
        """Packed little-endian floats, copied: they need not be aligned in the file."""
        size = self.end - self.start
        if size % 4:
            raise _Damaged(f"{size} bytes of floats at byte {self.start}")
        return np.frombuffer(self.data, "<f4", size // 4, self.start).astype(np.float32, copy=True)


def read(file: Path) -> dict[str, Array]:
    """The blobs of every layer that has any: `<layer>.weight`, `<layer>.bias`, and `<layer>.blob2` and on.

    A convolution's weight is (out, in, kh, kw), a fully connected layer's (out, in), a bias (out,).

    Raises:
        UserError: the file is cut off, or not a caffemodel, or a blob's numbers are not as many as its shape says.
    """
    size = file.stat().st_size
    if size == 0:
        raise UserError(f"{file}: expected a caffemodel, found an empty file. Copy or download it again")
    tensors: dict[str, Array] = {}
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            for name, blobs in _layers(_Part(data, 0, size)):
                keys = ["weight", "bias", *(f"blob{i}" for i in range(2, len(blobs)))]
                tensors |= {f"{name}.{key}": blob for key, blob in zip(keys, blobs, strict=False)}
        except _Damaged as problem:
            raise UserError(
                f"{file}: expected a complete caffemodel (a binary NetParameter), found {problem}; the file has "
                f"{size} bytes. Copy or download it again"
            ) from None
    if not tensors:
        raise UserError(
            f"{file}: expected a caffemodel, found no layer with weights in it. Pass the weights of a network"
        )
    return tensors


def _layers(network: _Part) -> Iterator[tuple[str, list[Array]]]:
    """Name and blobs of every layer that has any."""
    for layer in network.fields():
        if layer.number not in _NAME_TYPE_BLOBS or layer.wire != LENGTH_DELIMITED:
            continue
        name_number, type_number, blobs_number = _NAME_TYPE_BLOBS[layer.number]
        name, is_matrix, blobs = "", False, []
        for part in layer.fields():
            if part.number == name_number and part.wire == LENGTH_DELIMITED:
                name = part.text()
            elif part.number == type_number:
                is_matrix = (next(part.numbers()) if part.wire == VARINT else part.text()) in INNER_PRODUCT
            elif part.number == blobs_number and part.wire == LENGTH_DELIMITED:
                blobs.append(part)
        if blobs:
            yield name, [_blob(part, name, i, is_matrix) for i, part in enumerate(blobs)]


def _blob(blob: _Part, layer: str, index: int, is_matrix: bool) -> Array:
    """One blob in its shape; the old shape num x channels x height x width of a matrix is 1 x 1 x out x in."""
    sides: dict[int, int] = {}
    shape: tuple[int, ...] | None = None
    pieces = [np.zeros(0, np.float32)]
    for part in blob.fields():
        if part.number in _SIDES and part.wire == VARINT:
            sides[part.number] = next(part.numbers())
        elif part.number == _SHAPE and part.wire == LENGTH_DELIMITED:
            sizes = [size for size in part.fields() if size.number == 1 and size.wire in (VARINT, LENGTH_DELIMITED)]
            shape = tuple(islice((number for size in sizes for number in size.numbers()), MOST_AXES + 1))
        elif part.number == _DATA and part.wire in (LENGTH_DELIMITED, FOUR_BYTES):
            pieces.append(part.floats())
            if len(pieces) > _MOST_PIECES:
                raise _Damaged(f"more than {_MOST_PIECES} pieces in blob {index} of layer '{layer[:200]}'")
    numbers = pieces[-1] if len(pieces) == 2 else np.concatenate(pieces)
    if shape is None:
        old = tuple(sides.get(number, 1) for number in _SIDES)
        vector = index > 0 and old[:3] == (1, 1, 1)
        shape = old[3:] if vector else old[2:] if is_matrix and old[:2] == (1, 1) else old
    if len(shape) > MOST_AXES or any(side > _LARGEST_SIDE for side in shape):
        raise _Damaged(
            f"more than {MOST_AXES} axes, or one of more than {_LARGEST_SIDE}, in blob {index} of layer '{layer[:200]}'"
        )
    if math.prod(shape) != numbers.size:
        raise _Damaged(f"{numbers.size} numbers in blob {index} of layer '{layer[:200]}', whose shape is {shape}")
    return numbers.reshape(shape)
