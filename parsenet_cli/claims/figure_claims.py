"""Claims that figures decide: their verdict comes from the data that `parsenet figure` kept, with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from scipy import stats

from parsenet_cli.claims.cells import Untestable
from parsenet_cli.claims.decide import ClaimTest, attempt, limit_evidence
from parsenet_cli.claims.estimate import Estimate, Interval
from parsenet_cli.config import table_file
from parsenet_cli.config.expression import parse_limit
from parsenet_cli.config.table import FigureClaim
from parsenet_cli.store import figures
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study

LARGEST = 1e100
"""No figure measures anything of that size, and its square is still a number."""


def claim_tests(store: Store, studies: Sequence[Study]) -> list[ClaimTest]:
    """Every claim that figures decide, by the newest data of each figure that belongs to these studies of one profile."""
    return [
        attempt(ClaimTest(claim, claim.figure, studies[0].profile), _examine, claim, store, studies)
        for claim in table_file.figure_claims()
    ]


def _examine(test: ClaimTest, claim: FigureClaim, store: Store, studies: Sequence[Study]) -> ClaimTest:
    data = figures.newest(store, claim.figure, studies)
    if data is None:
        command = f"parsenet figure {claim.figure} --profile {test.profile}"
        raise Untestable(f"figure {claim.figure} has no data under profile {test.profile}: `{command}`")
    if data.get("by_construction"):
        raise Untestable("the trunk was made to be so, which is no evidence: `--run SIGNATURE`, or another profile")
    if data.get("seeds") == 1:
        raise Untestable("one seed says nothing of chance: the table needs more")
    try:
        number = reduce(lambda inner, key: inner[key], claim.value, data)
        value, low, high = (float(number[key]) for key in ("estimate", "low", "high"))
    except (KeyError, TypeError, ValueError, OverflowError, IndexError):
        raise Untestable(
            f"the data of figure {claim.figure} does not hold this number; draw the figure again"
        ) from None
    if not -LARGEST < low <= value <= high < LARGEST or (claim.log and low <= 0) or low == high:
        raise Untestable(f"figure {claim.figure} has no interval: it needs more than one image")
    limit, scale = parse_limit(claim.holds_if), math.log if claim.log else float
    # The data keeps an interval, not its errors image by image: its half width is 1.96 standard errors.
    error = (scale(high) - scale(low)) / (2 * float(stats.norm.ppf(0.975)))
    beyond = Estimate(scale(value) - scale(limit.limit), error**2, math.inf)
    shown = Interval(*(claim.factor * number for number in (value, low, high)))
    return replace(
        test,
        measured=f"{shown.estimate:.3g} [{shown.low:.3g}, {shown.high:.3g}] {claim.unit}, "
        f"the limit is {claim.factor * limit.limit:g}",
        effect=None if claim.log else shown,
        evidence=limit_evidence(limit, beyond),
    )
