"""Where the cells of a feature map lie in the image, and how much of it they see.

Cell i of a map is centred on pixel `stride * i + offset` (pixel centres counted from 0). Everything that needs to know
where a map lies (upsampling, crops, the receptive-field rule, the smallest image) asks this file, and this file asks
the modules themselves: nothing is written down twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Grid:
    """A map's cells in image coordinates. Two grids are equal when their cells are centred alike.

    Attributes:
        stride: pixels between neighbouring cells.
        offset: the pixel on which cell 0 is centred; negative when it lies outside the image.
        field: theoretical receptive field: the side, in pixels, of the square a cell depends on.
    """

    stride: int
    offset: float
    field: int = field(default=1, compare=False)

    def centre(self, cell: int) -> float:
        """The image coordinate of the centre of cell `cell`."""
        return self.stride * cell + self.offset


IMAGE = Grid(stride=1, offset=0.0, field=1)


@dataclass(frozen=True)
class Window:
    """The sliding window of a convolution or a pooling, the same in both directions.

    `ceil` says whether lengths are rounded up, as in Caffe's pooling (src/caffe/layers/pooling_layer.cpp).
    """

    kernel: int
    stride: int
    padding: int
    dilation: int
    ceil: bool

    @property
    def extent(self) -> int:
        """Cells between the first and the last tap, both included."""
        return self.dilation * (self.kernel - 1) + 1

    def length(self, cells: int) -> int:
        """Length of the output for an input of `cells`; below 1 when the window does not fit.

        With `ceil` a last window that would start at or beyond the input and its left padding is dropped (Caffe).
        """
        room = cells + 2 * self.padding - self.extent
        if not self.ceil:
            return room // self.stride + 1
        length = math.ceil(room / self.stride) + 1
        return length - ((length - 1) * self.stride >= cells + self.padding)

    def slide(self, grid: Grid) -> Grid:
        """The grid of the output for an input on `grid`."""
        return Grid(
            stride=grid.stride * self.stride,
            offset=grid.offset + grid.stride * ((self.extent - 1) / 2 - self.padding),
            field=grid.field + grid.stride * (self.extent - 1),
        )


def windows(module: Any) -> Iterator[Window]:
    """The windows a value passes on its widest path through a module; none for pointwise modules.

    A module with parallel paths says which is the widest by a method `widest_path() -> Iterable[Module]`.
    """
    if hasattr(module, "widest_path"):
        for step in module.widest_path():
            yield from windows(step)
    elif hasattr(module, "kernel_size"):
        kernel, stride, padding, dilation = (
            _side(getattr(module, name, 1)) for name in ("kernel_size", "stride", "padding", "dilation")
        )
        yield Window(kernel, stride, padding, dilation, getattr(module, "ceil_mode", False))


def grids(layers: Iterable[tuple[str, Any]]) -> dict[str, Grid]:
    """The grid after every layer of a chain that begins at the image. `layers`: names and modules, in order."""
    result: dict[str, Grid] = {}
    grid = IMAGE
    for name, module in layers:
        for window in windows(module):
            grid = window.slide(grid)
        result[name] = grid
    return result


def _side(value: int | tuple[int, ...]) -> int:
    sides = {value} if isinstance(value, int) else set(value)
    if len(sides) != 1:
        raise ValueError(f"expected the same in both directions, found {value}")
    return sides.pop()
