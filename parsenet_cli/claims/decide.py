"""From measurements to a decision: p-values of conditions joined by `and` and `or`, and Holm's correction.

A claim has two p-values, one of the hypothesis that it is false (small: it is supported) and one of the hypothesis that
it is true (small: it is refuted). Because each claim is tested both ways the smaller counts twice, and a claim that is one
comparison is decided, alone, exactly where its 95 % interval leaves no doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from parsenet_cli.claims.cells import Untestable
from parsenet_cli.claims.contrast import All, AnyOf, Condition, Statement
from parsenet_cli.claims.estimate import LEVEL, Estimate, Interval
from parsenet_cli.config.expression import Limit
from parsenet_cli.config.table import Claim, Kind

MIN_SEEDS = 3
"""Seeds that a statement on collapses needs."""

Outcome = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """A claim and what the runs say of it.

    Attributes:
        table: The table whose file states the claim, or the figure whose data decides it.
        effect: The measured effect in percent points; None where it could not be measured.
        margin: What "about equal" means, in percent points.
        p: The p-value of the outcome (of support where undecided), corrected for all claims; None without a test.
        why: One sentence with the numbers, or the reason why nothing can be said.
        note: What the claim's file says of it.
    """

    table: str
    key: str
    says: str
    where: str
    outcome: Outcome
    effect: Interval | None
    margin: float | None
    p: float | None
    why: str
    profile: str
    kind: Kind
    note: str


@dataclass(frozen=True)
class Evidence:
    """The two p-values of a condition."""

    support: float
    refute: float


@dataclass(frozen=True)
class ClaimTest:
    """A claim and its evidence or, without any, the reason.

    Attributes:
        table: As in its verdict.
        measured: What was measured, or why nothing can be said: the sentence that the verdict begins with.
        outcome: What is so without any test, by the printed numbers.
    """

    claim: Claim
    table: str
    profile: str
    measured: str = ""
    evidence: Evidence | None = None
    effect: Interval | None = None
    outcome: Outcome | None = None


def attempt(test: ClaimTest, examine: Callable[..., ClaimTest], *sources: Any) -> ClaimTest:
    """The test with what `examine(test, *sources)` measures, or with the reason why it cannot."""
    try:
        return examine(test, *sources)
    except Untestable as reason:
        return replace(test, measured=str(reason))
    except ValueError as problem:  # a frozen table of another version, whose language differs
        return replace(test, measured=f"the claim cannot be read: {problem}")


def evidence_of(estimate: Estimate, or_zero: bool = False) -> Evidence:
    """The p-values of an estimate that has to be above zero; with `or_zero`, not below."""
    if estimate.variance:
        above = estimate.p_above_zero()
        return Evidence(above, 1 - above)
    if not estimate.exact:
        return Evidence(1.0, 1.0)
    true = estimate.value > 0 or (or_zero and estimate.value == 0)
    return Evidence(0.0 if true else 1.0, 1.0 if true else 0.0)


def limit_evidence(limit: Limit, beyond: Estimate) -> Evidence:
    """The p-values of a limit, by the estimate of how far above it a number is."""
    if limit.sign == "==":  # of what was counted
        equal = beyond.value == 0
        return Evidence(0.0 if equal else 1.0, 1.0 if equal else 0.0)
    above = evidence_of(beyond, or_zero=limit.sign == "<")
    return above if limit.sign == ">" else Evidence(above.refute, above.support)


def collapse_evidence(seeds: Sequence[bool]) -> Evidence:
    """A collapse is decided by the seeds themselves: supported when all did, refuted when none did, of at least three."""
    enough = len(seeds) >= MIN_SEEDS
    return Evidence(0.0 if enough and all(seeds) else 1.0, 0.0 if enough and not any(seeds) else 1.0)


def p_values(condition: Condition, evidence: Callable[[Statement], Evidence]) -> Evidence:
    """The p-values of a condition, by those of the statements that it joins."""
    if not isinstance(condition, All | AnyOf):
        return evidence(condition)
    parts = [p_values(part, evidence) for part in condition.parts]
    support, refute = [part.support for part in parts], [part.refute for part in parts]
    if isinstance(condition, All):
        return Evidence(max(support), _bonferroni(refute))
    return Evidence(_bonferroni(support), max(refute))


def apply_holm(tests: Sequence[ClaimTest]) -> list[Verdict]:
    """The verdicts on claims that are judged together, in their order."""
    evidence = [test.evidence for test in tests if test.evidence]
    corrected = zip(holm([each.support for each in evidence]), holm([each.refute for each in evidence]), strict=True)
    return [_verdict(test, *(next(corrected) if test.evidence else (None, None))) for test in tests]


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


def _verdict(test: ClaimTest, support: float | None, refute: float | None) -> Verdict:
    outcome: Outcome = test.outcome or "undecided"
    p, numbers = support, ""
    if support is not None and refute is not None:
        numbers = f"; {_text(support)} for it, {_text(refute)} against it"
        if support <= LEVEL:
            outcome, numbers = "supported", f"; {_text(support)}"
        elif refute <= LEVEL:
            outcome, p, numbers = "refuted", refute, f"; {_text(refute)} against it"
    return Verdict(
        table=test.table,
        key=test.claim.key,
        says=test.claim.says,
        where=test.claim.where,
        outcome=outcome,
        effect=test.effect,
        margin=test.claim.margin,
        p=p,
        why=f"{test.measured}{numbers}.",
        profile=test.profile,
        kind=test.claim.kind,
        note=test.claim.note,
    )


def _text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _bonferroni(p_values: Sequence[float]) -> float:
    """The p-value that one of several is right: the smallest times how many could be."""
    possible = [p for p in p_values if p < 1.0]
    return min(1.0, len(possible) * min(possible)) if possible else 1.0
