"""Verdicts as a table: the terminal, Markdown, HTML, LaTeX, CSV and JSON are made from the same grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import get_args

from parsenet_cli.claims.decide import Outcome, Verdict
from parsenet_cli.config.table import Kind
from parsenet_cli.core.text import p_text
from parsenet_cli.report.blocks import Cell, Grid, words
from parsenet_cli.report.paper_table import Footnotes

HEADS = ("table", "claim", "verdict", "effect", "p", "why")

KINDS: dict[Kind, tuple[str, str]] = {
    "read_off": ("read off", "the paper's numbers show it and its text does not say it"),
    "printed": ("on print", "decided by the printed numbers, without any run"),
    "conjecture": ("conjecture", "what is expected where the paper leaves a question open"),
}
"""How a claim that is no statement of the paper's text is marked, and what that means."""


def totals(verdicts: Sequence[Verdict]) -> str:
    """`38 claims: 20 supported, 3 refuted, 15 undecided`."""
    counts = _counts(verdicts)
    return f"{len(verdicts)} claims: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}"


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
            _effect(verdict),
            "" if verdict.p is None else p_text(verdict.p),
            verdict.why,
        )
        for verdict in verdicts
    ]
    kinds = [f"[{word}]: {meaning}." for kind, (word, meaning) in KINDS.items() if kind in {v.kind for v in verdicts}]
    notes.add(*kinds, *notices, f"{totals(verdicts)}.")
    grid = words(
        HEADS,
        rows,
        labels=2,
        title="Claims of the paper",
        caption=f"profile {profiles}; effects in percent points with their 95 % interval over seeds and images"
        if rows
        else "",
        data={
            "verdicts": [asdict(verdict) for verdict in verdicts],
            "notices": list(notices),
            "totals": _counts(verdicts),
        },
    )
    return replace(grid, notes=notes.lines())


def _counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    counts = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: counts[outcome] for outcome in get_args(Outcome)}


def _effect(verdict: Verdict) -> str:
    if verdict.effect is None:
        return ""
    return str(verdict.effect) + (f" (margin {verdict.margin:g})" if verdict.margin is not None else "")
