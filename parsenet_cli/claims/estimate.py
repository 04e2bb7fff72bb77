"""A contrast of cells with its variance over seeds and over images, which are crossed: every seed sees every image.

The two variances add. What an image does to one seed alone is in both and is taken off once. The variance over seeds is the
contrast's own, moderated by that of the cells on the same images; docs/claims.md says why and how it was checked. The
functions on arrays take any leading axes, so that benchmarks/statistics.py simulates with what judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from parsenet_cli.claims.cells import CellScores, Floats

LEVEL = 0.05
"""The share of wrong verdicts that is accepted; intervals are of 1 - LEVEL."""

WEIGHT = 4.0
"""Degrees of freedom that the variance of the other cells counts for."""

GAP = 0.8
"""Of five runs, one or two lie apart from the others by this share of the whole range in 1 of 100 normal cells."""

Number = float | Floats
"""A number, or one for each of many contrasts."""

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
class Noise:
    """What the variance of a contrast is made of, in squared percent points: more seeds lower a part of it.

    Attributes:
        seeds: How many it was measured with.
        images: The variance over images.
        shared: What an image does to one seed alone, for one seed: it is in `images` too.
        seed: The variance over seeds of one seed's contrast, by its own seeds alone, and its degrees of freedom: simulated,
            chances by it came true most nearly, and it cost the fewest seeds.
        df: Those.
        expected: The same by the other cells alone.
        by_cell: The share of each cell, by its runs, in the variance over seeds.
    """

    seeds: Number
    images: Number
    shared: Number
    seed: Number
    df: Number
    expected: Number
    by_cell: tuple[tuple[tuple[str, ...], float], ...] = ()


@dataclass(frozen=True)
class Estimate:
    """A contrast in percent points.

    Attributes:
        exact: Why there is no chance in it: the same run on both sides, or that it was counted.
        noise: None where there is no variance, or where it is no contrast of cells.
    """

    value: float
    variance: float
    df: float
    exact: str = ""
    noise: Noise | None = None

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.variance)

    def interval(self) -> Interval:
        """The 95 % interval."""
        half = float(stats.t.ppf(1 - LEVEL / 2, self.df)) * self.error if self.variance else 0.0
        return Interval(self.value, self.value - half, self.value + half)

    def as_data(self) -> dict[str, float]:
        """What a figure keeps of it, for claims to be judged by."""
        interval = self.interval()
        kept = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
        return {**kept, "error": self.error, "freedom": self.df} if self.variance else kept

    def p_above_zero(self) -> float:
        """The one-sided p-value of the hypothesis that the contrast is not above zero."""
        if not self.variance:
            return 0.0 if self.value > 0 else 1.0
        return float(stats.t.sf(self.value / self.error, self.df))


@dataclass(frozen=True)
class Pool:
    """What cells on the same images and metric say of the variance over seeds, by the seeds of the first look.

    Attributes:
        data: The mean variance of all of them.
        cells: Their number.
        table: The mean variance of those that belong to the claim's table.
        df: The degrees of freedom of that.
    """

    data: float
    cells: int
    table: float = 0.0
    df: float = 0.0

    def expected(self, strict: bool) -> float:
        """The table's variance drawn to the data's; `strict`: the data's alone."""
        return self.data if strict else float(drawn(self.data, self.table, self.df))


def mean_variance(scores: Floats, paired: bool) -> Floats:
    """The arithmetic mean over cells of their variances over seeds, of scores (…, cells, seeds).

    `paired`: of the part of the scores that a seed does not do to all cells alike; that is what differences are made of. The
    mean is arithmetic because failures are rare: the mean logarithm would take the cells that had none for steady.
    """
    cells, seeds = scores.shape[-2:]
    residuals = scores - scores.mean(axis=-1, keepdims=True)
    if paired and cells > 1:
        residuals = (residuals - residuals.mean(axis=-2, keepdims=True)) / math.sqrt(1 - 1 / cells)
    return np.asarray((residuals**2).sum(axis=-1).mean(axis=-1) / (seeds - 1))


def drawn(data: Number, table: Number, df: Number) -> Number:
    """A table's variance of so many degrees of freedom, drawn to the data's."""
    return (WEIGHT * data + df * table) / (WEIGHT + df)


def moderated(own: Number, df: float, expected: Number, cells: int) -> tuple[Floats, float]:
    """The variance to use for one of `df` degrees of freedom, and its own: never less than its own seeds show."""
    both = np.maximum(own, (WEIGHT * expected + df * own) / (WEIGHT + df))
    return both, min(WEIGHT + df, df * max(1, cells - 1))


