"""Drawing shapes given by signed distances: soft edges in the image, exact ids in the label map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Colour = tuple[float, float, float]
"""Red, green, blue, each 0 to 255."""


Point = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """Broadcastable coordinates of pixels, and signed distances to shapes: in pixels, negative inside."""

    x: Array
    """(1, w): to the right."""
    y: Array
    """(h, 1): down."""

    def ellipse(self, cx: float, cy: float, rx: float, ry: float) -> Array:
        """To an axis-parallel ellipse; exact on its edge, of the right slope around it."""
        px, py = (self.x - cx) / rx, (self.y - cy) / ry
        radius = np.sqrt(px * px + py * py)
        slope = np.sqrt((px / rx) ** 2 + (py / ry) ** 2)
        near = radius * (radius - 1) / np.maximum(slope, 1e-6)
        return np.asarray(np.where(radius < 0.5, (radius - 1) * min(rx, ry), near), np.float32)

    def capsule(self, start: Point, end: Point, radius: float, end_radius: float) -> Array:
        """To a limb: a segment whose thickness changes from `radius` to `end_radius`."""
        (ax, ay), (bx, by) = start, end
        dx, dy = bx - ax, by - ay
        along = np.clip(((self.x - ax) * dx + (self.y - ay) * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
        gap_x, gap_y = self.x - ax - along * dx, self.y - ay - along * dy
        gap = np.sqrt(gap_x * gap_x + gap_y * gap_y)
        return np.asarray(gap - (radius + along * (end_radius - radius)), np.float32)

    def polygon(self, *corners: Point) -> Array:
        """To a convex polygon, corners in either order (farther than true outside its corners)."""
        edges = list(zip(corners, (*corners[1:], corners[0]), strict=True))
        turn = 1.0 if sum(ax * by - bx * ay for (ax, ay), (bx, by) in edges) > 0 else -1.0
        distance = np.full(np.broadcast_shapes(self.x.shape, self.y.shape), -np.inf, np.float32)
        for (ax, ay), (bx, by) in edges:
            length = max(float(np.hypot(bx - ax, by - ay)), 1e-6)
            side = turn * ((by - ay) * (self.x - ax) - (bx - ax) * (self.y - ay)) / length
            np.maximum(distance, side, out=distance)
        return distance


@dataclass(frozen=True)
class Region(Frame):
    """A rectangle of a canvas: its pixels' columns and rows, and views that drawing writes through."""

    rgb: Array
    """(h, w, 3)."""
    label: npt.NDArray[np.uint8]
    """(h, w)."""
    ids: Mapping[str, int]

    def draw(self, distance: Array, colour: Colour | Array, name: str | None = None, opacity: float = 1.0) -> None:
        """Cover the inside of a shape (`distance` < 0, in pixels) with a colour or an (h, w, 3) texture.

        `name` is what the shape shows: its id in `ids`, or 0 where the data set does not label it; None (shadows,
        markings) leaves the labels alone. The edge is blended over one pixel, the label is not.
        """
        alpha = np.clip(0.5 - distance, 0, 1)[..., None] * np.float32(opacity)
        self.rgb[...] += alpha * (np.asarray(colour, np.float32) - self.rgb)
        if name is not None:
            self.label[distance < 0] = self.ids.get(name, 0)

    def noise(self, rng: np.random.Generator, cell_h: float, cell_w: float) -> Array:
        """Smooth random values, as `noise` below, for every pixel of a region that is not empty."""
        height, width = self.label.shape
        return noise(rng, height, width, cell_h, cell_w)


class Canvas:
    """An image in the making, and its label map."""

    def __init__(self, height: int, width: int, ids: Mapping[str, int]) -> None:
        self.rgb: Array = np.zeros((height, width, 3), np.float32)
        self.label: npt.NDArray[np.uint8] = np.zeros((height, width), np.uint8)
        self.ids = ids
        self.height, self.width = height, width

    def region(self, left: float, top: float, right: float, bottom: float) -> Region:
        """The part of the rectangle that lies on the canvas (possibly nothing of it)."""
        x0, x1 = (int(np.clip(v, 0, self.width)) for v in (left, right + 1))
        y0, y1 = (int(np.clip(v, 0, self.height)) for v in (top, bottom + 1))
        return Region(
            x=np.arange(x0, x1, dtype=np.float32)[None, :],
            y=np.arange(y0, y1, dtype=np.float32)[:, None],
            rgb=self.rgb[y0:y1, x0:x1],
            label=self.label[y0:y1, x0:x1],
            ids=self.ids,
        )

    def image(self, rng: np.random.Generator, grain: float = 2.5) -> npt.NDArray[np.uint8]:
        """The finished image, uint8 (H, W, 3), with a camera's grain."""
        noisy = self.rgb + grain * rng.standard_normal(self.rgb.shape, dtype=np.float32)
        return np.clip(noisy, 0, 255).astype(np.uint8)


def merge(first: Array, second: Array, blend: float) -> Array:
    """The union of two shapes, rounded where they meet over about `blend` pixels."""
    mix = np.clip(0.5 + (second - first) / (2 * blend), 0, 1)
    return np.asarray(second + mix * (first - second) - blend * mix * (1 - mix), np.float32)


def noise(rng: np.random.Generator, height: int, width: int, cell_h: float, cell_w: float) -> Array:
    """Smooth random values in [0, 1], (height, width), that change over about one cell (sizes in pixels)."""
    rows, columns = _interpolation(height, cell_h), _interpolation(width, cell_w)
    grid = rng.random((rows.shape[1], columns.shape[1]), dtype=np.float32)
    return np.asarray(rows @ grid @ columns.T, np.float32)


def ridge(rng: np.random.Generator, width: int, cell: float) -> Array:
    """A smooth random line, (1, width), values in [0, 1], with some finer detail."""
    return 0.75 * noise(rng, 1, width, 1, cell) + 0.25 * noise(rng, 1, width, 1, cell / 4)


def _interpolation(length: int, cell: float) -> Array:
    """(length, cells + 1) matrix of smooth (cubic ease) interpolation weights between grid points."""
    position = np.arange(length, dtype=np.float32) / np.float32(cell)
    left = position.astype(np.int64)
    t = position - left
    t = t * t * (3 - 2 * t)
    weights = np.zeros((length, int(left[-1]) + 2), np.float32)
    weights[np.arange(length), left] = 1 - t
    weights[np.arange(length), left + 1] = t
    return weights
