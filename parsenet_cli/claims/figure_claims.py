"""Claims that figures decide: their verdict comes from the data that `parsenet figure` kept, with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy import stats

from parsenet_cli.claims.decide import ClaimTest, Evidence
from parsenet_cli.claims.estimate import Interval
from parsenet_cli.store import figures as figure_store
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study


@dataclass(frozen=True)
class _Shown:
    """A claim that holds where a figure's number is surely above (or below) a limit."""

    figure: str
    key: str
    says: str
    where: str
    read: Callable[[dict[str, Any]], dict[str, Any]]
    """The number in the figure's data: `estimate`, `low` and `high`, the ends of its 95 % interval."""
    limit: float
    above: bool
    unit: str
    factor: float = 1.0
    """To percent points, which effects are shown in."""
    ratio: bool = False
    """Whether it is a ratio of sizes, whose errors are alike on a logarithmic scale; it is no percentage."""


CLAIMS = (
    _Shown(
        figure="scales",
        key="lower_layers_are_larger",
        says="Features of lower layers are larger than those of fc7 by orders of magnitude (more than ten times).",
        where="§3.3, Fig. 2",
        read=lambda data: dict(data["ratio"]),
        limit=10.0,
        above=True,
        unit="times",
        ratio=True,
    ),
    _Shown(
        figure="receptive-field",
        key="field_is_smaller_than_theory",
        says="The empirical receptive field is much smaller than the theoretical one (less than half of its area).",
        where="§3.1",
        read=lambda data: dict(data["shares"]["0.10"]),
        limit=0.5,
        above=False,
        unit="percent of the area",
        factor=100.0,
    ),
    _Shown(
        figure="context",
        key="context_removes_confusions",
        says="Context removes more confusions between objects than between object and background.",
        where="Fig. 3 and 4",
        read=lambda data: dict(data["errors"]["more_between_objects"]),
        limit=0.0,
        above=True,
        unit="percent points of the pixels",
    ),
)
"""The claims, and the limits that stand for the paper's words."""


def claim_tests(store: Store, studies: Sequence[Study]) -> list[ClaimTest]:
    """Every claim that figures decide, by the newest data of each figure that belongs to these studies of one profile."""
    return [_case(claim, figure_store.newest(store, claim.figure, studies), studies[0].profile) for claim in CLAIMS]


def _case(claim: _Shown, data: dict[str, Any] | None, profile: str) -> ClaimTest:
    case = ClaimTest(claim.figure, claim.key, claim.says, claim.where, profile, found="")
    if data is None:
        command = f"parsenet figure {claim.figure} --profile {profile}"
        return replace(case, found=f"figure {claim.figure} has no data under profile {profile}: `{command}`")
    if data.get("by_construction"):
        return replace(
            case, found="the trunk was made to be so, which is no evidence: `--run SIGNATURE`, or another profile"
        )
    if data.get("seeds") == 1:
        return replace(case, found="one seed says nothing of chance: the table needs more")
    try:
        found = claim.read(data)
        estimate, low, high = (float(found[name]) for name in ("estimate", "low", "high"))
    except (KeyError, TypeError, ValueError):
        return replace(
            case, found=f"the data of figure {claim.figure} does not hold this number; draw the figure again"
        )
    scale = math.log if claim.ratio else float
    if not all(map(math.isfinite, (estimate, low, high))) or (claim.ratio and low <= 0) or low == high:
        return replace(case, found=f"figure {claim.figure} has no interval: it needs more than one picture")
    # The data keeps an interval, not its picture by picture errors: its half width is 1.96 standard errors.
    error = (scale(high) - scale(low)) / (2 * float(stats.norm.ppf(0.975)))
    above = float(stats.norm.sf((scale(estimate) - scale(claim.limit)) / error))
    support = above if claim.above else 1 - above
    shown = [f"{claim.factor * value:.3g}" for value in (estimate, low, high)]
    return replace(
        case,
        found=f"{shown[0]} [{shown[1]}, {shown[2]}] {claim.unit}, the limit is {claim.factor * claim.limit:g}",
        effect=None if claim.ratio else Interval(*(claim.factor * value for value in (estimate, low, high))),
        evidence=Evidence(support, 1 - support),
    )
