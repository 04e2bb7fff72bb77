"""A claim with what was found about it, before the claims that are judged together are corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parsenet_cli.claims.decide import Evidence, corrected
from parsenet_cli.claims.estimate import LEVEL
from parsenet_cli.claims.interval import Interval
from parsenet_cli.claims.verdict import Outcome, Verdict


@dataclass(frozen=True)
class Case:
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


def close(cases: Sequence[Case]) -> list[Verdict]:
    """The verdicts of claims that are judged together, in their order."""
    tested = [case.evidence for case in cases if case.evidence is not None]
    support = iter(corrected([one.support for one in tested]))
    refute = iter(corrected([one.refute for one in tested]))
    return [
        _verdict(case, None, None) if case.evidence is None else _verdict(case, next(support), next(refute))
        for case in cases
    ]


def _verdict(case: Case, support: float | None, refute: float | None) -> Verdict:
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
