"""metrics.jsonl: what a training says every so often, one JSON object a line, each with a seal of its own.

A line that is damaged costs itself alone. The last one may be torn: its writer was killed.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parsenet_cli.core.bounds import Count, Number, Seconds, build
from parsenet_cli.core.files import append_to, os_errors_as_user_errors, read_bytes, write_text
from parsenet_cli.core.sealed import strip_checksum, with_checksum
from parsenet_cli.core.text import print_line

Record = dict[str, Any]


def append(file: Path, record: Record) -> None:
    """Add one line."""
    with os_errors_as_user_errors(file), os.fdopen(append_to(file), "a") as lines:
        lines.write(_line(record))


def read(file: Path) -> tuple[list[Record], int]:
    """The records that are whole, and how many lines are not; a torn last line is not counted."""
    try:
        *lines, torn = read_bytes(file).split(b"\n")
    except OSError:
        return [], 0
    found = [_record(line) for line in lines]
    return [record for record in [*found, _record(torn)] if record is not None], found.count(None)


def cut(file: Path, iteration: int) -> None:
    """Forget the records after `iteration`, and those that are damaged; the log says how many those were."""
    records, damaged = read(file)
    if damaged:
        print_line(f"{file.name}: {damaged} of {damaged + len(records)} lines are damaged and left out")
    write_text(file, "".join(_line(record) for record in records if record["iteration"] <= iteration))


def _line(record: Record) -> str:
    return json.dumps(with_checksum(record)) + "\n"


def _record(line: bytes) -> Record | None:
    try:
        record = strip_checksum(line, unsealed_too=True)
    except ValueError:
        return None
    try:
        build(_Known, record)
    except ValueError:
        return None
    return record


@dataclass(frozen=True)
class _Known:
    """What others read of a record."""

    iteration: Count
    loss: Number | None = None
    lr: Number | None = None
    seconds: Seconds = 0.0
