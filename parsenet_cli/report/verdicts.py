"""Verdicts as a table: the terminal, Markdown, HTML, LaTeX, CSV and JSON are made from the same grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import get_args

from parsenet_cli.claims.estimate import LEVEL
from parsenet_cli.claims.verdict import PAPER, Outcome, Verdict
from parsenet_cli.config.table import Kind
from parsenet_cli.core.text import p_text
from parsenet_cli.report.blocks import Cell, Grid, words
from parsenet_cli.report.paper_table import Footnotes

HEADS = ("table", "claim", "verdict", "effect", "margin", "q", "seeds", "what next", "why")

KINDS: dict[Kind, tuple[str, str]] = {
    "read_off": ("read off", "the paper's numbers show it and its text does not say it"),
    "printed": ("on print", "decided by the printed numbers, without any run"),
    "conjecture": ("conjecture", "what is expected where the paper leaves a question open"),
}
"""How a claim that is no statement of the paper's text is marked, and what that means."""


def totals(verdicts: Sequence[Verdict]) -> str:
    """`38 claims: 20 supported, 3 refuted, 15 undecided`."""
    counts = _counts(verdicts)
    noun = "claim" if len(verdicts) == 1 else "claims"
    return f"{len(verdicts)} {noun}: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}"


def stated(verdict: Verdict) -> str:
    """What the claim says, and its kind in brackets where that is another than a statement of the text."""
    return f"{verdict.says} [{KINDS[verdict.kind][0]}]" if verdict.kind in KINDS else verdict.says


def verdict_grid(verdicts: Sequence[Verdict], notices: Sequence[str]) -> Grid:
    """One row per claim, in order; below them the claims' notes, what their kinds mean, the notices and the totals."""
    notes = Footnotes()
    profiles = ", ".join(dict.fromkeys(verdict.profile for verdict in verdicts))
    rows = [
        (
            verdict.table,
            Cell(stated(verdict), marks=notes.mark(verdict.note)),
            Cell(verdict.outcome, tone=verdict.outcome),
            effect_text(verdict),
            margin_text(verdict),
            "fact" if verdict.fact else "" if verdict.q is None else p_text(verdict.q),
            str(verdict.seeds or ""),
            verdict.next,
            verdict.why,
        )
        for verdict in verdicts
    ]
    kinds = [f"[{word}]: {meaning}." for kind, (word, meaning) in KINDS.items() if kind in {v.kind for v in verdicts}]
    notes.add(*kinds, *notices, *reading(verdicts), f"{totals(verdicts)}.")
    grid = words(
        HEADS,
        rows,
        labels=2,
        title="Claims of the paper" if all(verdict.family == PAPER for verdict in verdicts) else "Claims",
        caption=f"profile {profiles}; effects in percent points with their 95 % interval over seeds and images"
        if rows
        else "",
        data={
            "verdicts": [
                {**asdict(verdict), "decided": verdict.decided, "leaning": verdict.leaning} for verdict in verdicts
            ],
            "notices": list(notices),
            "totals": _counts(verdicts),
            "expected_wrong": expected_wrong(verdicts),
        },
    )
    return replace(grid, notes=notes.lines())


def expected_wrong(verdicts: Sequence[Verdict]) -> float:
    """How many of these verdicts are expected to be wrong at most; facts are not among them."""
    return LEVEL * sum(verdict.decided and not verdict.fact for verdict in verdicts)


def reading(verdicts: Sequence[Verdict]) -> list[str]:
    """What a reader of verdicts has to know of them all, in sentences."""
    sentences = []
    if count := sum(verdict.decided and not verdict.fact for verdict in verdicts):
        among = "this verdict" if count == 1 else f"these {count} verdicts"
        sentences.append(f"Expected wrong among {among} by runs: at most {expected_wrong(verdicts):.2g}.")
    if seeds := sorted({verdict.seeds for verdict in verdicts if verdict.decided and verdict.seeds}):
        rarer = ", ".join(f"{100 - 100 * LEVEL ** (1 / n):.0f} % of the runs with {n} seeds" for n in seeds)
        sentences.append(f"A failure that is rarer than this may not have been seen: {rarer}.")
    if weak := sorted(
        {v.table for v in verdicts if v.margin_share is not None and v.main and not v.main_is_established}
    ):
        sentences.append(f"The yardstick of {', '.join(weak)}, the table's main effect, is itself not established.")
    return sentences


def effect_text(verdict: Verdict) -> str:
    """`+1.15 [-0.03, +2.33], 6 % of main`."""
    if verdict.effect is None:
        return ""
    return str(verdict.effect) + ("" if verdict.share is None else f", {100 * verdict.share:.0f} % of main")


def margin_text(verdict: Verdict) -> str:
    """`4.48, 25 % of main`."""
    if verdict.margin is None:
        return ""
    share = f", {100 * verdict.margin_share:.0f} % of {verdict.margin_of}" if verdict.margin_share is not None else ""
    return f"{verdict.margin:.3g}{share}"


def _counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    counts = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: counts[outcome] for outcome in get_args(Outcome)}
