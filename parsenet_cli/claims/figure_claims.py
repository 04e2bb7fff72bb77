"""Claims that figures decide: their verdict comes from the data that `parsenet figure` kept, with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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
    kept = figures.newest_first(store, claim.figure, studies)
    if not kept:
        command = f"parsenet figure {claim.figure} --profile {test.profile}"
        raise Untestable(f"figure {claim.figure} has no data under profile {test.profile}: `{command}`")
    # A figure can be asked for in part: the newest that holds the number.
    data = next((one for one in kept if _number(one, claim) is not None), kept[0])
    if data.get("by_construction"):
        raise Untestable("the trunk was made to be so, which is no evidence: `--run SIGNATURE`, or another profile")
    if data.get("seeds") == 1:
        raise Untestable("one seed says nothing of chance: the table needs more")
    limit, scale = parse_limit(claim.holds_if), math.log if claim.log else float
    number = _number(data, claim)
    if isinstance(number, str):
        raise Untestable(f"figure {claim.figure} is n/a here: {number:.200}")
    try:
        value, low, high = (float(number[key]) for key in ("estimate", "low", "high"))
        counted = number.get("exact") is True and low == value == high
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise Untestable(
            f"the data of figure {claim.figure} does not hold this number; draw the figure again"
        ) from None
    if not -LARGEST < low <= value <= high < LARGEST or (claim.log and low <= 0) or (low == high and not counted):
        raise Untestable(f"figure {claim.figure} has no interval: it needs more than one image or round")
    if limit.sign == "==" and not counted:
        raise Untestable("what is not counted is never equal to a limit")
    # The data keeps an interval, not its errors image by image: its half width is 1.96 standard errors.
    error = (scale(high) - scale(low)) / (2 * float(stats.norm.ppf(0.975)))
    beyond = Estimate(scale(value) - scale(limit.limit), error**2, math.inf, exact="counted" if counted else "")
    shown = Interval(*(claim.factor * number for number in (value, low, high)))
    found = f"{shown.estimate:.4g} {claim.unit}, counted" if counted else f"{_text(shown)} {claim.unit}"
    return replace(
        test,
        measured=f"{found}, the limit is {claim.factor * limit.limit:g}",
        effect=None if claim.log else shown,
        evidence=limit_evidence(limit, beyond),
    )


def _number(data: Any, claim: FigureClaim) -> Any:
    """What stands where the claim looks; a text where that is n/a, and None where there is nothing."""
    for key in claim.value:
        if not isinstance(data, dict):
            return None
        if isinstance(reason := data.get("not_applicable"), str):
            return reason
        data = data.get(key)
    return data if isinstance(data, dict) else None


def _text(interval: Interval) -> str:
    return f"{interval.estimate:.4g} [{interval.low:.4g}, {interval.high:.4g}]"
