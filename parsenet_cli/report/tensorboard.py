"""TensorBoard's event files, as far as scalars and hyperparameters need them, without TensorBoard.

A file is a sequence of TFRecords: length (uint64), its checksum, content, its checksum; the checksum is CRC-32C, masked
(tensorflow/core/lib/io/record_writer.cc). The content is a protocol buffer `Event` (tensorflow/core/util/event.proto):
wall_time = 1, step = 2, file_version = 3, summary = 5. Field numbers of what is inside stand beside the code.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # wire types


def version(time: float) -> bytes:
    """The first record of a file."""
    return _record(_event(time, 0, _bytes(3, b"brain.Event:2")))


def scalars(values: Mapping[str, float], step: int, time: float) -> bytes:
    """One record with a number per tag."""
    # Summary.value = 1; Value: tag = 1, simple_value = 2
    summary = b"".join(_bytes(1, _text(1, tag) + _float(2, value)) for tag, value in values.items())
    return _record(_event(time, step, _bytes(5, summary)))


def hyperparameters(values: Mapping[str, Any], time: float) -> bytes:
    """One record that tells the plugin `hparams` what the run was configured with; lists and null become text."""
    # SessionStartInfo: hparams = 1 (a map: key = 1, value = 2), start_time_secs = 5
    entries = b"".join(_bytes(1, _text(1, key) + _bytes(2, _value(value))) for key, value in values.items())
    return _plugin("_hparams_/session_start_info", 3, entries + _double(5, time), time)


def end_of_run(time: float) -> bytes:
    """One record that tells the plugin `hparams` that the run is done."""
    # SessionEndInfo: status = 1 (1 is success), end_time_secs = 2
    return _plugin("_hparams_/session_end_info", 4, _integer(1, 1) + _double(2, time), time)


def _plugin(tag: str, field: int, content: bytes, time: float) -> bytes:
    # Value: tag = 1, metadata = 9; SummaryMetadata.plugin_data = 1: plugin_name = 1, content = 2. An empty float tensor
    # (tensor = 8: dtype = 1, tensor_shape = 2, dim = 2 of size = 1) stands for a value.
    metadata = _bytes(1, _text(1, "hparams") + _bytes(2, _bytes(field, content)))
    empty = _integer(1, 1) + _bytes(2, _bytes(2, _integer(1, 0)))
    return _record(_event(time, 0, _bytes(5, _bytes(1, _text(1, tag) + _bytes(9, metadata) + _bytes(8, empty)))))


def _value(value: Any) -> bytes:
    """google.protobuf.Value: number_value = 2, string_value = 3, bool_value = 4."""
    if isinstance(value, bool):
        return _integer(4, int(value))
    if isinstance(value, int | float):
        return _double(2, float(value))
    return _text(3, value if isinstance(value, str) else json.dumps(value))


def _event(time: float, step: int, what: bytes) -> bytes:
    return _double(1, time) + _integer(2, step) + what


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    crc = crc32c(content)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _table() -> tuple[int, ...]:
    entries = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        entries.append(n)
    return tuple(entries)


_CRC = _table()


def crc32c(content: bytes) -> int:
    """CRC-32C (Castagnoli), reflected, as in RFC 3720."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _integer(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _key(field, _DOUBLE) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    return _key(field, _FLOAT) + struct.pack("<f", value)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())
