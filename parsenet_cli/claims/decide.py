"""From contrasts to a decision: p-values of conditions joined by `and` and `or`, and Holm's correction.

A claim has two p-values, one of the hypothesis that it is false (small: it is supported) and one of the hypothesis that
it is true (small: it is refuted). Because each claim is tested both ways the smaller counts twice, and a claim that is one
comparison is decided, alone, exactly where its 95 % interval leaves no doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from parsenet_cli.claims.contrast import All, AnyOf, Collapsed, Condition, Positive
from parsenet_cli.claims.estimate import LEVEL, Estimate, Interval

Outcome = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """A claim and what the runs say of it."""

    table: str
    """The table whose file states the claim, or the figure whose data decides it."""
    key: str
    says: str
    where: str
    outcome: Outcome
    effect: Interval | None
    """The measured effect in percent points; None where it could not be measured."""
    margin: float | None
    """What "about equal" means, in percent points."""
    p: float | None
    """The p-value of the outcome (of support where undecided), corrected as in decide.py; None without a test."""
    why: str
    """One sentence with the numbers, or the reason why nothing can be said."""
    profile: str


@dataclass(frozen=True)
class ClaimTest:
    """A claim, and its evidence or, without any, the reason."""

    table: str
    key: str
    says: str
    where: str
    profile: str
    found: str
    """What was measured, or why nothing can be said: the sentence that the verdict begins with."""
    evidence: Evidence | None = None
    effect: Interval | None = None
    margin: float | None = None


def apply_holm(cases: Sequence[ClaimTest]) -> list[Verdict]:
    """The verdicts of claims that are judged together, in their order."""
    tested = [case.evidence for case in cases if case.evidence is not None]
    support = iter(holm([one.support for one in tested]))
    refute = iter(holm([one.refute for one in tested]))
    return [
        _verdict(case, None, None) if case.evidence is None else _verdict(case, next(support), next(refute))
        for case in cases
    ]


def _verdict(case: ClaimTest, support: float | None, refute: float | None) -> Verdict:
    outcome: Outcome = "undecided"
    p, why = support, case.found
    if support is not None and refute is not None:
        if support <= LEVEL:
            outcome, why = "supported", f"{why}; {_number(support)}"
        elif refute <= LEVEL:
            outcome, p, why = "refuted", refute, f"{why}; {_number(refute)} against it"
        else:
            why = f"{why}; {_number(support)} for it, {_number(refute)} against it"
    return Verdict(
        table=case.table,
        key=case.key,
        says=case.says,
        where=case.where,
        outcome=outcome,
        effect=case.effect,
        margin=case.margin,
        p=p,
        why=f"{why}.",
        profile=case.profile,
    )


def _number(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


MIN_SEEDS = 3
"""Seeds that a statement on collapses needs."""


@dataclass(frozen=True)
class Evidence:
    """The two p-values of a condition."""

    support: float
    refute: float


def p_values(
    condition: Condition, estimate: Callable[[Positive], Estimate], collapses: Callable[[Collapsed], Sequence[bool]]
) -> Evidence:
    """The p-values of a condition.

    A collapse is decided by the seeds themselves: supported when all did, refuted when none did, of at least three.
    """

    def of(part: Condition) -> Evidence:
        return p_values(part, estimate, collapses)

    match condition:
        case Positive():
            return _positive(estimate(condition), condition.or_zero)
        case Collapsed():
            seeds = list(collapses(condition))
            enough = len(seeds) >= MIN_SEEDS
            return Evidence(0.0 if enough and all(seeds) else 1.0, 0.0 if enough and not any(seeds) else 1.0)
        case All(parts):
            found = [of(part) for part in parts]
            return Evidence(max(one.support for one in found), _any([one.refute for one in found]))
        case AnyOf(parts):
            found = [of(part) for part in parts]
            return Evidence(_any([one.support for one in found]), max(one.refute for one in found))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of one direction of claims that are judged together, in their order: to be compared with `LEVEL`.

    Twice the one-sided ones, because there are two directions, then Holm's step-down correction for their number.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * 2 * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _positive(found: Estimate, or_zero: bool) -> Evidence:
    if found.variance:
        above = found.p_above_zero()
        return Evidence(above, 1 - above)
    if not found.exact:
        return Evidence(1.0, 1.0)
    true = found.value > 0 or (or_zero and found.value == 0)
    return Evidence(0.0 if true else 1.0, 1.0 if true else 0.0)


def _any(p_values: Sequence[float]) -> float:
    """The p-value that one of several is right: the smallest times how many could be (Bonferroni)."""
    possible = [p for p in p_values if p < 1.0]
    return min(1.0, len(possible) * min(possible)) if possible else 1.0
