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
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from parsenet_cli.claims.cells import CellScores, Floats

LEVEL = 0.05
"""The chance of a wrong verdict that is accepted; intervals are of 1 - LEVEL."""

Term = tuple[float, CellScores]
"""A cell and its weight in a contrast."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval over seeds and images, in percent points."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


@dataclass(frozen=True)
class Estimate:
    """A contrast in percent points.

    Attributes:
        exact: Why there is no variance: the same run on both sides, or collapses that are all alike.
    """

    value: float
    variance: float
    df: float
    exact: str = ""

    def interval(self) -> Interval:
        """The 95 % interval."""
        half = float(stats.t.ppf(1 - LEVEL / 2, self.df)) * math.sqrt(self.variance) if self.variance else 0.0
        return Interval(self.value, self.value - half, self.value + half)

    def p_above_zero(self) -> float:
        """The one-sided p-value of the hypothesis that the contrast is not above zero."""
        if not self.variance:
            return 0.0 if self.value > 0 else 1.0
        return float(stats.t.sf(self.value / math.sqrt(self.variance), self.df))


@dataclass(frozen=True)
class VariancePrior:
    """What the other cells say of a cell's variance: a value that counts as much as `df` degrees of freedom.

    Attributes:
        most: The degrees of freedom that all cells have together.
    """

    variance: float
    df: float
    most: float

    def moderate(self, own: float, df: float) -> tuple[float, float]:
        """The variance to use for one of `df` degrees of freedom, and its degrees of freedom: never less than its own."""
        if np.isinf(self.df):
            return max(self.variance, own), self.most
        both = self.df + df
        moderated = (self.df * self.variance + df * own) / both
        return max(moderated, own), max(min(both, self.most), df)


NOTHING = VariancePrior(0.0, 0.0, 0.0)
"""A cell that is like no other is judged by its own seeds."""


def variance_prior(scores: Sequence[Floats], paired: bool) -> VariancePrior:
    """The distribution of variances behind some cells' scores, each (seeds,).

    `paired`: of the part of the scores that a seed does not do to all cells alike; that is what differences are made of.
    """
    if len(scores) < 2:
        return NOTHING
    table = np.stack(scores)
    cells, seeds = table.shape
    residuals = table - table.mean(axis=1, keepdims=True)
    df = float(seeds - 1)
    if paired:
        residuals = (residuals - residuals.mean(axis=0)) / np.sqrt(1 - 1 / cells)
    variances = (residuals**2).sum(axis=1) / df
    pooled, most = float(variances.mean()), df * (cells - 1 if paired else cells)
    if pooled == 0 or cells < 3:  # two paired cells have one difference: nothing to compare its variance with
        return VariancePrior(pooled, np.inf if paired or pooled == 0 else 0.0, most)
    logs = np.log(np.maximum(variances, 1e-5 * np.median(variances) + 1e-300))
    logs = logs - digamma(df / 2) + np.log(df / 2)
    width = float(logs.var(ddof=1) - polygamma(1, df / 2))
    if width <= 0:
        return VariancePrior(pooled, np.inf, most)
    half = float(brentq(lambda x: float(polygamma(1, x)) - width, 1e-6, 1e9)) if width > 1e-8 else 1e9
    return VariancePrior(float(np.exp(logs.mean() + digamma(half) - np.log(half))), 2 * half, most)


def estimate_contrast(terms: Sequence[Term], constant: float, prior: Callable[[str, bool], VariancePrior]) -> Estimate:
    """The contrast sum of weight times cell plus `constant`.

    `prior(family, paired)` is what the cells of a family say of their variances. Cells of the same runs are one cell: what
    cancels has no variance.
    """
    merged: dict[tuple[tuple[str, ...], str], Term] = {}
    for weight, cell in terms:
        key = cell.runs, cell.family.rpartition("/")[2]
        merged[key] = (weight + (merged[key][0] if key in merged else 0.0), cell)
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


def _over_seeds(kept: Sequence[Term], prior: Callable[[str, bool], VariancePrior]) -> tuple[float, float, float]:
    """Variance over seeds, its square per degree of freedom, and the part of it that single images make."""
    variance = squares = shared = 0.0
    for group in _groups(kept, lambda cell: f"{cell.family} {cell.seeds}"):
        weights = np.array([weight for weight, _ in group])
        per_seed: Floats = weights @ np.stack([cell.scores for _, cell in group])
        seeds, size = len(per_seed), float((weights**2).sum())
        own = float(per_seed.var(ddof=1))
        paired = abs(float(weights.sum())) < 1e-9
        alike = not any(any(cell.collapsed) for _, cell in group)
        expected = prior(group[0][1].family, paired) if alike else NOTHING
        standard, df = expected.moderate(own / size, seeds - 1)
        part = standard * size / seeds
        variance += part
        squares += part**2 / df
        for same in _groups(group, lambda cell: cell.images):
            moved = np.tensordot([weight for weight, _ in same], np.stack([c.influences for _, c in same]), axes=1)
            shared += _per_image(moved.shape[1]) * float(moved.var(axis=0, ddof=1).sum()) / seeds
    return variance, squares, shared


def _over_images(kept: Sequence[Term]) -> tuple[float, float]:
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


def _groups(terms: Sequence[Term], key: Callable[[CellScores], str]) -> list[list[Term]]:
    groups: dict[str, list[Term]] = {}
    for term in terms:
        groups.setdefault(key(term[1]), []).append(term)
    return list(groups.values())
