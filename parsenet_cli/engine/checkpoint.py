"""Where an interrupted run goes on from: weights, optimiser and position. Random states follow from the position."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import torch
from torch import nn

from parsenet_cli.engine.optim import SGD
from parsenet_cli.files import replacing
from parsenet_cli.store import Run

if TYPE_CHECKING:
    from parsenet_cli.engine.train import Progress


def save(run: Run, model: nn.Module, optimizer: SGD, progress: Progress) -> None:
    """Write checkpoint.pt."""
    content = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": vars(progress)}
    with replacing(run.folder / "checkpoint.pt") as file:
        torch.save(content, file)


def restore(run: Run, model: nn.Module, optimizer: SGD, progress: Progress) -> None:
    """Take up the checkpoint where there is one. One that cannot be read is set aside, and the run starts afresh."""
    file = run.folder / "checkpoint.pt"
    if not file.is_file():
        return
    try:
        content = torch.load(io.BytesIO(file.read_bytes()), map_location="cpu", weights_only=True)
        state, moments, position = content["model"], content["optimizer"], content["progress"]
    except Exception as problem:  # torch.load names no common class for what a damaged file can raise
        print(f"{file.name} cannot be read ({type(problem).__name__}: {problem}); starting afresh", flush=True)
        file.unlink()
        return
    model.load_state_dict(state)
    optimizer.load_state_dict(moments)
    vars(progress).update(position)


def remove(run: Run) -> None:
    """The run is done: its checkpoint is not needed any more."""
    (run.folder / "checkpoint.pt").unlink(missing_ok=True)
