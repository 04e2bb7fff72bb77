"""On what a network runs."""

from __future__ import annotations

import torch

from parsenet_cli.core.errors import UserError


def choose_device(name: str, *, given_gpu: bool = False) -> torch.device:
    """`auto` is the GPU where there is one.

    `given_gpu`: this process was given a GPU by a launcher, so that `auto` means that one.

    Raises:
        UserError: there is none, and it is `cuda`, or a GPU was given: on a CPU the run would take days without a word.
    """
    present = name != "cpu" and torch.cuda.is_available()
    if not present and (name == "cuda" or (name == "auto" and given_gpu)):
        built = "" if torch.version.cuda else ", and was built without CUDA"
        if name == "cuda":
            raise UserError(f"device=cuda: PyTorch finds no CUDA device here{built}; use device=auto or device=cpu")
        raise UserError(
            f"device=auto: this run was given a GPU, but PyTorch finds no CUDA device here{built}; install a PyTorch "
            "that fits the GPU's driver, or use device=cpu"
        )
    return torch.device("cuda" if present else "cpu")


def release_memory(device: torch.device) -> None:
    """Give back what PyTorch's allocator keeps and nothing uses, before something is tried again with less."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
