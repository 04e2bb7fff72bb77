"""Claims that figures decide: their verdict comes from the data that `parsenet figure` kept, with its error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from parsenet_cli.claims.cells import Untestable
from parsenet_cli.claims.estimate import LEVEL, Estimate, Interval
from parsenet_cli.claims.looks import Evidence, Look, limit_evidence
from parsenet_cli.claims.table_claims import stated
from parsenet_cli.claims.verdict import Verdict
from parsenet_cli.config import table_file
from parsenet_cli.config.expression import parse_limit
from parsenet_cli.config.table import FigureClaim
from parsenet_cli.store import figures
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study

LARGEST = 1e100
"""No figure measures anything of that size, and its square is still a number."""


def verdicts(store: Store, studies: Sequence[Study], family: str) -> list[Verdict]:
    """Every claim that figures decide, by the newest data of each figure that belongs to these studies of one profile."""
    found = []
    for claim in table_file.figure_claims():
        verdict = stated(claim, claim.figure, studies[0].profile, family)
        try:
            found.append(_examined(verdict, claim, store, studies))
        except Untestable as reason:
            found.append(replace(verdict, why=f"{reason}."))
    return found


def _examined(verdict: Verdict, claim: FigureClaim, store: Store, studies: Sequence[Study]) -> Verdict:
    kept = figures.newest_first(store, claim.figure, studies)
    if not kept:
        command = f"parsenet figure {claim.figure} --profile {verdict.profile}"
        raise Untestable(f"figure {claim.figure} has no data under profile {verdict.profile}: `{command}`")
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
    shown = Interval(*(claim.factor * number for number in (value, low, high)))
    text = f"the limit is {claim.factor * limit.limit:g}"
    if counted:
        evidence = limit_evidence(limit, Estimate(scale(value) - scale(limit.limit), 0.0, math.inf, exact="counted"))
        return replace(
            verdict,
            outcome="supported" if evidence.support == 0 else "refuted",
            fact="counted",
            effect=None if claim.log else shown,
            why=f"{shown.estimate:.4g} {claim.unit}, counted, {text}.",
        )
    error, df = number.get("error"), number.get("freedom")
    if _is_number(error) and _is_number(df) and 0 < error < LARGEST and df >= 1:
        beyond = Estimate(scale(value) - scale(limit.limit), float(error) ** 2, float(df))
        evidence = limit_evidence(limit, beyond)
    else:  # an interval of 95 % says on which side of the limit the number is, with a p-value of half of the rest, and no more
        beyond_limit = LEVEL / 2 if low > limit.limit else 1.0
        below_limit = LEVEL / 2 if high < limit.limit else 1.0
        sides = (beyond_limit, below_limit) if limit.sign == ">" else (below_limit, beyond_limit)
        evidence = Evidence(*sides)
        text += ", and its error was not kept: the interval alone counts"
    return replace(
        verdict,
        effect=None if claim.log else shown,
        error=None if claim.log or not _is_number(error) else claim.factor * float(error),
        looks=(Look(0, evidence.support, evidence.refute),),
        why=f"{_text(shown)} {claim.unit}, {text}",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


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
