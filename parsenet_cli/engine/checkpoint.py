"""Where an interrupted run goes on from: weights, optimiser and position. Random states follow from the position.

The last two are kept. A file is what torch.save writes and, behind it, the CRC-32 of that: torch.load itself would take a
flipped bit for a number.
"""

from __future__ import annotations

import io
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import torch
from pydantic import Field
from torch import nn

from parsenet_cli.core import files
from parsenet_cli.core.bounds import MOST_PROCESSES, CodeId, Count, Seconds, build
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import atomic_write
from parsenet_cli.core.text import print_line
from parsenet_cli.engine.optim import SGD
from parsenet_cli.store.result import is_device
from parsenet_cli.store.run import Run

_SEAL = "crc32={:08x}"
_SEAL_LENGTH = len(_SEAL.format(0))
_CHUNK = 1 << 20

MOST_BYTES = 16 << 30
"""Of a checkpoint: weights and momentum of VGG-16 have one."""


def save(run: Run, model: nn.Module, optimizer: SGD, progress: TrainState) -> None:
    """Write a checkpoint. The older of the two that are there goes only when the new one has been read back and verified.

    Raises `OSError` where what was written cannot be read back: then both are still there.
    """
    content = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": vars(progress)}
    newest, older = run.checkpoints
    with atomic_write(newest) as file:
        summed = _Summed(file)
        summed.save(content)
        file.write(_SEAL.format(summed.crc).encode())
        file.flush()
        os.fsync(file.fileno())
        _verify(Path(file.name))
        if newest.exists():
            newest.replace(older)


def restore(run: Run, model: nn.Module, optimizer: SGD, progress: TrainState, code: str = "") -> None:
    """Take up the newest checkpoint that is whole. One that is not is removed, and the log says so.

    `code`: one that other code had a part in is passed over.
    """
    damaged = False
    for file in run.checkpoints:
        if not file.is_file():
            continue
        try:
            content = _read(file)
            state, moments, position = content["model"], content["optimizer"], _position(content["progress"])
        except Exception as problem:  # torch.load names no common class for what a damaged file can raise
            print_line(f"{file.name} cannot be read ({type(problem).__name__}: {problem})")
            files.remove(file)
            damaged = True
            continue
        if code and position.codes != [code]:
            print_line(f"{file.name} was made by other code: it is passed over")
            continue
        model.load_state_dict(state)
        optimizer.load_state_dict(moments)
        vars(progress).update(vars(position))
        print_line(f"going on from {file.name} at iteration {progress.iteration}")
        return
    if damaged:
        print_line("no checkpoint is left to go on from: starting afresh")


def remove(run: Run) -> None:
    """The run is done: its checkpoints are not needed any more."""
    for file in run.checkpoints:
        files.remove(file)


