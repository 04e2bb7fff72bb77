"""Every claim of some studies, judged together, and what would decide those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from parsenet_cli.claims import family, figure_claims, table_claims
from parsenet_cli.claims.cells import FIRST, Measurements
from parsenet_cli.claims.contrast import Steadier, statements
from parsenet_cli.claims.looks import LOOKS
from parsenet_cli.claims.outlook import HOPELESS, MOST, SOONEST, outlook
from parsenet_cli.claims.table_claims import Tested
from parsenet_cli.claims.verdict import FAMILIES, PAPER, Ahead, CellSeeds, Needed, Verdict
from parsenet_cli.config import table_file
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import duration
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study


def judge_studies(
    studies: Sequence[Study], store: Store, *, beside: Sequence[Study] = (), figures: bool = True
) -> list[Verdict]:
    """The verdict on each claim of these studies, and with `figures` on those that figures decide, under their profiles.

    A study is judged by the table that is frozen in it. `beside`: the other studies of the store, one of each table and profile:
    nothing is said of their claims, but these are of the same family and their runs say how far seeds lie apart, so that a
    verdict does not depend on which tables are asked for.
    """
    verdicts: list[Verdict] = []
    for profile in dict.fromkeys(study.profile for study in studies):
        shown = [study for study in studies if study.profile == profile]
        names = {study.table.name for study in shown}
        others = [study for study in beside if study.profile == profile and study.table.name not in names]
        verdicts += _under_one_profile(shown, others, store, figures)
    return verdicts


def _under_one_profile(shown: Sequence[Study], others: Sequence[Study], store: Store, figures: bool) -> list[Verdict]:
    measurements = Measurements([*shown, *others], store)
    families = {study.name: family_of(study.table.name) for study in (*shown, *others)}
    asked = {families[study.name] for study in shown} | ({PAPER} if figures else set())
    tested: list[Tested] = []
    for study in (*shown, *others):
        if families[study.name] in asked:
            tested += table_claims.claim_tests(study, measurements, families[study.name])
    count = sum(len(study.table.claims) for study in shown)
    if PAPER in asked:
        by_figures = [Tested(verdict) for verdict in figure_claims.verdicts(store, [*shown, *others], PAPER)]
        tested = [*tested[:count], *by_figures, *tested[count:]]
        count += len(by_figures) if figures else 0
    unseen = {each: _unseen(each, {study.table.name for study in (*shown, *others)}) for each in asked}
    verdicts = family.decided([each.verdict for each in tested], unseen)
    levels = {each: family.level(verdicts, each, unseen[each]) for each in asked}
    return [
        _with_outlook(replace(each, verdict=verdict), levels[verdict.family])
        for each, verdict in zip(tested[:count], verdicts[:count], strict=True)
    ]


def family_of(table: str) -> str:
    """The family that the claims of a table belong to."""
    return FAMILIES.get(table_file.group_of(table), table)


def _unseen(name: str, seen: set[str]) -> int:
    """How many claims of a family belong to tables that were not run."""
    group = next((group for group, family in FAMILIES.items() if family == name), None)
    absent = [table for table in table_file.names(group) if table not in seen] if group else []
    return sum(claim.kind != "printed" for table in absent for claim in table_file.load(table).claims)


def _with_outlook(tested: Tested, level: float) -> Verdict:
    """The verdict with its p-values in words and, where it is undecided, with what would decide it."""
    verdict = tested.verdict
    if verdict.q is None or verdict.p_support is None or verdict.p_refute is None:
        return verdict
    p_values = f"{_p(verdict.p_support)} for it, {_p(verdict.p_refute)} against it"
    verdict = replace(verdict, why=f"{verdict.why}; {p_values}.")
    condition = tested.condition
    if verdict.decided or condition is None or any(isinstance(part, Steadier) for part in statements(condition)):
        return verdict
    found = outlook(condition, tested.seen, verdict.seeds, level)
    ahead = tuple(Ahead(look, chance, *missing(verdict.cells, look)) for look, chance in found.chances.items())
    hopeless = verdict.seeds >= SOONEST and (not ahead or ahead[-1].chance < HOPELESS)
    limiting = ""
    if found.hangs_on is not None and found.hangs_on in tested.seen:
        limiting = _limiting(verdict.cells, tested.seen[found.hangs_on])
    verdict = replace(
        verdict,
        outcome="neither" if hopeless else "undecided",
        ahead=ahead,
        needed=found.needed,
        limiting=limiting,
    )
    return replace(verdict, next=_next(verdict, found.images))


def missing(cells: Sequence[CellSeeds], seeds: int) -> tuple[int, float]:
    """How many runs of these cells are missing until all have so many seeds, and the seconds they take one after another."""
    distinct = {cell.run or (cell.table, cell.row, cell.column): cell for cell in cells}.values()
    counts = [max(0, seeds - cell.seeds) for cell in distinct]
    return sum(counts), sum(count * cell.seconds for count, cell in zip(counts, distinct, strict=True))


def _limiting(cells: Sequence[CellSeeds], found: object) -> str:
    """The cell whose seeds vary most."""
    noise = getattr(found, "noise", None)
    if noise is None or not noise.by_cell:
        return ""
    runs, _ = max(noise.by_cell, key=lambda part: part[1])
    return next((f"{cell.table}.{cell.row}.{cell.column}" for cell in cells if cell.run == runs[0]), "")


def _next(verdict: Verdict, images: bool) -> str:
    """What to do about an undecided claim."""
    if images:
        return "more seeds cannot decide it; more validation images can"
    if verdict.outcome == "neither":
        return f"too small, or too near the margin, to be decided within {LOOKS[-1]} seeds"
    if verdict.seeds < FIRST or not verdict.ahead:
        return ""
    best = max(verdict.ahead, key=lambda look: look.chance / max(look.runs, 1))
    runs = "1 run" if best.runs == 1 else f"{best.runs} runs"
    time = f", {duration(best.seconds)}" if best.seconds else ""
    sentences = [f"{best.seeds} seeds ({runs}{time}) decide it with a chance of {100 * best.chance:.0f} %"]
    if verdict.needed:
        sentences.append(f"80 % with {_needed(verdict.needed)}")
    if verdict.limiting:
        sentences.append(f"{verdict.limiting} varies most")
    return "; ".join(sentences)


def _needed(needed: Needed) -> str:
    number, low, high = (f">{MOST}" if each is None else str(each) for each in (needed.seeds, needed.low, needed.high))
    return f"{number} seeds" if number == low == high else f"{number} seeds [{low}, {high}]"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def changed(studies: Sequence[Study]) -> list[str]:
    """A sentence for each study whose table's file has changed since."""
    return [sentence for study in studies if (sentence := _change(study))]


def _change(study: Study) -> str:
    name, frozen = study.table.name, f"judged by the table frozen in {study.name}"
    if name not in table_file.names():
        if not study.table.claims:  # a grid or a run, which never had a file
            return f"{name}: states no claims; `parsenet table {name}` shows it."
        return f"{name}: its file is gone; {frozen}."
    try:
        same = table_file.load(name) == study.table
    except UserError as problem:
        return f"{name}: {frozen}, because {problem}."
    if same:
        return ""
    return f"{name}: its file has changed since it was run; {frozen}. `parsenet ablate {name}` takes the new one."
