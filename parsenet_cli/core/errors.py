"""What a user sees when something is wrong, and the exit code that goes with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 80


class UserError(Exception):
    """The input is wrong: the message names the file or key, what was expected and what to do (exit code 2)."""


def unknown(kind: str, name: str, valid: Iterable[str]) -> UserError:
    """The error for a name that does not exist, with the nearest valid one and all others.

    `kind` is the noun ("table", "trunk", "key"), `name` what the user wrote.
    """
    choices, name = list(valid), name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
    if not name.strip():
        return UserError(f"the name of a {kind.removesuffix(':')} is empty. Valid: {', '.join(choices)}")
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UserError(f"unknown {kind} '{name}'.{hint} Valid: {', '.join(choices)}")


NO_TORCH = (
    "torch is not installed, and this needs it: pip install torch torchvision (without a GPU, add "
    "--index-url https://download.pytorch.org/whl/cpu)"
)
"""Said instead of a traceback: everything that trains nothing and builds no network does without."""


def is_torch_missing(problem: ModuleNotFoundError) -> bool:
    """Whether it is torch that is not installed, and no module of ours or of others."""
    return (problem.name or "").partition(".")[0] in ("torch", "torchvision")


class Stopped(Exception):
    """The run was asked to stop; a checkpoint at `iteration` is written. None: its training had not begun."""

    def __init__(self, iteration: int | None) -> None:
        super().__init__("stopped before the training" if iteration is None else f"stopped at iteration {iteration}")
        self.iteration = iteration
