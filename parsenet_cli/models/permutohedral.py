"""A Gaussian filter over points of many dimensions, in time linear in the points: the permutohedral lattice.

The sum over j of exp(-|f_i - f_j|^2 / 2) v_j takes N^2 kernels. The lattice spreads each value over the d + 1 corners of
the simplex that holds its point, blurs the corners along the d + 1 directions of the lattice and reads the points back
(Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", Eurographics 2010; the
arithmetic is that of `permutohedral.h` in Krähenbühl and Koltun's densecrf, which DeepLab's CRF is built on). What it
returns is smaller than the sum, by a factor that its normaliser, the lattice applied to ones, has as well: compare and
use the quotient only.

All three steps are sums of a few weighted rows, so each is an `embedding_bag`, which PyTorch carries out in parallel and
in a fixed order. Corners are found without a hash table: a corner's coordinates are the digits of one integer, a
neighbour's integer differs by a constant, and sorted integers are looked up in sorted integers.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_LARGEST = 2**62
"""Integers below it name the corners."""


class Lattice:
    """The filter over N points.

    It holds at most 24 (d + 1)^2 + 20 (d + 1) bytes a point in float32, less where points share corners.

    Args:
        features: (N, d) float64: the points in units of the Gaussian's standard deviation, which is 1 in all directions.
        dtype: of the values to be filtered.

    Attributes:
        vertices: number of corners in use, at most (d + 1) N.

    Raises:
        ValueError: the points lie so far apart that their corners cannot be numbered.
    """

    def __init__(self, features: Tensor, dtype: torch.dtype) -> None:
        points, dimensions = features.shape
        size = dimensions + 1
        rounded, rank, weights = _simplices(features.T)

        # The d first coordinates name a corner; it has room for its neighbours, which differ by at most d from it.
        lowest = rounded[:-1].amin(1) - 2 * size
        spans = (rounded[:-1].amax(1) + 2 * size + 1 - lowest).tolist()
        if math.prod(spans) >= _LARGEST:
            raise ValueError(
                f"the {points} points span {spans} cells of the lattice, too many to be numbered; use a wider Gaussian"
            )
        digits = [math.prod(spans[:j]) for j in range(dimensions)] + [0]
        step = sum(digits)
        digit = features.new_tensor(digits, dtype=torch.long)

        # Corner k is corner k - 1 with 1 added to all coordinates and d + 1 taken from the one of rank d + 1 - k.
        by_rank = torch.empty_like(rank).scatter_(0, rank, digit[:, None].expand_as(rank))
        corners = torch.empty_like(rank)
        corners[0] = ((rounded[:-1] - lowest[:, None]) * digit[:-1, None]).sum(0)
        for k in range(1, size):
            corners[k] = corners[k - 1] + step - size * by_rank[size - k]

        in_order, order = corners.T.reshape(-1).sort(stable=True)
        is_first = torch.ones_like(in_order, dtype=torch.bool)
        torch.ne(in_order[1:], in_order[:-1], out=is_first[1:])
        first = is_first.nonzero()[:, 0]
        names = in_order[first]
        owners = torch.empty_like(order).scatter_(0, order, is_first.cumsum(0) - 1)

        self.vertices = len(names)
        self._slice = owners.view(points, size).int()
        self._slice_weights = weights.T.to(dtype).contiguous()
        self._splat = (order // size).int()
        self._splat_weights = self._slice_weights.view(-1)[order]
        self._splat_first = first.int()
        self._blurs = [_blur(names, size * digit - step, dtype) for digit in digits]
        self._gain = 1 / (1 + 2.0**-dimensions)

    def __call__(self, values: Tensor) -> Tensor:
        """Filters (N, C) -> (N, C); between the two it takes 2 C numbers for each vertex."""
        cells = F.embedding_bag(
            self._splat, values, self._splat_first, mode="sum", per_sample_weights=self._splat_weights
        )
        for rows, weights in self._blurs:
            cells = F.embedding_bag(rows, cells, mode="sum", per_sample_weights=weights)
        filtered = F.embedding_bag(self._slice, cells, mode="sum", per_sample_weights=self._slice_weights)
        return filtered.mul_(self._gain)


def _simplices(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The simplex of each point (d, N): its corner 0 and the ranks of the coordinates, int64, and barycentric weights.

    All are (d + 1, N).
    """
    dimensions, points = features.shape
    size = dimensions + 1
    elevated = features.new_empty(size, points)
    total = features.new_zeros(points)
    for j in range(dimensions, 0, -1):
        scaled = features[j - 1] * (math.sqrt(2 / 3) * size / math.sqrt(j * (j + 1)))
        elevated[j] = total - j * scaled
        total = total + scaled
    elevated[0] = total

    nearest = (elevated / size).round_().mul_(size)
    rest = elevated - nearest
    rank = torch.zeros_like(elevated, dtype=torch.long)
    for i in range(size):
        for j in range(i):
            is_less = rest[j] < rest[i]
            rank[j] += is_less
            rank[i] += ~is_less
    # Coordinates that were rounded too far go back, until all sum to zero.
    rank += (nearest.sum(0) / size).round_().long()
    move = size * ((rank < 0).long() - (rank >= size).long())
    rank += move
    nearest += move

    offsets = torch.empty_like(elevated).scatter_(0, rank, (elevated - nearest) / size).flip(0)
    weights = offsets.diff(dim=0, prepend=offsets[-1:] - 1)
    return nearest.long(), rank, weights


def _blur(names: Tensor, distance: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """For each vertex itself and its two neighbours in a direction, (M, 3), and their weights: 1, 1/2, 1/2, 0 for none."""
    wanted = names + distance
    found = torch.searchsorted(names, wanted).clamp_(max=len(names) - 1)
    here = (names[found] == wanted).nonzero()[:, 0]
    there = found[here]
    rows = torch.arange(len(names), dtype=torch.int32, device=names.device)[:, None].repeat(1, 3)
    weights = torch.zeros(len(names), 3, dtype=dtype, device=names.device)
    weights[:, 0] = 1
    for column, own, other in ((1, here, there), (2, there, here)):
        rows[own, column] = other.int()
        weights[own, column] = 0.5
    return rows, weights
