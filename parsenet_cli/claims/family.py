"""The claims that share one error: of the verdicts on them at most one in twenty is expected to be wrong (Benjamini-Hochberg).

Of the two hypotheses of a claim, that it is true and that it is false, exactly one is right; so of twice as many one-sided
p-values as there are claims half belong to right hypotheses, and the smaller p-value of each claim is compared with `LEVEL`
times its rank over the number of claims. That number is fixed before anything is measured: claims that cannot be tested yet,
also those of tables that were not run, count with a p-value of 1. P-values only fall with more seeds, and so no verdict is
ever withdrawn for more seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from parsenet_cli.claims.cells import Floats
from parsenet_cli.claims.estimate import LEVEL
from parsenet_cli.claims.looks import over_looks
from parsenet_cli.claims.verdict import Outcome, Verdict


def adjusted(p_values: Floats) -> Floats:
    """The q-values of a family of p-values (…, claims): to be compared with `LEVEL`."""
    p_values = np.asarray(p_values, np.float64)
    count = p_values.shape[-1]
    order = np.argsort(p_values, axis=-1, kind="stable")
    ranked = np.take_along_axis(p_values, order, axis=-1) * count / np.arange(1, count + 1)
    ranked = np.minimum.accumulate(ranked[..., ::-1], axis=-1)[..., ::-1]
    found = np.empty_like(ranked)
    np.put_along_axis(found, order, ranked, axis=-1)
    return np.minimum(1.0, found)


def decided(verdicts: Sequence[Verdict], unseen: Mapping[str, int]) -> list[Verdict]:
    """The verdicts with their outcomes, in their order.

    `unseen`: how many claims of each family are not among them, those of tables that were not run.
    """
    found = {index: verdict for index, verdict in enumerate(verdicts) if verdict.fact}
    for family in dict.fromkeys(verdict.family for verdict in verdicts):
        members = [i for i, verdict in enumerate(verdicts) if verdict.family == family and not verdict.fact]
        evidence = [over_looks(verdicts[index].looks) for index in members]
        smaller = [min(each.support, each.refute) for each in evidence]
        q_values = adjusted(np.array([*smaller, *[1.0] * unseen.get(family, 0)]))
        for index, each, q in zip(members, evidence, q_values, strict=False):
            verdict = verdicts[index]
            outcome: Outcome = "supported" if each.support < each.refute else "refuted"
            found[index] = verdict
            if verdict.looks:
                found[index] = replace(
                    verdict,
                    outcome=outcome if q <= LEVEL else "undecided",
                    p_support=each.support,
                    p_refute=each.refute,
                    q=float(q),
                )
    return [found[index] for index in range(len(verdicts))]


def level(verdicts: Sequence[Verdict], family: str, unseen: int) -> float:
    """The p-value over all looks at which one claim more of the family is decided."""
    members = [verdict for verdict in verdicts if verdict.family == family and not verdict.fact]
    done = sum(verdict.decided for verdict in members)
    count = len(members) + unseen
    return LEVEL * min(done + 1, count) / max(count, 1)
