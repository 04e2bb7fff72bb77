"""Verdicts as a table: the terminal, Markdown, HTML, LaTeX, CSV and JSON are made from the same grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import get_args

from parsenet_cli.claims.decide import Outcome, Verdict
from parsenet_cli.core.text import p_text
from parsenet_cli.report.blocks import Cell, Grid, words

HEADS = ("table", "claim", "verdict", "effect", "p", "why")


def totals(verdicts: Sequence[Verdict]) -> str:
    """`38 claims: 20 supported, 3 refuted, 15 undecided`."""
    counts = _counts(verdicts)
    return f"{len(verdicts)} claims: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}"


def verdict_grid(verdicts: Sequence[Verdict], notices: Sequence[str]) -> Grid:
    """One row per claim, in order; below them the notices and the totals."""
    profiles = ", ".join(dict.fromkeys(verdict.profile for verdict in verdicts))
    rows = [
        (
            verdict.table,
            verdict.says,
            Cell(verdict.outcome, tone=verdict.outcome),
            _effect(verdict),
            "" if verdict.p is None else p_text(verdict.p),
            verdict.why,
        )
        for verdict in verdicts
    ]
    return words(
        HEADS,
        rows,
        labels=2,
        title="Claims of the paper",
        caption=f"profile {profiles}; effects in percent points with their 95 % interval over seeds and images",
        notes=(*notices, f"{totals(verdicts)}."),
        data={
            "verdicts": [asdict(verdict) for verdict in verdicts],
            "notices": list(notices),
            "totals": _counts(verdicts),
        },
    )


def _counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    counts = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: counts[outcome] for outcome in get_args(Outcome)}


def _effect(verdict: Verdict) -> str:
    if verdict.effect is None:
        return ""
    return str(verdict.effect) + (f" (margin {verdict.margin:g})" if verdict.margin is not None else "")
