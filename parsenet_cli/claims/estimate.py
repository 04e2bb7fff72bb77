"""A contrast of cells with its variance over seeds and over images, which are crossed: every seed sees every image.

The two variances add. What an image does to one seed alone is in both and is taken off once. The interval is Student's,
with the degrees of freedom of Satterthwaite; docs/claims.md says how it was checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from parsenet_cli.claims.interval import Interval
from parsenet_cli.claims.measured import Cell
from parsenet_cli.claims.spread import NOTHING, Floats, Prior

LEVEL = 0.05


@dataclass(frozen=True)
class Estimate:
    """A contrast in percent points."""

    value: float
    variance: float
    freedom: float
    exact: str = ""
    """Why there is no variance: the same run on both sides, or collapses that are all alike."""

    def interval(self) -> Interval:
        """The 95 % interval."""
        half = float(stats.t.ppf(1 - LEVEL / 2, self.freedom)) * math.sqrt(self.variance) if self.variance else 0.0
        return Interval(self.value, self.value - half, self.value + half)

    def p_above_zero(self) -> float:
        """The one-sided p-value of the hypothesis that the contrast is not above zero."""
        if not self.variance:
            return 0.0 if self.value > 0 else 1.0
        return float(stats.t.sf(self.value / math.sqrt(self.variance), self.freedom))


def estimate(terms: Sequence[tuple[float, Cell]], constant: float, prior: Callable[[str, bool], Prior]) -> Estimate:
    """The contrast sum of weight times cell plus `constant`.

    `prior(pool, paired)` is what the cells of a pool say of their variances. Cells of the same runs are one cell: what
    cancels has no variance.
    """
    merged: dict[tuple[tuple[str, ...], str], tuple[float, Cell]] = {}
    for weight, cell in terms:
        key = cell.runs, cell.pool.rpartition("/")[2]
        before = merged[key][0] if key in merged else 0.0
        merged[key] = (before + weight, cell)
    kept = [(weight, cell) for weight, cell in merged.values() if weight]
    value = constant + sum(weight * float(cell.scores.mean()) for weight, cell in kept)
    if not kept:
        return Estimate(value, 0.0, math.inf, exact="it is the same run on both sides")
    seeds, squares, shared = _over_seeds(kept, prior)
    images, more = _over_images(kept)
    variance = images + max(0.0, seeds - shared)
    if variance == 0.0:
        identical = all(all(cell.collapsed) for _, cell in kept)
        return Estimate(value, 0.0, math.inf, exact="every run collapsed to the same" if identical else "")
    return Estimate(value, variance, variance**2 / (squares + more))


def _over_seeds(kept: Sequence[tuple[float, Cell]], prior: Callable[[str, bool], Prior]) -> tuple[float, float, float]:
    """Variance over seeds, its square per degree of freedom, and the part of it that single images make."""
    variance = squares = shared = 0.0
    for group in _groups(kept, lambda cell: f"{cell.pool} {cell.seeds}"):
        weights = np.array([weight for weight, _ in group])
        per_seed: Floats = weights @ np.stack([cell.scores for _, cell in group])
        seeds, size = len(per_seed), float((weights**2).sum())
        own = float(per_seed.var(ddof=1))
        paired = abs(float(weights.sum())) < 1e-9
        alike = not any(any(cell.collapsed) for _, cell in group)
        expected = prior(group[0][1].pool, paired) if alike else NOTHING
        standard, freedom = expected.moderate(own / size, seeds - 1)
        part = standard * size / seeds
        variance += part
        squares += part**2 / freedom
        for same in _groups(group, lambda cell: cell.images):
            moved = np.tensordot([weight for weight, _ in same], np.stack([c.influences for _, c in same]), axes=1)
            shared += _per_image(moved.shape[1]) * float(moved.var(axis=0, ddof=1).sum()) / seeds
    return variance, squares, shared


def _over_images(kept: Sequence[tuple[float, Cell]]) -> tuple[float, float]:
    """Variance over images of the mean over seeds, and its square per degree of freedom."""
    variance = squares = 0.0
    for group in _groups(kept, lambda cell: cell.images):
        moved: Floats = sum((weight * cell.influences.mean(axis=0) for weight, cell in group), np.zeros(1))
        total = float((moved**2).sum())
        if total == 0.0:
            continue
        part = _per_image(len(moved)) * total
        # Few images may carry most of the variance: as many degrees of freedom as its fourth moment leaves.
        peaked = float((moved**4).sum()) / total**2 - 1 / len(moved)
        variance += part
        squares += part**2 / max(1.0, min(len(moved) - 1.0, 2 / peaked if peaked > 0 else math.inf))
    return variance, squares


def _per_image(images: int) -> float:
    return images / max(images - 1, 1)


def _groups(terms: Sequence[tuple[float, Cell]], key: Callable[[Cell], str]) -> list[list[tuple[float, Cell]]]:
    found: dict[str, list[tuple[float, Cell]]] = {}
    for term in terms:
        found.setdefault(key(term[1]), []).append(term)
    return list(found.values())
