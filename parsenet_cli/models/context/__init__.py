"""What `pool6` is: one file each, found by its name. A new kind of context is a file with `build(channels, …)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from parsenet_cli.core.errors import UserError
from parsenet_cli.models import blocks

if TYPE_CHECKING:
    from parsenet_cli.core.run_config import Science


class Context(nn.Module):
    """Summaries of fc7 ("levels"), each to be normalised and classified on its own, then unpooled (§3.1) to fc7's map.

    A summary stays as small as it is until after the classifier: normalising, classifying and unpooling commute,
    because the first two work on one cell at a time.

    Attributes:
        levels: names of the levels; they name the branches of the head.
        channels: of each level.
    """

    def __init__(self, levels: tuple[str, ...], channels: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = levels
        self.channels = channels

    def forward(self, fc7: Tensor) -> list[Tensor]:
        """(N, C, h, w) -> one (N, C', h', w') per level. Raises `UserError` when the map is too small."""
        raise NotImplementedError

    def check_size(self, height: int, width: int) -> None:
        """Raises `UserError` when an fc7 map of `height` x `width` cells is too small to be summarised."""

    def unpool(self, level: int, z: Tensor, size: tuple[int, int]) -> Tensor:
        """Anything of the resolution of a level, (N, K, h', w') -> (N, K, *size), the size of fc7."""
        raise NotImplementedError


def build(science: Science, channels: int) -> Context:
    """The context `science.context` over a tap of `channels`. Raises `UserError` for an unknown one."""
    made = blocks.build("context", science, channels)
    if not isinstance(made, Context):
        raise UserError(
            f"context={science.context}: its build(channels, …) has to return a {Context.__module__}.Context, "
            f"not {type(made).__name__}"
        )
    return made
