"""Claims that tables decide (docs/claims.md): by the cells that they name, by what their runs cost, or on printed numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np

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
from parsenet_cli.claims.decide import (
    ClaimTest,
    Evidence,
    Outcome,
    attempt,
    collapse_evidence,
    evidence_of,
    limit_evidence,
    p_values,
)
from parsenet_cli.claims.estimate import Estimate, Interval, VariancePrior, estimate_contrast, variance_prior
from parsenet_cli.claims.printed import on_print
from parsenet_cli.claims.spread import spread_ratio
from parsenet_cli.config import table_file
from parsenet_cli.config.expression import Reference, parse, parse_limit
from parsenet_cli.config.table import CellKey, Claim
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study

_Runs = Sequence[tuple[Run, RunResult]]


def claim_tests(study: Study, measurements: Measurements) -> list[ClaimTest]:
    """Every claim of a study's table, in the table's order."""
    return [
        attempt(ClaimTest(claim, study.table.name, study.profile), _examiner(claim), study, measurements)
        for claim in claims_of(study)
    ]


def _examiner(claim: Claim) -> Callable[[ClaimTest, Study, Measurements], ClaimTest]:
    if claim.kind == "printed":
        return _printed
    return _cost if claim.measure else _scores


def _printed(test: ClaimTest, study: Study, _: Measurements) -> ClaimTest:
    found = on_print(test.claim, study.table)
    outcome: Outcome = "supported" if found.holds else "refuted"
    return replace(test, measured=f"on the paper's printed numbers: {found.why}", outcome=outcome)


def claims_of(study: Study) -> tuple[Claim, ...]:
    """The claims that are frozen in a study.

    Tables that were frozen before files could state claims on cost have none: theirs are those of the shipped file.
    """
    claims = study.table.claims
    if not any(claim.measure for claim in claims) and (shipped := table_file.shipped(study.table.name)):
        claims += tuple(claim for claim in shipped.claims if claim.measure)
    return claims


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


def _cost(test: ClaimTest, study: Study, measurements: Measurements) -> ClaimTest:
    limit = parse_limit(test.claim.holds_if)
    keys = [cell.key for cell in reversed(limit.ratio)]
    cells = [[measurements.store.run(c.signature) for c in study.cells if c.key == key and c.signature] for key in keys]
    before, after = ([(run, result) for run in cell if (result := run.believed_result())] for cell in cells)
    if not len(before) == len(after) == len(study.seeds):
        raise Untestable(f"it needs all runs of {keys[0].row} and {keys[1].row} of {study.table.name}")
    compare = _parameters if test.claim.measure == "parameters" else _seconds
    measured, effect, beyond = compare(before, after, test.claim.margin or 0.0, study.table.name)
    return replace(test, measured=measured, effect=effect, evidence=limit_evidence(limit, beyond))


def _parameters(before: _Runs, after: _Runs, margin: float, table: str) -> tuple[str, Interval, Estimate]:
    """What was counted, by how many percent it is more, and by how much that is above `margin`."""
    counts = [{result.parameters for _, result in cell} for cell in (before, after)]
    if any(len(cell) != 1 for cell in counts):
        raise Untestable("the seeds of a cell differ in their numbers of parameters")
    (old,), (new,) = counts
    if old is None or new is None:
        raise Untestable("the results of these runs do not say their parameters: they are of an earlier version")
    more = 100 * (new - old) / old
    measured = f"{new:,} instead of {old:,} parameters are {more:+.2f} percent, counted and not estimated"
    return measured, Interval(more, more, more), Estimate(more - margin, 0.0, math.inf, exact="counted")


def _seconds(before: _Runs, after: _Runs, margin: float, table: str) -> tuple[str, Interval, Estimate]:
    """The same of the time of a step, over pairs of runs, whose errors are alike on a logarithmic scale."""
    if len({(run.environment().device, result.threads, result.micro_batch) for run, result in (*before, *after)}) > 1:
        raise Untestable(f"the runs of {table} were timed on different devices, threads or parts of a batch")
    if len(before) < 2:
        raise Untestable("one seed is one measurement of time: `--seeds 3`")
    old, new = (np.array([r.train_seconds / max(r.steps, 1) for _, r in cell]) for cell in (before, after))
    if old.min() <= 0 or new.min() <= 0:
        raise Untestable(f"a run of {table} has no time")
    logs = np.log(new / old)
    mean = Estimate(float(logs.mean()), float(logs.var(ddof=1)) / len(logs), len(logs) - 1)
    if mean.variance == 0:
        raise Untestable("the times show no variance to judge by")
    interval = mean.interval()
    more = Interval(*(100 * math.expm1(log) for log in (interval.estimate, interval.low, interval.high)))
    measured = f"{1e3 * new.mean():.1f} instead of {1e3 * old.mean():.1f} ms a step, {more} percent"
    beyond = replace(mean, value=mean.value - math.log1p(margin / 100))
    return f"{measured} over {len(logs)} pairs of runs", more, beyond
