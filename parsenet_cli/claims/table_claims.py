"""Claims that tables decide: each expression tested as contrasts of the cells it names (docs/claims.md)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

from parsenet_cli.claims.cells import Measurements, Untestable
from parsenet_cli.claims.contrast import Collapsed, Contrast, Positive, condition_of, contrast_of, parts
from parsenet_cli.claims.decide import ClaimTest, p_values
from parsenet_cli.claims.estimate import Estimate, Interval, VariancePrior, estimate_contrast, variance_prior
from parsenet_cli.config.expression import Reference, parse
from parsenet_cli.config.table import Claim
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study


def claim_tests(study: Study, measurements: Measurements) -> list[ClaimTest]:
    """Every claim of a study's table, in the table's order."""
    return [_case(claim, study, measurements) for claim in study.table.claims]


def estimator(study: Study, measurements: Measurements) -> Callable[[Contrast], Estimate]:
    """The function that estimates contrasts of this study's cells. It raises `Undecidable` where a cell is not complete."""

    @cache
    def spread(pool: str, paired: bool) -> VariancePrior:
        return variance_prior(measurements.alike(pool), paired)

    def of(wanted: Contrast) -> Estimate:
        terms = [(weight, measurements.cell(cell, study)) for cell, weight in wanted.weights]
        return estimate_contrast(terms, wanted.constant, spread)

    return of


def _case(claim: Claim, study: Study, measurements: Measurements) -> ClaimTest:
    case = ClaimTest(
        table=study.table.name,
        key=claim.key,
        says=claim.says,
        where=claim.where,
        profile=study.profile,
        found="",
        margin=claim.margin,
    )
    try:
        return _examined(case, claim, study, measurements)
    except Untestable as reason:
        return replace(case, found=str(reason))
    except ValueError as problem:  # a frozen table of another version, whose language differs
        return replace(case, found=f"the claim cannot be read: {problem}")


def _examined(case: ClaimTest, claim: Claim, study: Study, measurements: Measurements) -> ClaimTest:
    stated = condition_of(parse(claim.holds_if), study.table.name, claim.margin)
    of = estimator(study, measurements)
    statements = list(dict.fromkeys(parts(stated)))
    estimates = {part: of(part.contrast) for part in statements if isinstance(part, Positive)}
    collapses = {part: measurements.collapses(part.cell, study) for part in statements if isinstance(part, Collapsed)}
    words = [
        f"{part.cell.row}.{part.cell.column} collapsed with {sum(seeds)} of {len(seeds)} seeds"
        for part, seeds in collapses.items()
    ]
    shown = contrast_of(parse(claim.effect), study.table.name, claim.margin) if claim.effect else None
    effect = of(shown) if shown else None
    if effect:
        words.append(f"the effect is {effect.interval()} points")
    words += _weakest(estimates)
    words += dict.fromkeys(found.exact for found in estimates.values() if found.exact)
    words += ["the runs show no variance to judge by"] * any(
        not found.variance and not found.exact for found in estimates.values()
    )
    return replace(
        case,
        evidence=p_values(stated, estimates.__getitem__, collapses.__getitem__),
        effect=effect.interval() if effect else None,
        found=f"{len(study.seeds)} seeds: {', '.join(words)}",
    )


def _weakest(estimates: Mapping[Positive, Estimate]) -> list[str]:
    """Of a claim that compares several things: the comparison that its truth hangs on."""
    texts = dict.fromkeys(part.text for part in estimates)
    if len(texts) < 2:
        return []
    weakest = max(estimates, key=lambda part: estimates[part].p_above_zero())
    return [f"the weakest of {len(texts)} comparisons, {weakest.text}, is {estimates[weakest].interval()}"]


def cell_intervals(study: Study, store: Store) -> dict[tuple[str, str], Interval]:
    """(row, column) -> mean over seeds with its 95 % interval over seeds and images, percent.

    Left out are cells of which a seed is missing, those with one seed, and scores that are not defined.
    """
    of = estimator(study, Measurements([study], store))
    found = {}
    for place in dict.fromkeys((cell.row, cell.column) for cell in study.cells):
        try:
            estimate = of(Contrast(((Reference(*place, table=study.table.name), 1.0),)))
        except Untestable:
            continue
        if math.isfinite(estimate.value):
            found[place] = estimate.interval()
    return found
