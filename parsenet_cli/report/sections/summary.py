"""What comes first: what was measured, what that is worth, and the verdict on every claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from parsenet_cli.claims.decide import Verdict
from parsenet_cli.claims.estimate import Interval
from parsenet_cli.report.blocks import Block, Field, Grid, Line, Paragraph, Part, Section, Tiles
from parsenet_cli.report.collect import ReportInput

SYMBOLS = {"supported": "✓", "refuted": "✗", "undecided": "?"}

WORTH = {
    "quick": (
        "These are generated scenes and a thin network: they test the paper's mechanisms, not its numbers. Compare the effect "
        "of a row or a column with the paper's, never a score."
    ),
    "photos": (
        "These are other photos and another network than the paper's: they test its mechanisms, not its numbers. Compare the "
        "effect of a row or a column with the paper's, never a score."
    ),
    "paper": (
        "This is the paper's protocol on its data sets and network: the numbers may be compared with the printed ones, with the "
        "deviations that each table names."
    ),
}
OTHER_WORTH = (
    "This is a user's own profile: whether its numbers may be compared with the paper's is for its author to say."
)


def summary(survey: ReportInput, verdicts: Sequence[Verdict]) -> Section:
    """The counts, and in a plain sentence what they are and are not."""
    outcomes = Counter(seen.outcome for seen in survey.runs.values())
    counts = Counter(str(verdict.outcome) for verdict in verdicts)
    tiles = (
        [(str(counts[outcome]), f"{SYMBOLS[outcome]} {outcome}", outcome) for outcome in SYMBOLS] if verdicts else []
    )
    done = outcomes["converged"] + outcomes["collapsed"]
    tiles.append((f"{done}/{len(survey.runs)}" if done < len(survey.runs) else str(done), "runs done", ""))
    tiles.append((str(len(survey.studies)), "table" if len(survey.studies) == 1 else "tables", ""))
    blocks: list[Block] = [Tiles(tuple(tiles))]
    for profile in survey.profiles:
        seeds = sorted({len(one.seeds) for one in survey.of(profile)})
        said = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        each = "1 seed" if said == "1" else f"{said} seeds"
        blocks.append(Paragraph(f"Profile {profile}, {each} per cell. {WORTH.get(profile, OTHER_WORTH)}"))
    if outcomes["collapsed"]:
        blocks.append(
            Paragraph(
                f"{outcomes['collapsed']} of {done} runs collapsed: their loss was not finite, or they predict one class "
                "everywhere. A collapse is a result and is shown as one."
            )
        )
    if (rest := len(survey.runs) - done) > 0:
        words = ", ".join(f"{n} {state}" for state, n in outcomes.items() if state not in ("converged", "collapsed"))
        blocks.append(
            Paragraph(f"{rest} of {len(survey.runs)} runs have no result ({words}): their cells say so.", "warning")
        )
    if verdicts:
        blocks.append(
            Paragraph(
                "A claim is supported or refuted only where an interval over seeds and images says so, corrected for the number "
                "of claims; otherwise it is undecided."
            )
        )
    return Section("summary", "Summary", tuple(blocks))


def claims(survey: ReportInput, verdicts: Sequence[Verdict]) -> Section:
    """One line per claim, by profile."""
    if not verdicts:
        return Section("verdicts", "Claims of the paper", (Paragraph("The tables of this store state no claim."),))
    parts = []
    for profile in dict.fromkeys(verdict.profile for verdict in verdicts):
        lines = tuple(_line(verdict) for verdict in verdicts if verdict.profile == profile)
        heads = ("outcome", "effect in points, 95 % interval", "p", "where")
        grid = Grid(("claim, and why",), tuple((head, ("",)) for head in heads), lines, prose=True)
        parts.append(Part(f"verdicts-{profile}", f"Under profile {profile}", (grid,)))
    return Section("verdicts", "Claims of the paper", tuple(parts) if len(parts) > 1 else parts[0].blocks)


def _line(verdict: Verdict) -> Line:
    return Line(
        (
            Field(verdict.says, tip=(f"{verdict.table}: {verdict.key}",), under=verdict.why),
            Field(
                f"{SYMBOLS[verdict.outcome]} {verdict.outcome}",
                tone=verdict.outcome,
                under="" if verdict.margin is None else f"equal: within ±{verdict.margin:g}",
            ),
            Field("–") if verdict.effect is None else _effect(verdict.effect),
            Field("–" if verdict.p is None else "< 0.001" if verdict.p < 0.001 else f"{verdict.p:.3f}"),
            Field(verdict.where, quiet=True),
        )
    )


def _number(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _effect(effect: Interval) -> Field:
    return Field(_number(effect.estimate), under=f"{_number(effect.low)} to {_number(effect.high)}")