def has_failing_runs(scores: Floats) -> Floats:
    """Whether of the first five runs one or two lie far below the others, of scores (…, seeds)."""
    gaps = np.diff(np.sort(scores[..., :5], axis=-1), axis=-1)
    spread = gaps.sum(axis=-1)
    return np.asarray((scores.shape[-1] >= 5) & (gaps[..., :2].max(axis=-1) > GAP * spread) & (spread > 0))


def estimate_contrast(
    terms: Sequence[Term], constant: float, pool: Callable[[Sequence[Term], bool], Pool | None]
) -> Estimate:
    """The contrast sum of weight times cell plus `constant`; all cells have the same number of seeds.

    `pool(group, paired)` is what the cells beside a group on the same images say of their variance; None where there are
    none. Cells of the same runs are one cell: what cancels has no variance.
    """
    merged: dict[tuple[tuple[str, ...], str], Term] = {}
    for weight, cell in terms:
        key = cell.runs, cell.metric
        merged[key] = (weight + (merged[key][0] if key in merged else 0.0), cell)
    kept = [(weight, cell) for weight, cell in merged.values() if abs(weight) > 1e-9]
    value = constant + sum(weight * float(cell.scores.mean()) for weight, cell in kept)
    if not kept:
        return Estimate(value, 0.0, math.inf, exact="it is the same run on both sides")
    strict = any(bool(has_failing_runs(cell.scores)) for _, cell in kept)
    over = [
        _over_seeds(group, pool, strict) for group in _groups(kept, lambda cell: (cell.images, cell.metric, cell.seeds))
    ]
    images, image_squares = _over_images(kept)
    shared = sum(part.shared for part in over)
    variance = images + max(0.0, sum(part.variance for part in over) - shared)
    if variance == 0.0:
        return Estimate(value, 0.0, math.inf)
    seeds = len(kept[0][1].scores)
    own = sum(part.own for part in over)
    squares = sum(part.own**2 for part in over) / (seeds - 1)
    noise = Noise(
        seeds=seeds,
        images=images,
        shared=seeds * shared,
        seed=own,
        df=own**2 / squares if squares else seeds - 1.0,
        expected=sum(part.expected for part in over),
        by_cell=_by_cell(kept),
    )
    df = variance**2 / (sum(part.variance**2 / part.df for part in over) + image_squares)
    return Estimate(value, variance, df, noise=noise)


@dataclass(frozen=True)
class _OverSeeds:
    """Of one group of cells: the variance of the mean over seeds with its degrees of freedom, the part of it that single images
    make, and of one seed's contrast the variance that the other cells let expect, and its own."""

    variance: float
    df: float
    shared: float
    expected: float
    own: float


def _over_seeds(group: Sequence[Term], pool: Callable[[Sequence[Term], bool], Pool | None], strict: bool) -> _OverSeeds:
    weights = np.array([weight for weight, _ in group])
    per_seed: Floats = weights @ np.stack([cell.scores for _, cell in group])
    seeds, size = len(per_seed), float((weights**2).sum())
    own, df = float(per_seed.var(ddof=1)) / size, float(seeds - 1)
    known = pool(group, abs(float(weights.sum())) < 1e-9)
    standard, standard_df, expected = own, df, own
    if known is not None:
        expected = known.expected(strict)
        moderate, standard_df = moderated(own, df, expected, known.cells)
        standard = float(moderate)
    moved = np.tensordot(weights, np.stack([cell.influences for _, cell in group]), axes=1)
    shared = _per_image(moved.shape[1]) * float(moved.var(axis=0, ddof=1).sum()) / seeds
    return _OverSeeds(standard * size / seeds, standard_df, shared, expected * size, own * size)


def _over_images(kept: Sequence[Term]) -> tuple[float, float]:
    """Variance over images of the mean over seeds, and its square per degree of freedom."""
    variance = squares = 0.0
    for group in _groups(kept, lambda cell: (cell.images,)):
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


def _by_cell(kept: Sequence[Term]) -> tuple[tuple[tuple[str, ...], float], ...]:
    parts = [weight**2 * float(cell.scores.var(ddof=1)) for weight, cell in kept]
    total = sum(parts)
    return tuple((cell.runs, part / total) for (_, cell), part in zip(kept, parts, strict=True)) if total else ()


def _per_image(images: int) -> float:
    return images / max(images - 1, 1)


def _groups(terms: Sequence[Term], key: Callable[[CellScores], tuple[object, ...]]) -> list[list[Term]]:
    groups: dict[tuple[object, ...], list[Term]] = {}
    for term in terms:
        groups.setdefault(key(term[1]), []).append(term)
    return list(groups.values())
