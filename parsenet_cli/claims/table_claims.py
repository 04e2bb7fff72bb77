"""Claims that tables decide (docs/claims.md): by the cells that they name, or on printed numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

from parsenet_cli.claims.cells import CellScores, Measurements, Untestable
from parsenet_cli.claims.contrast import (
    Collapsed,
    Contrast,
    Positive,
    Statement,
    Steadier,
    condition_of,
    contrast_of,
    statements,
)
from parsenet_cli.claims.decide import ClaimTest, Evidence, Outcome, attempt, collapse_evidence, evidence_of, p_values
from parsenet_cli.claims.estimate import Estimate, Interval, VariancePrior, estimate_contrast, variance_prior
from parsenet_cli.claims.printed import on_print
from parsenet_cli.claims.spread import spread_ratio
from parsenet_cli.config.expression import Reference, parse
from parsenet_cli.config.table import CellKey
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study


def claim_tests(study: Study, measurements: Measurements) -> list[ClaimTest]:
    """Every claim of a study's table, in the table's order."""
    return [
        attempt(
            ClaimTest(claim, study.table.name, study.profile),
            _printed if claim.kind == "printed" else _scores,
            study,
            measurements,
        )
        for claim in study.table.claims
    ]


def _printed(test: ClaimTest, study: Study, _: Measurements) -> ClaimTest:
    found = on_print(test.claim, study.table)
    outcome: Outcome = "supported" if found.holds else "refuted"
    return replace(test, measured=f"on the paper's printed numbers: {found.why}", outcome=outcome)


def estimator(study: Study, measurements: Measurements) -> Callable[[Contrast], Estimate]:
    """The function that estimates contrasts of this study's cells, or raises `Untestable` where one is not complete."""

    @cache
    def prior(family: str, paired: bool) -> VariancePrior:
        return variance_prior(measurements.peers(family), paired)

    def estimate(contrast: Contrast) -> Estimate:
        terms = [(weight, measurements.cell(cell, study)) for cell, weight in contrast.weights]
        return estimate_contrast(terms, contrast.constant, prior)

    return estimate


def cell_intervals(study: Study, store: Store) -> dict[CellKey, Interval]:
    """The mean over seeds of every cell with its 95 % interval over seeds and images, percent.

    Left out are cells of which a seed is missing, those with one seed, and scores that are not defined.
    """
    estimate = estimator(study, Measurements([study], store))
    intervals = {}
    for key in dict.fromkeys(cell.key for cell in study.cells):
        with suppress(Untestable):
            mean = estimate(Contrast(((Reference(*key, table=study.table.name), 1.0),)))
            if math.isfinite(mean.value):
                intervals[key] = mean.interval()
    return intervals


def _scores(test: ClaimTest, study: Study, measurements: Measurements) -> ClaimTest:
    claim, table = test.claim, study.table.name
    condition = condition_of(parse(claim.holds_if), table, claim.margin)
    estimate = estimator(study, measurements)
    parts = list(dict.fromkeys(statements(condition)))
    estimates = {part: estimate(part.contrast) for part in parts if isinstance(part, Positive)}
    collapses = {part: measurements.collapses(part.cell, study) for part in parts if isinstance(part, Collapsed)}

    def named(cells: Sequence[Reference]) -> list[tuple[str, CellScores]]:
        return [(str(cell.key), measurements.cell(cell, study)) for cell in cells]

    spreads = {p: spread_ratio(named(p.less), named(p.more)) for p in parts if isinstance(p, Steadier)}
    contrast = contrast_of(parse(claim.effect), table, claim.margin) if claim.effect else None
    effect = estimate(contrast).interval() if contrast else None
    texts = [
        *(f"{part.cell.key} collapsed with {sum(seeds)} of {len(seeds)} seeds" for part, seeds in collapses.items()),
        *([f"the effect is {effect} points"] if effect else []),
        *map(str, spreads.values()),
        *_weakest(estimates),
        *dict.fromkeys(each.exact for each in estimates.values() if each.exact),
    ]
    if not all(each.variance or each.exact for each in estimates.values()):
        texts.append("the runs show no variance to judge by")
    evidence: dict[Statement, Evidence] = {
        **{part: evidence_of(each, part.or_zero) for part, each in estimates.items()},
        **{part: collapse_evidence(seeds) for part, seeds in collapses.items()},
        **{part: each.evidence() for part, each in spreads.items()},
    }
    return replace(
        test,
        measured=f"{len(study.seeds)} seeds: {', '.join(texts)}",
        effect=effect,
        evidence=p_values(condition, evidence.__getitem__),
    )


def _weakest(estimates: Mapping[Positive, Estimate]) -> list[str]:
    """Of a claim that compares several things: the comparison that its truth hangs on."""
    texts = {part.text for part in estimates}
    if len(texts) < 2:
        return []
    weakest = max(estimates, key=lambda part: estimates[part].p_above_zero())
    return [f"the weakest of {len(texts)} comparisons, {weakest.text}, is {estimates[weakest].interval()}"]
