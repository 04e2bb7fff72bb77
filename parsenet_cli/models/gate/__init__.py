"""What changes a tap before it is read: one file each, found by its name. A new gate is a file with `build(channels, …)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from parsenet_cli.core.blocks import NONE
from parsenet_cli.core.errors import UserError
from parsenet_cli.models import blocks

if TYPE_CHECKING:
    from parsenet_cli.core.run_config import Science


class Gate(nn.Module):
    """A block's module around which the shape of the tap is looked at.

    Args:
        name: of the block.
        inner: (N, C, h, w) -> the same shape.
    """

    def __init__(self, name: str, inner: nn.Module) -> None:
        super().__init__()
        self.name = name
        self.inner = inner

    def forward(self, tap: Tensor) -> Tensor:
        """(N, C, h, w) -> the same shape. Raises `UserError` where the block gives another."""
        changed: Tensor = self.inner(tap)
        if changed.shape != tap.shape:
            raise UserError(
                f"gate={self.name}: expected a map of the shape that it was given, {tuple(tap.shape)}, found "
                f"{tuple(changed.shape)}: a gate changes a tap in its place"
            )
        return changed


def build(science: Science, channels: int) -> Gate | None:
    """The gate `science.gate` on a tap of `channels`; None for `none`. Raises `UserError` for an unknown one."""
    return None if science.gate == NONE else Gate(science.gate, blocks.build("gate", science, channels))
