"""Verdicts on the terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, get_args

from parsenet_cli.claims.decide import Outcome, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {"supported": "green", "refuted": "red", "undecided": "yellow"}
_HEADS = ("table", "claim", "verdict", "effect", "p", "why")


def totals(verdicts: Sequence[Verdict]) -> str:
    """`38 claims: 20 supported, 3 refuted, 15 undecided`."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    words = ", ".join(f"{counts[outcome]} {outcome}" for outcome in get_args(Outcome))
    return f"{len(verdicts)} claims: {words}"


def for_terminal(verdicts: Sequence[Verdict]) -> RenderableType:
    """A table for a rich console; effects in percent points with their 95 % interval."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=_title(verdicts), title_justify="left", show_lines=False, pad_edge=False, box=None)
    for head in _HEADS:
        shown.add_column(head, no_wrap=head in ("table", "verdict", "p"), overflow="fold", vertical="top")
    for verdict in verdicts:
        table, claim, outcome, *rest = _line(verdict)
        shown.add_row(table, claim, Text(outcome, _STYLES[verdict.outcome]), *map(Text, rest))
    return shown


def to_markdown(verdicts: Sequence[Verdict], notices: Sequence[str]) -> str:
    """A table, the notices and the line of totals. Where there is no effect, its place says why."""
    lines = [f"| {' | '.join(_HEADS[:-1])} |", "| --- | --- | --- | --: | --: |"]
    for verdict in verdicts:
        table, claim, outcome, effect, p, why = _line(verdict)
        cells = [text.replace("|", "\\|").replace("\n", " ") for text in (table, claim, outcome, effect or why, p)]
        lines.append(f"| {' | '.join(cells)} |")
    words = [_title(verdicts) + ".", *notices, f"{totals(verdicts)}."]
    return "\n".join([*lines, "", "\n\n".join(words)]) + "\n"


def to_json(verdicts: Sequence[Verdict], notices: Sequence[str]) -> str:
    """An object: `verdicts`, `notices` and `totals` by outcome."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    content = {
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "notices": list(notices),
        "totals": {outcome: counts[outcome] for outcome in get_args(Outcome)},
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _title(verdicts: Sequence[Verdict]) -> str:
    profiles = ", ".join(dict.fromkeys(verdict.profile for verdict in verdicts))
    return f"Profile {profiles}; effects in percent points with their 95 % interval over seeds and images"


def _line(verdict: Verdict) -> tuple[str, ...]:
    p = "" if verdict.p is None else "<0.001" if verdict.p < 0.001 else f"{verdict.p:.3f}"
    effect = "" if verdict.effect is None else str(verdict.effect)
    margin = f" (margin {verdict.margin:g})" if verdict.margin is not None and effect else ""
    return verdict.table, verdict.says, verdict.outcome, effect + margin, p, verdict.why
