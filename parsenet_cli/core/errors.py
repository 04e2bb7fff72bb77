"""What a user sees when something is wrong, and the exit code that goes with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 80
_FEW = 8
"""Valid names that are all told; of more, the nearest."""

_NEAREST = 4


class UserError(Exception):
    """The input is wrong: the message names the file or key, what was expected and what to do (exit code 2)."""


def unknown(kind: str, name: str, valid: Iterable[str], listed: str = "") -> UserError:
    """The error for a name that does not exist, with the nearest valid one and the others, or where these are many a few.

    `kind` is the noun ("table", "trunk", "key"), `name` what the user wrote, `listed` the command that lists what is valid.
    """
    choices, name = list(dict.fromkeys(valid)), name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
    near = difflib.get_close_matches(name, choices, n=_NEAREST, cutoff=0.5)
    said = [f"unknown {kind} '{name}'." if name.strip() else f"the name of a {kind.removesuffix(':')} is empty."]
    said += [f"Did you mean '{near[0]}'?"] if near else []
    if len(choices) <= _FEW:
        return UserError(" ".join([*said, f"Valid: {', '.join(choices)}"]))
    said += [f"Also near: {', '.join(near[1:])}."] if near[1:] else []
    said += [] if near else [f"Valid are for example {', '.join(choices[:_NEAREST])}."]
    said.append(f"All {len(choices)}: `{listed}`" if listed else f"{len(choices)} are valid.")
    return UserError(" ".join(said))


class DataNotHere(UserError):
    """A data set that lies on disk is nowhere: the user has named no folder, and none was prepared."""


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