class _Summed:
    """A file for torch.save that knows the CRC-32 of what went through it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._refused: OSError | None = None
        self.crc = 0

    def save(self, content: dict[str, Any]) -> None:
        """torch.save into it. Raises `OSError` where the disk refuses a write; torch.save makes a `RuntimeError` of that."""
        try:
            torch.save(content, cast(BinaryIO, self))  # all that it does is write and flush
        except RuntimeError:
            if self._refused is None:
                raise
            raise self._refused from None

    def write(self, data: bytes) -> int:
        self.crc = zlib.crc32(data, self.crc)
        try:
            return self._file.write(data)
        except OSError as problem:
            self._refused = problem
            raise

    def flush(self) -> None:
        self._file.flush()


def _position(content: Mapping[str, Any]) -> TrainState:
    """What was carried from step to step. Raises `ValueError`, `KeyError` or `TypeError` where that cannot be."""
    losses = [float(loss) for loss in content["losses"]]  # the last may be infinite
    state = build(TrainState, {"codes": [""], **content, "losses": []})
    if not all(map(is_device, state.devices)):
        raise ValueError("devices: expected iteration, device and arithmetic of each")
    return replace(state, losses=losses)


def _read(file: Path) -> dict[str, Any]:
    content = files.read_bytes(file, MOST_BYTES)
    _compare(zlib.crc32(memoryview(content)[:-_SEAL_LENGTH]), content[-_SEAL_LENGTH:])
    read: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return read


def _verify(file: Path) -> None:
    """Read a file again, a piece at a time. Raises `OSError` where it is not what was written."""
    with file.open("rb") as stream:
        size, crc = os.fstat(stream.fileno()).st_size - _SEAL_LENGTH, 0
        for start in range(0, size, _CHUNK):
            crc = zlib.crc32(stream.read(min(_CHUNK, size - start)), crc)
        _compare(crc, stream.read())


def _compare(crc: int, seal: bytes) -> None:
    if not re.fullmatch(rb"crc32=[0-9a-f]{8}", seal):
        raise OSError("it is truncated: no checksum at its end")
    if seal != _SEAL.format(crc).encode():
        raise OSError("it is damaged: its checksum is another")


SHARE = 0.02
"""The part of the training time that writing may take."""


class CheckpointSchedule:
    """Decides from the clock alone. All times are in seconds, and `now` never goes back (time.perf_counter)."""

    def __init__(self, every: float, now: float) -> None:
        self._every = every
        self._began = self._last = now
        self._spent = self._longest = 0.0

    def due(self, now: float) -> bool:
        """Whether enough time has passed, and one more as long as the longest so far stays within the share.

        The first one is written when its time has come, as nothing is known yet of how long that takes.
        """
        return now - self._last >= self._every and self._spent + self._longest <= SHARE * (now - self._began)

    def wrote(self, began: float, ended: float) -> None:
        """A checkpoint was written in this time."""
        self._last = ended
        self._spent += ended - began
        self._longest = max(self._longest, ended - began)


@dataclass
class TrainState:
    """What is carried from step to step, and through a checkpoint.

    Attributes:
        collapsed_at: The first iteration whose loss was not finite.
        losses: Of the steps since the last record, which tells their mean.
        threads: Of the process that began the training: whoever goes on takes as many. 0 in a checkpoint that does not
            say.
        codes: By which code the steps were made, in their order (core/code.py); empty text: not known.
        devices: On what they were made: from which iteration on, the device's name, the arithmetic. Empty in a checkpoint
            that does not say.
    """

    iteration: Count = 0
    seconds: Seconds = 0.0
    collapsed_at: Count | None = None
    losses: list[float] = field(default_factory=list)
    threads: Annotated[int, Field(ge=0, le=MOST_PROCESSES)] = 0
    codes: list[CodeId] = field(default_factory=list)
    devices: list[dict[str, Any]] = field(default_factory=list)

    def goes_on(self, device: str, arithmetic: str, *, promised: bool) -> None:
        """The next steps are made on this device, in this arithmetic; the log says so where others were made elsewhere.

        `promised`: equal bits were, which another device does not give.

        Raises:
            UserError: equal bits were promised, and the steps so far were made otherwise.
        """
        now = {"device": device, "arithmetic": arithmetic}
        self.devices = self.devices if self.iteration else []
        before = [{key: entry[key] for key in now} for entry in self.devices]
        if self.iteration and not before:
            before = [{"device": "a device that it does not name", "arithmetic": "unknown arithmetic"}]
        others = [entry for entry in before if entry != now]
        if others and promised:
            raise UserError(
                f"deterministic=true: the checkpoint at iteration {self.iteration} was made on {_on(others[0])}, and this is "
                f"{_on(now)}, which does not give the same bits. Go on there, or say deterministic=false"
            )
        if others:
            print_line(f"made so far on {_on(before[-1])}; going on on {_on(now)}: the last bits may differ")
        if not self.devices or before[-1] != now:
            self.devices.append({"iteration": self.iteration, **now})


def _on(entry: Mapping[str, Any]) -> str:
    return f"{entry['device']} ({entry['arithmetic']})"
