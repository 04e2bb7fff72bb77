"""From p-values of statements to those of a claim, and from looks at more and more seeds to one p-value.

A claim has two p-values, one of the hypothesis that it is false (small: it is supported) and one of the hypothesis that it is
true (small: it is refuted). Exactly one of the two is right, so neither is doubled. It may be looked at with 3, 5, 8, 12 and 20
seeds: each look has its share of the error, and the smallest p-value over its share is one for all of them, however often
somebody looks and whatever made them go on (the union bound). It follows from the seeds that are there and from nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from parsenet_cli.claims.cells import Floats
from parsenet_cli.claims.contrast import All, AnyOf, Condition, Statement
from parsenet_cli.claims.estimate import Estimate
from parsenet_cli.config.expression import Limit

LOOKS = (3, 5, 8, 12, 20)
"""Numbers of seeds at which a claim is judged; the last is where the error is spent."""

SHARES = (0.30, 0.25, 0.20, 0.15, 0.10)
"""Of the error, for each look."""


@dataclass(frozen=True)
class Evidence:
    """The two p-values of a condition."""

    support: float
    refute: float


NOTHING = Evidence(1.0, 1.0)
"""Of a look at which nothing can be said."""


@dataclass(frozen=True)
class Look:
    """What a claim's first seeds say of it: p-values of this look alone.

    Attributes:
        seeds: 0 for what has none, such as a figure: one look that has the whole error.
    """

    seeds: int
    support: float
    refute: float


def share(seeds: int) -> float:
    """The share of the error of the look at so many seeds."""
    return dict(zip(LOOKS, SHARES, strict=True)).get(seeds, 1.0)


def looks_within(seeds: int) -> tuple[int, ...]:
    """The looks that so many seeds are enough for."""
    return tuple(look for look in LOOKS if look <= seeds)


def sequential(p_values: Floats, shares: Sequence[float] = SHARES) -> Floats:
    """The p-value that is valid at each look, from those of the looks alone: (…, looks)."""
    each = np.minimum(1.0, np.asarray(p_values) / np.asarray(shares)[: np.shape(p_values)[-1]])
    return np.asarray(np.minimum.accumulate(each, axis=-1))


def over_looks(looks: Sequence[Look]) -> Evidence:
    """What all looks together say."""
    if not looks:
        return NOTHING
    shares = [share(look.seeds) for look in looks]
    both = ([look.support for look in looks], [look.refute for look in looks])
    return Evidence(*(float(sequential(np.array(side), shares)[-1]) for side in both))


def evidence_of(estimate: Estimate, or_zero: bool = False) -> Evidence:
    """The p-values of an estimate that has to be above zero; with `or_zero`, not below."""
    if estimate.variance:
        above = estimate.p_above_zero()
        return Evidence(above, 1 - above)
    if not estimate.exact:
        return NOTHING
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
    """That most runs of a cell collapse, against that at most half of them do: the binomial test."""
    count, collapsed = len(seeds), sum(seeds)
    return Evidence(
        float(stats.binom.sf(collapsed - 1, count, 0.5)),
        float(stats.binom.cdf(collapsed, count, 0.5)),
    )


def p_values(condition: Condition, evidence: Callable[[Statement], Evidence]) -> Evidence:
    """The p-values of a condition, by those of the statements that it joins."""
    if not isinstance(condition, All | AnyOf):
        return evidence(condition)
    parts = [p_values(part, evidence) for part in condition.parts]
    support, refute = np.array([part.support for part in parts]), np.array([part.refute for part in parts])
    if isinstance(condition, All):
        return Evidence(float(support.max()), float(chosen(refute, condition.led)))
    return Evidence(float(chosen(support, condition.led)), float(refute.max()))


def chosen(parts: Floats, led: bool) -> Floats:
    """The p-value that one of several parts (first axis) is right: the smallest times their number; `led`: the first alone."""
    return np.asarray(parts[0] if led else np.minimum(1.0, len(parts) * parts.min(axis=0)))
