"""What comes first: what was measured, what that is worth, and the verdict on every claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from parsenet_cli.claims.verdict import Verdict
from parsenet_cli.core.text import p_text, signed
from parsenet_cli.report.blocks import Block, Cell, Paragraph, Part, Section, Tiles, words
from parsenet_cli.report.collect import ReportInput
from parsenet_cli.report.verdicts import margin_text, reading, stated

SYMBOLS = {"supported": "✓", "refuted": "✗", "undecided": "?", "neither": "○"}

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

DECIDED = (
    "A claim is supported or refuted where a test over seeds and images says so, at such a level that at most one verdict in "
    "twenty is expected to be wrong; neither means that the effect is too small, or too near the margin, to be decided within "
    "20 seeds."
)


def section(report: ReportInput, verdicts: Sequence[Verdict]) -> Section:
    """The counts, and in a plain sentence what they are and are not."""
    outcomes = Counter(read.outcome for read in report.runs.values())
    counts = Counter(str(verdict.outcome) for verdict in verdicts)
    done, all_runs = outcomes["converged"] + outcomes["collapsed"], len(report.runs)
    shown = [outcome for outcome in SYMBOLS if outcome != "neither" or counts[outcome]]
    tiles = [(str(counts[outcome]), f"{SYMBOLS[outcome]} {outcome}", outcome) for outcome in shown]
    blocks: list[Block] = [
        Tiles(
            (
                *(tiles if verdicts else ()),
                (f"{done}/{all_runs}" if done < all_runs else str(done), "runs done", ""),
                (str(len(report.studies)), "table" if len(report.studies) == 1 else "tables", ""),
            )
        )
    ]
    for profile in report.profiles:
        seeds = sorted({len(study.seeds) for study in report.under(profile)})
        number = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        plural = "1 seed" if number == "1" else f"{number} seeds"
        blocks.append(Paragraph(f"Profile {profile}, {plural} per cell. {WORTH.get(profile, OTHER_WORTH)}"))
    if outcomes["collapsed"]:
        how = "their loss was not finite, or they predict one class everywhere. A collapse is a result and is shown as one"
        blocks.append(Paragraph(f"{outcomes['collapsed']} of {done} runs collapsed: {how}."))
    if done < all_runs:
        states = ", ".join(f"{n} {state}" for state, n in outcomes.items() if state not in ("converged", "collapsed"))
        missing = f"{all_runs - done} of {all_runs} runs have no result ({states}): their cells say so."
        blocks.append(Paragraph(missing, "warning"))
    if verdicts:
        blocks.append(Paragraph(" ".join([DECIDED, *reading(verdicts)])))
    return Section("summary", "Summary", tuple(blocks))


def claims(verdicts: Sequence[Verdict]) -> Section:
    """One row per claim, by profile."""
    if not verdicts:
        return Section("verdicts", "Claims of the paper", (Paragraph("The tables of this store state no claim."),))
    return Section("verdicts", "Claims of the paper", verdict_blocks(verdicts, "verdicts"))


def verdict_blocks(verdicts: Sequence[Verdict], key: str) -> tuple[Block, ...]:
    """One table of verdicts, or one for each profile; `key` begins the addresses of these."""
    heads = ("claim, and why", "outcome", "effect in points, 95 % interval", "q", "what next", "where")
    parts = []
    for profile in dict.fromkeys(verdict.profile for verdict in verdicts):
        grid = words(heads, [_row(verdict) for verdict in verdicts if verdict.profile == profile])
        parts.append(Part(f"{key}-{profile}", f"Under profile {profile}", (grid,)))
    return tuple(parts) if len(parts) != 1 else parts[0].blocks


def _row(verdict: Verdict) -> list[Cell]:
    effect, equal = verdict.effect, "" if verdict.margin is None else f"margin {margin_text(verdict)}"
    share = "" if verdict.share is None else f"; {100 * verdict.share:.0f} % of main"
    seeds = "" if not verdict.seeds else f"{verdict.seeds} seeds"
    return [
        Cell(
            stated(verdict),
            tip=(f"{verdict.table}: {verdict.key}",),
            under=f"{verdict.why} Note: {verdict.note}" if verdict.note else verdict.why,
        ),
        Cell(f"{SYMBOLS[verdict.outcome]} {verdict.outcome}", tone=verdict.outcome, under=equal),
        Cell("–")
        if effect is None
        else Cell(signed(effect.estimate, 2), under=f"{signed(effect.low, 2)} to {signed(effect.high, 2)}{share}"),
        Cell("fact" if verdict.fact else "–" if verdict.q is None else p_text(verdict.q), under=seeds),
        Cell(verdict.next),
        Cell(verdict.where, quiet=True),
    ]
