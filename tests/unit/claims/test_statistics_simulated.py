"""The intervals hold the truth as often as they say, in short: `python -m benchmarks.statistics` does the same at length."""

from __future__ import annotations

import pytest
from scipy import stats

from benchmarks.statistics import REGIMES, simulate

SIMULATIONS = 200


@pytest.mark.parametrize(("regime", "seeds"), [("seeds dominate", 3), ("mixed", 3), ("images dominate", 5)])
def test_intervals_cover_and_false_claims_are_not_supported(regime: str, seeds: int) -> None:
    found = simulate(REGIMES[regime], seeds, SIMULATIONS)
    # What a share of 93 % (5 %) would stay above (below) 999 times of 1000.
    fewest = stats.binom.ppf(0.001, SIMULATIONS, 0.93) / SIMULATIONS
    most = stats.binom.ppf(0.999, SIMULATIONS, 0.05) / SIMULATIONS
    assert min(found.difference, found.between, found.single) >= fewest
    assert max(found.false_difference, found.false_equivalence, found.false_any) <= most
