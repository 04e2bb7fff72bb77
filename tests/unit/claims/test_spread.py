"""Spreads over seeds: the F-test of two pooled variances, by hand and by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from parsenet_cli.claims.cells import CellScores
from parsenet_cli.claims.judge import judge_studies
from parsenet_cli.claims.spread import Pool, SpreadCell, pooled, spread_ratio
from parsenet_cli.claims.verdict import Verdict
from parsenet_cli.store.run import Store
from tests.claim_store import claim, measured, table_of, write_run


def cell(name: str, scores: Sequence[float]) -> SpreadCell:
    found = np.array(scores, dtype=float)
    runs = tuple(f"{name}-{seed}" for seed in range(len(found)))
    return SpreadCell(name, CellScores(runs, tuple(range(len(found))), found, found[:, None], "iu", "i"), 0)


def test_the_test_is_that_of_two_variances_by_hand() -> None:
    pool = pooled([np.array([1.0, 2.0, 3.0]), np.array([10.0, 14.0])])
    assert pool == Pool(variance=(2 + 8) / 3, df=3)  # squares about each mean; 2 + 1 degrees of freedom
    narrow, wide = cell("narrow", [0, 1, 0, 1, 0.5]), cell("wide", [0, 4, 0, 4, 2])
    ratio = spread_ratio([narrow], [wide])
    assert (ratio.less, ratio.more) == (Pool(0.25, 4), Pool(4.0, 4))
    # F(4, 4) above x: (1 + 3x) / (1 + x)^3, from its beta distribution.
    expected = (1 + 3 * 16) / 17**3
    assert ratio.evidence().support == pytest.approx(expected)
    assert ratio.evidence().refute == pytest.approx(1 - expected)
    assert spread_ratio([wide], [narrow]).evidence().support == pytest.approx(1 - expected)
    reach = math.sqrt(stats.f.ppf(0.975, 4, 4))
    assert str(ratio) == f"the spread is 0.50 against 2.00 points, 0.25 [{0.25 / reach:.2f}, {0.25 * reach:.2f}] times"


def test_runs_that_two_cells_share_count_once() -> None:
    narrow, twin, wide = cell("narrow", [0, 1, 0, 1, 0.5]), cell("narrow", [0, 1, 0, 1, 0.5]), cell("wide", range(5))
    assert spread_ratio([narrow, twin], [wide]) == spread_ratio([narrow], [wide])


@pytest.mark.parametrize(("cells", "others"), [(1, 1), (3, 3), (2, 3)])
def test_p_values_are_uniform_where_the_spreads_are_equal_and_the_interval_holds_the_ratio(
    cells: int, others: int
) -> None:
    random, seeds, simulations = np.random.default_rng(7), 5, 2000
    p_values, ratios = [], []
    for _ in range(simulations):
        means = random.normal(50, 10, size=(cells + others, 1))  # each cell has its own
        drawn = means + random.normal(size=(cells + others, seeds))
        named = [cell(str(index), scores) for index, scores in enumerate(drawn)]
        ratio = spread_ratio(named[:cells], named[cells:])
        p_values.append(ratio.evidence().support)
        ratios.append(ratio.more.variance / ratio.less.variance)
    df = (4 * others, 4 * cells)
    assert stats.kstest(p_values, "uniform").pvalue > 0.001
    assert stats.kstest(ratios, stats.f(*df).cdf).pvalue > 0.001
    assert stats.kstest(ratios, stats.f(df[0] + others, df[1] + cells).cdf).pvalue < 0.05  # means are paid for


ROWS = ("one", "two", "three", "four")
HOLDS = "spread(one.iu, two.iu) < spread(three.iu, four.iu)"


def verdict(
    store: Store, noise: float, seeds: int = 5, collapsed: Sequence[int] = (), holds_if: str = HOLDS
) -> Verdict:
    """On a table whose rows `three` and `four` have this noise, and the other two 0.002."""
    quality, numbers = dict.fromkeys(ROWS, 0.7), range(seeds)
    study = measured(
        store, table_of(ROWS, claim(holds_if)), quality, numbers, noise=0.002, collapsed={"two": collapsed}
    )
    for row in ("three", "four"):
        for seed in numbers:
            write_run(store, f"own-{row}-iu-{seed}", 0.7, seed, noise)
    (found,) = judge_studies([study], store, figures=False)
    return found


@pytest.mark.parametrize(("noise", "outcome"), [(0.05, "supported"), (0.0001, "refuted"), (0.002, "undecided")])
def test_spreads_of_runs_are_judged_both_ways(store: Store, noise: float, outcome: str) -> None:
    found = verdict(store, noise)
    assert found.outcome == outcome, found.why
    assert found.why.startswith("5 seeds: the spread is ")
    assert "times; p" in found.why
    assert found.effect is None
    assert found.q is not None


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"seeds": 4}, "a spread over seeds needs 5 of them, and one.iu has 3: `--seeds 5`."),
        ({"collapsed": [1, 3]}, "two.iu collapsed with 2 of 5 seeds: how far a collapse lies from the other"),
        ({"holds_if": "spread(one.iu, two.iu) < spread(two.iu, three.iu)"}, "the same runs stand on both sides."),
        ({"holds_if": "spread(one.iu) < spread(five.iu)"}, "own has no cell five.iu."),
    ],
)
def test_a_spread_that_says_nothing_is_undecided(store: Store, how: dict[str, object], reason: str) -> None:
    found = verdict(store, 0.05, **how)  # type: ignore[arg-type]
    assert (found.outcome, found.q) == ("undecided", None)
    assert reason in found.why
