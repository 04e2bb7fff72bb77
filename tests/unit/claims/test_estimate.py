"""Contrasts with their intervals: by hand, paired, and where there is no variance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from parsenet_cli.claims.cells import CellScores, Floats
from parsenet_cli.claims.estimate import NOTHING, Estimate, VariancePrior, estimate_contrast, variance_prior

STILL = np.zeros((3, 50))
"""Images that move nothing."""


def cell(
    name: str,
    scores: Sequence[float],
    influences: Floats = STILL,
    *,
    collapsed: bool = False,
    family: str = "own/mean_iu",
    images: str = "these",
) -> CellScores:
    seeds = tuple(range(len(scores)))
    runs, all_alike = tuple(f"{name}-{seed}" for seed in seeds), (collapsed,) * len(seeds)
    return CellScores(runs, seeds, np.array(scores), influences, all_alike, family, images)


def difference(a: CellScores, b: CellScores, known: VariancePrior = NOTHING, constant: float = 0.0) -> Estimate:
    return estimate_contrast([(1.0, a), (-1.0, b)], constant, lambda family, paired: known)


def moved(seed: int, images: int = 50) -> Floats:
    drawn = np.random.default_rng(seed).standard_normal((3, images))
    return np.asarray(drawn - drawn.mean(axis=1, keepdims=True))


def test_without_images_and_neighbours_it_is_the_paired_t_interval() -> None:
    a, b = [70.0, 72.0, 71.0], [69.0, 69.5, 70.5]
    found, expected = difference(cell("a", a), cell("b", b)), stats.ttest_rel(a, b)
    interval = expected.confidence_interval(0.95)
    assert (found.interval().low, found.interval().high) == pytest.approx((interval.low, interval.high))
    assert found.p_above_zero() == pytest.approx(stats.ttest_rel(a, b, alternative="greater").pvalue)


def test_with_steady_seeds_only_the_images_count() -> None:
    a, b = cell("a", [70.0] * 3, np.repeat(moved(0)[:1], 3, axis=0)), cell("b", [69.0] * 3)
    found = difference(a, b)
    assert found.variance == pytest.approx(50 / 49 * (moved(0)[0] ** 2).sum())
    assert 20 < found.df <= 49


def test_seeds_and_images_add() -> None:
    images = np.repeat(moved(0)[:1], 3, axis=0)  # every image does the same to every seed
    apart = [difference(cell("a", s, i), cell("b", [70.0] * 3)) for s, i in [([69, 70, 72], STILL), ([70] * 3, images)]]
    both = difference(cell("a", [69, 70, 72], images), cell("b", [70.0] * 3))
    assert both.variance == pytest.approx(sum(one.variance for one in apart))


def test_what_an_image_does_to_one_seed_alone_counts_once() -> None:
    alone = moved(1)
    found = difference(cell("a", [70.0] * 3, alone), cell("b", [70.0] * 3))
    assert found.variance == pytest.approx(50 / 49 * (alone.mean(axis=0) ** 2).sum())
    lively = difference(cell("a", [60, 70, 80], alone), cell("b", [70.0] * 3))
    shared = 50 / 49 * alone.var(axis=0, ddof=1).sum() / 3
    assert lively.variance == pytest.approx(100 / 3 - shared + found.variance)


def test_what_a_seed_or_an_image_does_to_both_cells_changes_nothing() -> None:
    scores, images = ([70.0, 72.0, 71.0], [69.0, 69.5, 70.5]), (moved(0), moved(1))
    by_seed, by_image = np.array([5.0, -3.0, 9.0]), 4 * moved(2)[0]
    a, b = (cell(name, s, i) for name, s, i in zip("ab", scores, images, strict=True))
    plain = difference(a, b)
    a, b = (
        cell(name, list(np.array(s) + by_seed), i + by_image) for name, s, i in zip("ab", scores, images, strict=True)
    )
    shifted = difference(a, b)
    assert shifted.interval().low == pytest.approx(plain.interval().low)
    assert shifted.interval().high == pytest.approx(plain.interval().high)


def test_other_images_are_independent() -> None:
    a, b = moved(0), moved(0)
    here = difference(cell("a", [70.0] * 3, a), cell("b", [70.0] * 3, b))
    elsewhere = difference(cell("a", [70.0] * 3, a), cell("b", [70.0] * 3, b, images="others"))
    assert here.variance == 0.0
    assert elsewhere.variance == pytest.approx(2 * 50 / 49 * (a.mean(axis=0) ** 2).sum())


def test_the_same_run_differs_by_exactly_nothing() -> None:
    found = difference(
        cell("a", [70.0, 72.0, 71.0], moved(0)), cell("a", [70.0, 72.0, 71.0], moved(0), family="t/mean_iu")
    )
    assert (found.value, found.variance) == (0.0, 0.0)
    assert "same run" in found.exact
    assert (found.interval().low, found.interval().high) == (0.0, 0.0)


def test_no_variance_at_all_is_no_division_by_zero() -> None:
    found = difference(cell("a", [70.0] * 3), cell("b", [69.0] * 3))
    assert (found.variance, found.exact) == (0.0, "")
    collapsed = difference(cell("a", [3.0] * 3, collapsed=True), cell("b", [3.0] * 3, collapsed=True))
    assert "collapsed to the same" in collapsed.exact


def test_a_collapsed_cell_is_judged_by_its_own_seeds() -> None:
    known = VariancePrior(variance=0.01, df=math.inf, most=20.0)
    a, b = [70.0, 72.0, 71.0], [69.0, 69.5, 70.5]
    alone = difference(cell("a", a), cell("b", b, collapsed=True), known)
    assert alone.df == pytest.approx(2)


def test_variances_that_agree_are_pooled_and_others_are_not() -> None:
    random = np.random.default_rng(3)
    alike = variance_prior(list(random.standard_normal((40, 5))), paired=True)
    assert alike.variance == pytest.approx(1.0, rel=0.25)
    assert alike.df > 15
    unlike = variance_prior(list(random.standard_normal((40, 5)) * np.geomspace(0.01, 10, 40)[:, None]), paired=False)
    assert unlike.df < 3


def test_two_cells_have_one_difference() -> None:
    scores = [np.array([70.0, 72.0, 71.0]), np.array([69.0, 69.5, 70.5])]
    known = variance_prior(scores, paired=True)
    assert known.variance == pytest.approx((scores[0] - scores[1]).var(ddof=1) / 2)
    assert known.moderate(known.variance, 2.0) == pytest.approx((known.variance, 2.0))


def test_a_variance_is_never_less_than_its_own_seeds_show() -> None:
    for known in (NOTHING, VariancePrior(1.0, 5.0, 10.0), VariancePrior(1.0, math.inf, 10.0)):
        assert known.moderate(4.0, 2.0)[0] == pytest.approx(4.0)


@pytest.mark.parametrize("count", [0, 1])
def test_a_cell_without_neighbours_stands_alone(count: int) -> None:
    assert variance_prior([np.array([1.0, 2.0, 3.0])] * count, paired=True) == NOTHING


def test_cells_that_never_vary_are_no_division_by_zero() -> None:
    known = variance_prior([np.full(3, 70.0)] * 4, paired=False)
    assert known.moderate(0.5, 2.0)[0] == 0.5
