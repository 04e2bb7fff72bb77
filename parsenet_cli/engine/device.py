"""On what a network runs."""

from __future__ import annotations

import torch

from parsenet_cli.core.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one. Raises `UserError` for `cuda` where there is none."""
    present = name != "cpu" and torch.cuda.is_available()
    if name == "cuda" and not present:
        built = "" if torch.version.cuda else ", and was built without CUDA"
        raise UserError(f"device=cuda: PyTorch finds no CUDA device here{built}; use device=auto or device=cpu")
    return torch.device("cuda" if present else "cpu")
