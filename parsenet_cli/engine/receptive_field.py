"""What a cell of fc7 really looks at: noise slid over the image, and the gradient of the same activations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import torch

from parsenet_cli.engine.evaluate import PIXELS
from parsenet_cli.engine.loaded import LoadedNetwork

Floats = npt.NDArray[np.float64]
Box = tuple[int, int, int, int]

INNER = 0.9
"""Cells are chosen among those whose theoretical field the image cuts off least: this share of the largest visible area."""


@dataclass(frozen=True)
class FieldSample:
    """What was found around one cell. Maps have a pixel of the window per entry."""

    centre: tuple[float, float]
    window: Box
    """Top, left, bottom, right of the part of the image that the cell can see, a patch more on every side."""
    square: Box
    """The theoretical field inside the image."""
    channels: list[int]
    activations: Floats
    changes: Floats
    """(units, h, w): mean absolute change of the activation by noise there."""
    gradients: Floats
    """(units, h, w): sum over colours of the absolute gradient."""


def measure(
    network: LoadedNetwork, i: int, units: int, draws: int, patch: int, stride: int, rng: np.random.Generator
) -> FieldSample | None:
    """One image; None where fc7 is zero all over."""
    trunk = network.model.trunk
    grid, image = trunk.grids["fc7"], network.image(i)
    height, width = network.val.shapes[i]
    with torch.inference_mode():
        fc7 = _fc7(network, image)[0]
    row, column = _cell(network, fc7.sum(0).double().cpu().numpy(), (height, width))
    strength, order = fc7[:, row, column].sort(descending=True)
    channels = [int(c) for c, value in zip(order[:units], strength[:units], strict=True) if value > 0]
    if not channels:
        return None
    centre = grid.centre(row), grid.centre(column)
    square = _visible(centre, grid.field / 2, (height, width))
    window = _visible(centre, grid.field / 2 + patch, (height, width))

    crop, (top, left) = _crop(network, image, square, fc7[:, row, column], (row, column))
    cell = row - top // grid.stride, column - left // grid.stride
    with torch.inference_mode():
        before = _fc7(network, crop)[0, channels, cell[0], cell[1]]
    shape = window[2] - window[0], window[3] - window[1]
    total, count = np.zeros((len(channels), *shape)), np.zeros(shape)
    at_once = max(1, PIXELS[network.device.type] // (crop.shape[2] * crop.shape[3]))
    every = [place for place in _places(window, square, patch, stride) for _ in range(draws)]
    for start in range(0, len(every), at_once):
        batch = every[start : start + at_once]
        noisy = crop.expand(len(batch), -1, -1, -1).clone()
        for n, (y, x) in enumerate(batch):
            part = noisy[n, :, _span(y - top, patch), _span(x - left, patch)]
            part.copy_(torch.from_numpy(rng.integers(0, 256, tuple(part.shape), np.uint8)))
        with torch.inference_mode():
            after = _fc7(network, noisy)[:, channels, cell[0], cell[1]]
        for (y, x), change in zip(batch, (after - before).abs().double().cpu().numpy(), strict=True):
            rows, columns = _span(y - window[0], patch), _span(x - window[1], patch)
            total[:, rows, columns] += change[:, None, None]
            count[rows, columns] += 1
    gradients = _gradients(network, crop, channels, cell)
    whole = np.zeros((len(channels), height, width))
    whole[:, top : top + crop.shape[2], left : left + crop.shape[3]] = gradients
    return FieldSample(
        centre, window, square, channels, before.double().cpu().numpy(),
        total / np.maximum(count, 1),
        whole[:, window[0] : window[2], window[1] : window[3]],
    )  # fmt: skip


def _fc7(network: LoadedNetwork, images: torch.Tensor) -> torch.Tensor:
    fc7: torch.Tensor = network.model.trunk(network.model.preprocess(images), ["fc7"])["fc7"]
    return fc7


def _cell(network: LoadedNetwork, strength: Floats, size: tuple[int, int]) -> tuple[int, int]:
    """The strongest cell among those whose theoretical field is cut off least by the border."""
    grid = network.model.trunk.grids["fc7"]
    lengths = []
    for cells, length in zip(strength.shape, size, strict=True):
        centres = np.array([grid.centre(n) for n in range(cells)])
        seen = np.minimum(centres + grid.field / 2, length) - np.maximum(centres - grid.field / 2, 0)
        lengths.append(np.maximum(seen, 0))
    area = np.outer(*lengths)
    best = np.where(area >= INNER * area.max(), strength, -np.inf).argmax()
    row, column = np.unravel_index(best, strength.shape)
    return int(row), int(column)


def _visible(centre: tuple[float, float], half: float, size: tuple[int, int]) -> Box:
    """The part of a square that lies in the image: pixels whose centres are at most `half` away."""
    (y, x), (height, width) = centre, size
    low = max(0, math.ceil(y - half)), max(0, math.ceil(x - half))
    return *low, min(height, math.floor(y + half) + 1), min(width, math.floor(x + half) + 1)


def _crop(
    network: LoadedNetwork, image: torch.Tensor, square: Box, wanted: torch.Tensor, cell: tuple[int, int]
) -> tuple[torch.Tensor, tuple[int, int]]:
    """A part of the image around the theoretical field in which the cell is the very same, and where it begins.

    The network is then run on the part alone. Where a trunk's padding makes the cell another one there, it is the whole image.
    """
    grid = network.model.trunk.grids["fc7"]
    step = 2 * grid.stride
    top, left = (max(0, (begin // step - 1) * step) for begin in square[:2])
    bottom, right = (end + step for end in square[2:])
    part = image[:, :, top:bottom, left:right]
    row, column = cell[0] - top // grid.stride, cell[1] - left // grid.stride
    with torch.inference_mode():
        found = _fc7(network, part)[0]
    if row < found.shape[1] and column < found.shape[2]:
        here = found[:, row, column]
        if torch.allclose(here, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max())):
            return part, (top, left)
    return image, (0, 0)


def _places(window: Box, square: Box, patch: int, stride: int) -> Iterator[tuple[int, int]]:
    """Top left corners of the patch, over every pixel of the window; those that touch no pixel of the field are left out."""
    starts = []
    for begin, end, first, last in zip(window[:2], window[2:], square[:2], square[2:], strict=True):
        places = range(begin - patch + stride, end, stride)
        starts.append([place for place in places if place + patch > first and place < last])
    return product(starts[0], starts[1])


def _span(start: int, length: int) -> slice:
    """`length` pixels from `start`, less those that would lie before the first."""
    return slice(max(0, start), max(0, start + length))


def _gradients(network: LoadedNetwork, image: torch.Tensor, channels: list[int], cell: tuple[int, int]) -> Floats:
    """(units, H, W): the gradient of each unit by the preprocessed input, absolute, summed over its three channels."""
    x = network.model.preprocess(image).clone().requires_grad_()
    fc7 = network.model.trunk(x, ["fc7"])["fc7"][0, :, cell[0], cell[1]]
    found = [torch.autograd.grad(fc7[c], x, retain_graph=True)[0][0].abs().sum(0) for c in channels]
    return torch.stack(found).double().cpu().numpy()
