"""What docs/claims.md promises of verdicts and intervals, simulated in short; the modules in benchmarks do it at length."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks import intervals, statistics

SIMULATIONS = 200


@pytest.mark.parametrize(("regime", "seeds"), [("seeds dominate", 3), ("mixed", 3), ("images dominate", 5)])
def test_intervals_cover_and_false_claims_are_not_supported(regime: str, seeds: int) -> None:
    found = intervals.simulate(intervals.REGIMES[regime], seeds, SIMULATIONS)
    # What a share of 93 % (7 %) would stay above (below) 999 times of 1000.
    fewest = stats.binom.ppf(0.001, SIMULATIONS, 0.93) / SIMULATIONS
    most = stats.binom.ppf(0.999, SIMULATIONS, 0.07) / SIMULATIONS
    assert min(found.difference, found.between, found.single) >= fewest
    assert max(found.false_difference, found.false_equivalence) <= most


@pytest.mark.parametrize("regime", ["edge: unequal", "edge: bimodal", "measured: unequal"])
def test_at_most_one_verdict_in_twenty_is_wrong_where_seeds_go_where_they_pay(regime: str) -> None:
    found = statistics.simulate(regime, 8)
    count, wrong, error, seeds = found.spent
    assert wrong <= 5 + 2 * error
    assert found.wrong[0] <= 5 + 2 * found.wrong[1]
    assert count >= found.looks[1], "as many as with five seeds of everything"
    assert statistics.FIRST < seeds < statistics.MOST


def test_arrays_of_studies_are_judged_as_one_study_is() -> None:
    """Conditions with margins, equivalences and several comparisons, joined over arrays."""
    paper = statistics.claims()
    assert len(paper.conditions) > 45
    assert {led for node in paper.conditions if not isinstance(node, int) for _, led, _ in [node]} == {True, False}
    values = paper.weights @ paper.paper
    true = [statistics.holds(node, values) for node in paper.conditions]
    certain = np.where(values > 1e-9, 0.0, 1.0)
    support, refute = zip(*(statistics.joined(node, certain, 1 - certain) for node in paper.conditions), strict=True)
    assert [p == 0 for p in support] == true
    assert all(p == 1 for p, holds in zip(refute, true, strict=True) if holds)
