"""Claims that tables decide (docs/claims.md): by contrasts of the cells that they name, or by what the runs of these cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np

from parsenet_cli.claims.cells import Measurements, Untestable
from parsenet_cli.claims.contrast import Collapsed, Contrast, Positive, condition_of, contrast_of, statements
from parsenet_cli.claims.decide import ClaimTest, Evidence, attempt, evidence_of, p_values
from parsenet_cli.claims.estimate import Estimate, Interval, VariancePrior, estimate_contrast, variance_prior
from parsenet_cli.config import table_file
from parsenet_cli.config.expression import Reference, parse, parse_limit
from parsenet_cli.config.table import CellKey, Claim
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study


def claim_tests(study: Study, measurements: Measurements) -> list[ClaimTest]:
    """Every claim of a study's table, in the table's order."""
    examine = {"": _scores, "parameters": _parameters, "seconds": _seconds}
    return [
        attempt(ClaimTest(claim, study.table.name, study.profile), examine[claim.measure], study, measurements)
        for claim in claims_of(study)
    ]


def claims_of(study: Study) -> tuple[Claim, ...]:
    """The claims that are frozen in a study.

    Tables that were frozen before files could state claims on cost have none: theirs are those of the shipped file.
    """
    claims = study.table.claims
    if not any(claim.measure for claim in claims) and (shipped := table_file.shipped(study.table.name)):
        claims += tuple(claim for claim in shipped.claims if claim.measure)
    return claims


def estimator(study: Study, measurements: Measurements) -> Callable[[Contrast], Estimate]:
    """The function that estimates contrasts of this study's cells. It raises `Untestable` where a cell is not complete."""

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
    contrast = contrast_of(parse(claim.effect), table, claim.margin) if claim.effect else None
    effect = estimate(contrast).interval() if contrast else None
    texts = [
        *(f"{part.cell.key} collapsed with {sum(seeds)} of {len(seeds)} seeds" for part, seeds in collapses.items()),
        *([f"the effect is {effect} points"] if effect else []),
        *_weakest(estimates),
        *dict.fromkeys(each.exact for each in estimates.values() if each.exact),
    ]
    if not all(each.variance or each.exact for each in estimates.values()):
        texts.append("the runs show no variance to judge by")
    return replace(
        test,
        measured=f"{len(study.seeds)} seeds: {', '.join(texts)}",
        effect=effect,
        evidence=p_values(condition, estimates.__getitem__, collapses.__getitem__),
    )


def _weakest(estimates: Mapping[Positive, Estimate]) -> list[str]:
    """Of a claim that compares several things: the comparison that its truth hangs on."""
    texts = {part.text for part in estimates}
    if len(texts) < 2:
        return []
    weakest = max(estimates, key=lambda part: estimates[part].p_above_zero())
    return [f"the weakest of {len(texts)} comparisons, {weakest.text}, is {estimates[weakest].interval()}"]


def _parameters(test: ClaimTest, study: Study, measurements: Measurements) -> ClaimTest:
    without, with_ = (
        {result.parameters for result, _ in runs} for runs in _runs(test.claim, study, measurements.store)
    )
    if len(without) != 1 or len(with_) != 1:
        raise Untestable("the seeds of a cell differ in their numbers of parameters")
    before, after = without.pop(), with_.pop()
    if before is None or after is None:
        raise Untestable("the results of these runs do not say their parameters: they are of an earlier version")
    more = 100 * (after - before) / before
    return replace(
        test,
        measured=f"{after:,} instead of {before:,} parameters are {more:+.2f} percent, counted and not estimated",
        effect=Interval(more, more, more),
        evidence=_against_limit(test.claim, Estimate(more - (test.claim.margin or 0), 0.0, math.inf, exact="counted")),
    )


def _seconds(test: ClaimTest, study: Study, measurements: Measurements) -> ClaimTest:
    table, cells = study.table.name, _runs(test.claim, study, measurements.store)
    if len({(device, result.threads, result.micro_batch) for runs in cells for result, device in runs}) > 1:
        raise Untestable(f"the runs of {table} were timed on different devices, threads or parts of a batch")
    if len(study.seeds) < 2:
        raise Untestable("one seed is one measurement of time: `--seeds 3`")
    before, after = (np.array([result.train_seconds / max(result.steps, 1) for result, _ in runs]) for runs in cells)
    if before.min() <= 0 or after.min() <= 0:
        raise Untestable(f"a run of {table} has no time")
    ratios = np.log(after / before)
    mean = Estimate(float(ratios.mean()), float(ratios.var(ddof=1)) / len(ratios), len(ratios) - 1)
    if mean.variance == 0:
        raise Untestable("the times show no variance to judge by")
    logs = mean.interval()
    effect = Interval(*(100 * math.expm1(ratio) for ratio in (logs.estimate, logs.low, logs.high)))
    return replace(
        test,
        measured=f"{1e3 * after.mean():.1f} instead of {1e3 * before.mean():.1f} ms a step, "
        f"{effect} percent over {len(ratios)} pairs of runs",
        effect=effect,
        evidence=_against_limit(
            test.claim, replace(mean, value=mean.value - math.log1p((test.claim.margin or 0) / 100))
        ),
    )


def _runs(claim: Claim, study: Study, store: Store) -> list[list[tuple[RunResult, str]]]:
    """The results and devices of the two cells whose cost a claim compares, by seed, the denominator first."""
    keys = [reference.key for reference in reversed(parse_limit(claim.holds_if).ratio)]
    cells = [[store.run(cell.signature) for cell in study.cells if cell.key == key and cell.signature] for key in keys]
    done = [[(result, run.environment().device) for run in runs if (result := run.result())] for runs in cells]
    if any(len(runs) != len(study.seeds) for runs in done):
        rows = " and ".join(key.row for key in keys)
        raise Untestable(f"it needs all runs of {rows} of {study.table.name}")
    return done


def _against_limit(claim: Claim, beyond: Estimate) -> Evidence:
    """`beyond`: by how much the ratio is above the claim's limit."""
    above = parse_limit(claim.holds_if).above
    return evidence_of(beyond if above else replace(beyond, value=-beyond.value))
