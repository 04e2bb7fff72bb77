"""Contrasts with their intervals: by hand, paired, and where there is no variance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from parsenet_cli.claims.cells import CellScores, Floats
from parsenet_cli.claims.estimate import (
    Estimate,
    Pool,
    drawn,
    estimate_contrast,
    has_failing_runs,
    mean_variance,
    moderated,
)

STILL = np.zeros((3, 50))
"""Images that move nothing."""


def cell(
    name: str,
    scores: Sequence[float],
    influences: Floats = STILL,
    *,
    images: str = "these",
) -> CellScores:
    seeds = tuple(range(len(scores)))
    runs = tuple(f"{name}-{seed}" for seed in seeds)
    return CellScores(runs, seeds, np.array(scores), influences, "mean_iu", images)


def difference(a: CellScores, b: CellScores, known: Pool | None = None, constant: float = 0.0) -> Estimate:
    return estimate_contrast([(1.0, a), (-1.0, b)], constant, lambda group, paired: known)


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
    found = difference(cell("a", [70.0, 72.0, 71.0], moved(0)), cell("a", [70.0, 72.0, 71.0], moved(0)))
    assert (found.value, found.variance) == (0.0, 0.0)
    assert "same run" in found.exact
    assert (found.interval().low, found.interval().high) == (0.0, 0.0)


def test_no_variance_at_all_is_no_division_by_zero() -> None:
    found = difference(cell("a", [70.0] * 3), cell("b", [69.0] * 3))
    assert (found.variance, found.exact) == (0.0, "")
    known = difference(cell("a", [70.0] * 3), cell("b", [69.0] * 3), Pool(2.0, cells=6))
    assert known.variance > 0, "the cells beside it vary"


# --- moderated variances ------------------------------------------------------------------------------------------------------

SCORES = np.array([[10, 12, 11], [20, 21, 25], [15, 15.5, 14], [30, 24, 36], [5, 5.2, 4.9], [8, 9, 8.5]])
"""Six cells on the same images; 0, 1, 2 and 4 are those of the table."""


def test_variances_of_the_data_and_of_the_table_by_hand() -> None:
    data, table = mean_variance(SCORES, paired=True), mean_variance(SCORES[[0, 1, 2, 4]], paired=True)
    assert [float(data), float(table)] == pytest.approx([7.343889, 2.325278], abs=1e-6)
    alone = difference(cell("1", SCORES[1]), cell("0", SCORES[0]), Pool(float(data), cells=6))
    assert alone.variance == pytest.approx(2 / 3 * 6.062593, abs=1e-6)
    assert [alone.df, alone.value / alone.error] == pytest.approx([6, 5.471534], abs=1e-6)
    assert alone.p_above_zero() == pytest.approx(0.000778, abs=1e-6)
    assert drawn(data, table, 6.0) == pytest.approx(4.332722, abs=1e-6)
    both = difference(cell("1", SCORES[1]), cell("0", SCORES[0]), Pool(float(data), 6, float(table), 6.0))
    assert both.variance == pytest.approx(2 / 3 * 4.055148, abs=1e-6)
    assert [both.df, both.value / both.error] == pytest.approx([6, 6.690136], abs=1e-6)
    assert both.p_above_zero() == pytest.approx(0.000270, abs=1e-6)


def test_rare_failures_count_in_the_mean_of_variances_in_full() -> None:
    """The geometric mean took the cells that had none for the rule."""
    random = np.random.default_rng(0)
    scores = random.standard_normal((20, 3))
    scores[0, 0] -= 15
    steady, failing = float(mean_variance(scores[1:], False)), float(mean_variance(scores, False))
    assert failing > 3 * steady


def test_a_variance_is_never_less_than_its_own_seeds_show() -> None:
    for expected in (0.0, 1.0, 4.0):
        assert float(moderated(4.0, 2.0, expected, cells=6)[0]) == pytest.approx(4.0)
    assert float(moderated(4.0, 2.0, 10.0, cells=6)[0]) == pytest.approx((4 * 10 + 2 * 4) / 6)
    assert [moderated(1.0, 2.0, 1.0, cells)[1] for cells in (1, 2, 3, 9)] == [2, 2, 4, 6]


def test_degrees_of_freedom_do_not_grow_with_the_number_of_cells() -> None:
    """They did without end, and a p-value of 5 % that was right was one of 0.1 % that was not."""
    found = difference(cell("a", SCORES[1]), cell("b", SCORES[0]), Pool(7.0, cells=1000))
    assert found.df <= 6 + 1e-9


def test_a_run_that_lies_far_below_the_others_is_a_failing_one() -> None:
    rows = {
        "one of five": ([70, 71, 70.5, 55, 71.2], True),
        "two of five": ([70, 71, 54, 55, 71.2], True),
        "three of five": ([70, 54, 54, 55, 71.2], False),
        "one far above": ([70, 71, 70.5, 85, 71.2], False),
        "even": ([70, 71, 72, 73, 74], False),
        "four seeds": ([70, 71, 70.5, 55], False),
        "the sixth": ([70, 71, 72, 73, 74, 20], False),
        "all alike": ([70, 70, 70, 70, 70], False),
    }
    found = {name: bool(has_failing_runs(np.array(scores, float))) for name, (scores, _) in rows.items()}
    assert found == {name: failing for name, (_, failing) in rows.items()}
    normal = np.random.default_rng(0).standard_normal((20_000, 5))
    assert 0.005 < has_failing_runs(normal).mean() < 0.015


def test_cells_with_failing_runs_are_judged_by_the_variance_of_all_the_data() -> None:
    still = np.zeros((5, 50))
    steady, failing = cell("a", [69.0, 69.5, 70.5, 70, 70.2], still), cell("b", [50, 72.0, 71.0, 71.5, 72.4], still)
    pool = Pool(data=200.0, cells=9, table=0.1, df=8.0)
    drawn_to, strict = (
        difference(steady, cell("c", [70.0, 72, 71, 71, 70], still), pool),
        difference(steady, failing, pool),
    )
    assert drawn_to.noise is not None
    assert strict.noise is not None
    assert drawn_to.noise.expected == pytest.approx(2 * (4 * 200 + 8 * 0.1) / 12)
    assert strict.noise.expected == pytest.approx(2 * 200)


def test_the_cell_that_varies_most_is_named() -> None:
    found = difference(cell("a", [70.0, 72.0, 71.0]), cell("b", [60.0, 70.0, 80.0]))
    assert found.noise is not None
    shares = {runs[0]: share for runs, share in found.noise.by_cell}
    assert shares == {"a-0": pytest.approx(1 / 101), "b-0": pytest.approx(100 / 101)}
