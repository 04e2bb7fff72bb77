"""How a training ends that was asked to: known without the training itself, and so without torch."""

from __future__ import annotations


class Stopped(Exception):
    """The run was asked to stop; a checkpoint at `iteration` is written. None: its training had not begun."""

    def __init__(self, iteration: int | None) -> None:
        super().__init__("stopped before the training" if iteration is None else f"stopped at iteration {iteration}")
        self.iteration = iteration
