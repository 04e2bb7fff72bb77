"""The lattice against a literal one with a dictionary, against the exact Gaussian, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from parsenet_cli.models.permutohedral import Lattice
from parsenet_cli.models.postprocess.crf import exact


def literal(features: list[list[float]], values: list[float]) -> tuple[list[float], int]:
    """The filtered values and the number of vertices: the published algorithm, point by point, in a dictionary."""
    dimensions = len(features[0])
    size = dimensions + 1
    places: list[list[tuple[tuple[int, ...], float]]] = []
    cells: dict[tuple[int, ...], float] = {}
    for feature, value in zip(features, values, strict=True):
        scaled = [f * math.sqrt(2 / 3) * size / math.sqrt((i + 1) * (i + 2)) for i, f in enumerate(feature)]
        elevated = [sum(scaled)] + [sum(scaled[j:]) - j * scaled[j - 1] for j in range(1, size)]
        rounded = [round(e / size) * size for e in elevated]
        surplus = sum(rounded) // size
        rest = [e - r for e, r in zip(elevated, rounded, strict=True)]
        by_rest = sorted(range(size), key=lambda i: -rest[i])
        rank = [by_rest.index(i) + surplus for i in range(size)]
        for i in range(size):
            move = size if rank[i] < 0 else -size if rank[i] > dimensions else 0
            rank[i] += move
            rounded[i] += move
        assert sum(rounded) == 0
        weights = [0.0] * (size + 1)
        for i in range(size):
            weights[dimensions - rank[i]] += (elevated[i] - rounded[i]) / size
            weights[size - rank[i]] -= (elevated[i] - rounded[i]) / size
        weights[0] += 1 + weights.pop()
        corners = [
            tuple(r + (k if rank[i] <= dimensions - k else k - size) for i, r in enumerate(rounded))
            for k in range(size)
        ]
        places.append(list(zip(corners, weights, strict=True)))
        for corner, weight in places[-1]:
            cells[corner] = cells.get(corner, 0) + weight * value
    for axis in range(size):
        blurred = {}
        for corner, value in cells.items():
            near = [
                cells.get(tuple(c + sign * (-dimensions if i == axis else 1) for i, c in enumerate(corner)), 0)
                for sign in (1, -1)
            ]
            blurred[corner] = value + sum(near) / 2
        cells = blurred
    gain = 1 / (1 + 2.0**-dimensions)
    return [gain * sum(weight * cells[corner] for corner, weight in place) for place in places], len(cells)


def places(side: int, sigma: float) -> Tensor:
    """(x, y) of a square of pixels, in units of sigma, float64."""
    y, x = torch.meshgrid(*[torch.arange(side, dtype=torch.float64)] * 2, indexing="ij")
    return torch.stack([x, y], -1).view(-1, 2) / sigma


def normalized(kernel: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    return kernel(values) / kernel(torch.ones_like(values[:, :1]))


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_lattice_is_literal(dimensions: int, spread: float) -> None:
    rng = np.random.default_rng(dimensions)
    features, values = rng.normal(0, spread, (60, dimensions)), rng.random(60)
    expected, vertices = literal(features.tolist(), values.tolist())
    lattice = Lattice(torch.from_numpy(features), torch.float64)
    filtered = lattice(torch.from_numpy(values)[:, None])
    torch.testing.assert_close(filtered[:, 0], torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)
    assert lattice.vertices == vertices


def test_places_by_three_pixels() -> None:
    """Vertices of 4x4, 8x8 and 16x16 places and the largest error on random values, as computed from the publication."""
    rng = np.random.default_rng(0)
    for side, vertices, error in ((4, 8, 0.0126), (8, 16, 0.0143), (16, 46, 0.0112)):
        features = places(side, 3)
        lattice = Lattice(features, torch.float64)
        assert lattice.vertices == vertices
        values = torch.from_numpy(rng.random((side * side, 2)))
        difference = normalized(lattice, values) - normalized(exact(features, torch.float64), values)
        assert difference.abs().max().item() == pytest.approx(error, abs=5e-5)


def test_sums_are_smaller_than_the_exact_ones_and_quotients_are_not() -> None:
    features, ones = places(16, 3), torch.ones(256, 1, dtype=torch.float64)
    lattice = Lattice(features, torch.float64)
    sums = lattice(ones) / exact(features, torch.float64)(ones)
    assert 0.5 < sums.min() < sums.max() < 0.9
    torch.testing.assert_close(normalized(lattice, 0.3 * ones), 0.3 * ones)


def test_filter_is_linear_and_takes_channels_apart() -> None:
    features = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (40, 5)))
    lattice = Lattice(features, torch.float64)
    matrix = lattice(torch.eye(40, dtype=torch.float64))
    values = torch.from_numpy(np.random.default_rng(1).normal(0, 1, (40, 3)))
    torch.testing.assert_close(lattice(values), matrix @ values)
    torch.testing.assert_close(lattice(values)[:, 1:2], lattice(values[:, 1:2]))
    assert matrix.min() >= 0


def test_same_numbers_on_one_thread_and_on_two() -> None:
    features = torch.from_numpy(np.random.default_rng(0).normal(0, 20, (5000, 5)))
    values = torch.rand(5000, 21, generator=torch.Generator().manual_seed(0))
    threads, outputs = torch.get_num_threads(), []
    try:
        for count in (1, 2, 2):
            torch.set_num_threads(count)
            outputs.append(Lattice(features, torch.float32)(values))
    finally:
        torch.set_num_threads(threads)
    for first, second in pairwise(outputs):
        assert torch.equal(first, second)


def test_single_precision_is_close_to_double() -> None:
    features = torch.from_numpy(np.random.default_rng(0).normal(0, 3, (300, 5)))
    values = torch.rand(300, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    single = normalized(Lattice(features, torch.float32), values.float())
    torch.testing.assert_close(single.double(), normalized(Lattice(features, torch.float64), values), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dimensions", [2, 5])
def test_memory_is_bounded(dimensions: int) -> None:
    """By what the docstring says, where no two points share a vertex."""
    points, size = 500, dimensions + 1
    lattice = Lattice(
        torch.from_numpy(np.random.default_rng(0).normal(0, 300 if dimensions == 2 else 100, (points, dimensions))),
        torch.float32,
    )
    assert lattice.vertices > 0.99 * size * points
    held = [value for value in vars(lattice).values() if isinstance(value, Tensor)]
    held += [part for blur in vars(lattice)["_blurs"] for part in blur]
    # An index tensor may be a view of one that is larger: count what lies behind it.
    assert sum(value.untyped_storage().nbytes() for value in held) <= (24 * size**2 + 20 * size) * points


def test_points_too_far_apart_to_be_numbered() -> None:
    features = torch.tensor([[0.0] * 5, [1e4] * 5], dtype=torch.float64)
    with pytest.raises(ValueError, match=r"the 2 points span .* too many to be numbered; use a wider Gaussian"):
        Lattice(features, torch.float64)
