"""Claims that tables decide (docs/claims.md): by the cells that they name, or on printed numbers."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from parsenet_cli.claims.cells import FIRST, UNUSED, CellScores, Measurements, Untestable
from parsenet_cli.claims.contrast import (
    Collapsed,
    Condition,
    Contrast,
    Positive,
    Statement,
    Steadier,
    condition_of,
    contrast_of,
    statements,
    yardstick_of,
)
from parsenet_cli.claims.estimate import (
    LEVEL,
    Estimate,
    Interval,
    Pool,
    Term,
    estimate_contrast,
    has_failing_runs,
    mean_variance,
)
from parsenet_cli.claims.looks import (
    LOOKS,
    NOTHING,
    Evidence,
    Look,
    collapse_evidence,
    evidence_of,
    looks_within,
    p_values,
)
from parsenet_cli.claims.outlook import Seen, hangs_on
from parsenet_cli.claims.printed import effect_on_print, on_print
from parsenet_cli.claims.spread import SpreadCell, SpreadRatio, spread_ratio
from parsenet_cli.claims.verdict import CellSeeds, Outcome, Verdict
from parsenet_cli.config.expression import Margin, Reference, parse, parse_margin, parse_sum
from parsenet_cli.config.table import CellKey, Claim
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study

_Pools = Callable[[Sequence[Term], bool], Pool | None]


@dataclass(frozen=True)
class Tested:
    """A claim with the evidence of its looks, not yet judged among others.

    Attributes:
        condition: What it states; None where nothing could be tested.
        seen: What was measured of its statements, at the present look.
    """

    verdict: Verdict
    condition: Condition | None = None
    seen: Seen = field(default_factory=dict)


def claim_tests(study: Study, measurements: Measurements, family: str) -> list[Tested]:
    """Every claim of a study's table, in the table's order."""
    main = contrast_of(parse_sum(study.table.main), study.table.name) if study.table.main else None
    pool = _pools(study, measurements, main)
    return [_tested(claim, study, measurements, family, pool) for claim in study.table.claims]


def stated(claim: Claim, table: str, profile: str, family: str) -> Verdict:
    """What is known of a claim before anything is measured."""
    return Verdict(table, claim.key, claim.says, claim.where, claim.kind, claim.note, profile, family)


def cell_intervals(study: Study, store: Store) -> dict[CellKey, Interval]:
    """The mean over seeds of every cell with its 95 % interval over seeds and images, percent.

    Left out are cells with fewer than two seeds, and scores that are not defined. Seeds after one that is missing do not count.
    """
    measurements = Measurements([study], store)
    pool = _pools(study, measurements, None)
    intervals = {}
    for key in dict.fromkeys(cell.key for cell in study.cells):
        with suppress(Untestable):
            cell = measurements.cell(Reference(*key), study, fewest=2)
            mean = estimate_contrast([(1.0, cell)], 0.0, pool)
            if math.isfinite(mean.value):
                intervals[key] = mean.interval()
    return intervals


def _tested(claim: Claim, study: Study, measurements: Measurements, family: str, pool: _Pools) -> Tested:
    """What the runs say of a claim, or the reason why that is nothing."""
    verdict = stated(claim, study.table.name, study.profile, family)
    try:
        if claim.kind == "printed":
            found = on_print(claim, study.table)
            why = f"on the paper's printed numbers: {found.why}."
            return Tested(replace(verdict, outcome=_fact(found.holds), fact="on print", why=why))
        return _Measured(claim, study, measurements, pool).tested(verdict)
    except Untestable as reason:
        return Tested(replace(verdict, why=f"{reason}."))
    except ValueError as problem:  # a frozen table of another version, whose language differs
        return Tested(replace(verdict, why=f"the claim cannot be read: {problem}."))


def _named_by(part: Statement) -> list[Reference]:
    """The cells of a statement."""
    match part:
        case Positive():
            return [cell for cell, _ in part.contrast.weights]
        case Collapsed():
            return [part.cell]
        case Steadier():
            return [*part.less, *part.more]


def _fact(holds: bool) -> Outcome:
    return "supported" if holds else "refuted"


def _pools(study: Study, measurements: Measurements, main: Contrast | None) -> _Pools:
    """What the cells beside a group say of its variance: those of the study's table, which those of its main effect belong to,
    and all that were scored on the same data."""

    known: dict[tuple[object, ...], Pool | None] = {}

    def pool(group: Sequence[Term], paired: bool) -> Pool | None:
        cell = group[0][1]
        key = (cell.data, cell.metric, cell.seeds[:FIRST], paired)
        if key not in known:
            known[key] = read(cell, paired)
        return known[key]

    def read(cell: CellScores, paired: bool) -> Pool | None:
        peers = measurements.peers(cell, study)
        if len(peers) < 2:
            return None
        own = {study.table.name}
        named = {tuple(cell.runs[:FIRST]) for cell in _cells_of(main, study, measurements)}
        table = [peer for peer in peers if own & peer.tables or peer.runs in named]
        df = float((len(table) - 1) * (FIRST - 1)) if len(table) > 1 else 0.0
        return Pool(
            data=float(mean_variance(np.stack([peer.scores for peer in peers]), paired)),
            cells=len(peers),
            table=float(mean_variance(np.stack([peer.scores for peer in table]), paired)) if df else 0.0,
            df=df,
        )

    return pool


def _cells_of(contrast: Contrast | None, study: Study, measurements: Measurements) -> list[CellScores]:
    """Those of its cells that can be measured."""
    found = []
    for reference, _ in contrast.weights if contrast else ():
        with suppress(Untestable):
            found.append(measurements.cell(reference, study))
    return found


class _Measured:
    """A claim on cells, and what is measured of it."""

    def __init__(self, claim: Claim, study: Study, measurements: Measurements, pool: _Pools) -> None:
        table = study.table.name
        self.claim, self.study, self.measurements = claim, study, measurements
        self.margin: Margin | None = None if claim.margin is None else parse_margin(claim.margin, study.table.main)
        self.condition = condition_of(parse(claim.holds_if), table, self.margin)
        self.effect = contrast_of(parse(claim.effect), table, self.margin) if claim.effect else None
        self.main = contrast_of(parse_sum(study.table.main), table) if study.table.main else None
        self.yardstick = yardstick_of(self.margin, table)
        self.parts = list(dict.fromkeys(statements(self.condition)))
        self._pool = pool
        self._estimates = cache(self._estimate)

    def tested(self, verdict: Verdict) -> Tested:
        """The claim with the evidence of every look that its cells have seeds for."""
        verdict = replace(verdict, cells=self._cell_seeds(), paper_effect=self._printed(self.claim.effect))
        if verdict.paper_effect is not None and (main := self._printed(self.study.table.main)):
            verdict = replace(verdict, paper_share=verdict.paper_effect / main)
        try:
            fewest, missing = self._seeds()
        except Untestable as reason:
            return Tested(replace(verdict, why=f"{reason}."))
        looks: list[Look] = []
        seen: Mapping[Statement, Estimate | Sequence[bool] | SpreadRatio] = {}
        remarks: list[str] = []
        for seeds in looks_within(fewest):
            seen, remarks = self._seen(seeds), []
            evidence = self._evidence(seen, seeds, remarks)
            looks.append(Look(seeds, evidence.support, evidence.refute))
        seeds = looks[-1].seeds
        number = f"{seeds} seeds"
        if seeds < fewest < LOOKS[-1]:
            number += f" of {fewest} (the next look is at {LOOKS[len(looks)]})"
        if missing:
            number += f" ({missing})"
        effect = self._estimates(self.effect, seeds) if self.effect else None
        measured = {part: each for part, each in seen.items() if not isinstance(each, SpreadRatio)}
        failing = self._failing(seeds)
        texts = [*self._texts(effect, seen, measured), *remarks]
        texts += [f"{' and '.join(failing)} with failing runs: the stricter variance is used"] if failing else []
        verdict = replace(
            verdict,
            effect=effect.interval() if effect else None,
            error=effect.error if effect else None,
            seeds=seeds,
            looks=tuple(looks),
            failing=failing,
            why=f"{number}: {', '.join(texts)}",
        )
        verdict = self._scaled(verdict, effect)
        if len(seen) == len(self.parts) and all(isinstance(each, Estimate) and each.exact for each in seen.values()):
            outcome = _fact(looks[-1].support < looks[-1].refute)
            fact = next(each.exact for each in seen.values() if isinstance(each, Estimate))
            return Tested(replace(verdict, outcome=outcome, fact=fact, looks=(), why=f"{verdict.why}."))
        if all((look.support, look.refute) == (NOTHING.support, NOTHING.refute) for look in looks):
            return Tested(replace(verdict, looks=(), why=f"{verdict.why}."))
        return Tested(verdict, self.condition, measured)

    def _printed(self, text: str) -> float | None:
        return effect_on_print(text, self.study.table) if text else None

    def _references(self) -> list[Reference]:
        """The cells that it names, by way of its margin too."""
        return list(dict.fromkeys(cell for part in self.parts for cell in _named_by(part)))

    def _cell_seeds(self) -> tuple[CellSeeds, ...]:
        found = []
        for cell in self._references():
            runs, seconds = self._runs(cell)
            found.append(CellSeeds(cell.table, cell.row, cell.column, len(runs), seconds, runs[0] if runs else ""))
        return tuple(found)

    def _runs(self, cell: Reference) -> tuple[tuple[str, ...], float]:
        try:
            measured = self.measurements.cell(cell, self.study)
            return measured.runs, measured.seconds
        except Untestable:
            with suppress(Untestable):
                return self.measurements.run_seconds(cell, self.study)
        return (), 0.0

    def _seeds(self) -> tuple[int, str]:
        """How many seeds all its cells have, and why not more, where others have or seeds after a missing one are there.

        Raises:
            Untestable: a cell cannot be measured, or has too few.
        """
        counts: dict[Reference, tuple[int, str]] = {}
        for part in self.parts:
            if isinstance(part, Collapsed):
                seeds, missing = self.measurements.collapses(part.cell, self.study)
                counts.setdefault(part.cell, (len(seeds), missing))
                continue
            for cell in _named_by(part):
                measured = self.measurements.cell(cell, self.study)
                counts[cell] = (len(measured.seeds), measured.missing)
        if self.effect:
            for cell, _ in self.effect.weights:
                measured = self.measurements.cell(cell, self.study)
                counts.setdefault(cell, (len(measured.seeds), measured.missing))
        if not counts:
            raise Untestable("it names no cell")
        fewest = min(count for count, _ in counts.values())
        shortest = next(missing for count, missing in counts.values() if count == fewest)
        unequal = max(count for count, _ in counts.values()) > fewest
        return fewest, shortest if unequal or UNUSED in shortest else ""

    def _estimate(self, contrast: Contrast, seeds: int) -> Estimate:
        cells = [self.measurements.cell(cell, self.study) for cell, _ in contrast.weights]
        count = min([seeds, *(len(cell.seeds) for cell in cells)])  # of a main effect that is only shown
        terms = [(weight, cell.first(count)) for (_, weight), cell in zip(contrast.weights, cells, strict=True)]
        return estimate_contrast(terms, contrast.constant, self._pool)

    def _seen(self, seeds: int) -> dict[Statement, Estimate | Sequence[bool] | SpreadRatio]:
        found: dict[Statement, Estimate | Sequence[bool] | SpreadRatio] = {}
        for part in self.parts:
            match part:
                case Positive():
                    found[part] = self._estimates(part.contrast, seeds)
                case Collapsed():
                    found[part] = self.measurements.collapses(part.cell, self.study)[0][:seeds]
                case Steadier():
                    with suppress(Untestable):
                        found[part] = self._ratio(part, seeds)
        return found

    def _ratio(self, part: Steadier, seeds: int) -> SpreadRatio:
        def named(cells: Sequence[Reference]) -> list[SpreadCell]:
            return [
                SpreadCell(
                    str(cell.key),
                    self.measurements.cell(cell, self.study).first(seeds),
                    sum(self.measurements.collapses(cell, self.study)[0][:seeds]),
                )
                for cell in cells
            ]

        return spread_ratio(named(part.less), named(part.more))

    def _evidence(
        self, seen: Mapping[Statement, Estimate | Sequence[bool] | SpreadRatio], seeds: int, remarks: list[str]
    ) -> Evidence:
        """The p-values of one look; what makes them worth nothing is told in `remarks`."""
        if self.yardstick is not None:
            effect = self._estimates(self.yardstick, seeds)
            if evidence_of(effect).refute <= LEVEL:
                remarks.append(f"no yardstick: the effect that the margin is a share of is {effect.interval()}")
                return NOTHING
            if evidence_of(effect).support > LEVEL:
                remarks.append(
                    f"the yardstick, {self._yardstick_name()}, is itself not established: {effect.interval()}"
                )

        def of(part: Statement) -> Evidence:
            match seen.get(part):
                case Estimate() as found:
                    return evidence_of(found, isinstance(part, Positive) and part.or_zero)
                case SpreadRatio() as ratio:
                    return ratio.evidence()
                case None:
                    return NOTHING
                case collapsed:
                    return collapse_evidence(collapsed)

        for part in self.parts:
            if isinstance(part, Steadier) and part not in seen:
                try:
                    self._ratio(part, seeds)
                except Untestable as reason:
                    remarks.append(str(reason))
        if any(isinstance(each, Estimate) and not each.variance and not each.exact for each in seen.values()):
            remarks.append("the runs show no variance to judge by")
        return p_values(self.condition, of)

    def _yardstick_name(self) -> str:
        return "the table's main effect" if self.margin and self.margin.is_main else "the effect of the margin"

    def _scaled(self, verdict: Verdict, effect: Estimate | None) -> Verdict:
        """With the margin in points, the main effect, and the effect as a share of it."""
        if self.margin and self.margin.effect and self.yardstick is not None:
            name = "main" if self.margin.is_main else ast.unparse(self.margin.effect.tree)
            points = self.margin.share * max(0.0, self._estimates(self.yardstick, verdict.seeds).value)
            verdict = replace(verdict, margin=points, margin_share=self.margin.share, margin_of=name)
        elif self.margin:
            verdict = replace(verdict, margin=self.margin.share)
        if self.main is not None:
            with suppress(Untestable):
                main = self._estimates(self.main, verdict.seeds)
                verdict = replace(verdict, main=main.interval(), main_p=evidence_of(main).support)
                if effect is not None and verdict.main_is_established:
                    verdict = replace(verdict, share=effect.value / main.value)
        return verdict

    def _texts(
        self,
        effect: Estimate | None,
        seen: Mapping[Statement, Estimate | Sequence[bool] | SpreadRatio],
        measured: Seen,
    ) -> list[str]:
        collapses = {part: each for part, each in seen.items() if isinstance(part, Collapsed)}
        estimates = {part: each for part, each in seen.items() if isinstance(part, Positive)}
        texts = [
            f"{part.cell.key} collapsed with {sum(each)} of {len(each)} seeds"
            for part, each in collapses.items()
            if isinstance(each, Sequence)
        ]
        texts += [f"the effect is {effect.interval()} points"] if effect else []
        texts += [str(each) for each in seen.values() if isinstance(each, SpreadRatio)]
        if (number := len({part.text for part in estimates})) > 1:
            weakest = hangs_on(self.condition, measured, "support")
            if weakest is not None and isinstance(found := seen[weakest], Estimate):
                texts.append(f"the weakest of {number} comparisons, {weakest.text}, is {found.interval()}")
        exact = [each.exact for each in seen.values() if isinstance(each, Estimate) and each.exact]
        return [*texts, *dict.fromkeys(exact)]

    def _failing(self, seeds: int) -> tuple[str, ...]:
        cells = {
            str(cell.key): self.measurements.cell(cell, self.study).first(seeds)
            for part in self.parts
            if isinstance(part, Positive)
            for cell, _ in part.contrast.weights
        }
        return tuple(name for name, cell in cells.items() if bool(has_failing_runs(cell.scores)))
