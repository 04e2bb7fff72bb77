"""Training curves: one small picture per row of a table, the loss of every run on one logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from parsenet_cli.report.blocks import Gallery, Legend, Paragraph, Part, Picture, Section
from parsenet_cli.report.collect import ReportInput
from parsenet_cli.report.formats.html import tag
from parsenet_cli.report.sections.tables import part_key
from parsenet_cli.store.study import Study

WIDTH, HEIGHT, LEFT, BOTTOM = 220, 110, 34, 16
COLOURS = 4
"""Strokes that page.css tells apart, by colour and by dashes; more columns repeat them."""


@dataclass(frozen=True)
class Curve:
    """One run's loss: (iteration, loss) where it was finite, and whether it ended otherwise."""

    stroke: int
    points: tuple[tuple[int, float], ...]
    broke: bool


def section(survey: ReportInput) -> Section:
    """One part per study that has a curve."""
    drawn: set[str] = set()
    parts = []
    for one in survey.studies:
        repeated = drawn.issuperset(one.signatures)
        drawn.update(one.signatures)
        part = _part(one, survey, repeated)
        if part is not None:
            parts.append(part)
    says = "Loss over iterations, logarithmic, one scale per table, one line per run. A cross marks a loss that was not finite."
    return Section("curves", "Training curves", (Paragraph(says), *parts), outlined=False)


def _part(study: Study, survey: ReportInput, repeated: bool) -> Part | None:
    title = f"{study.table.name} ({study.profile})"
    if repeated:
        return Part(f"curves-{part_key(study)}", title, (Paragraph("The same runs as in tables above."),))
    strokes = _strokes(study)
    rows = []
    for row in study.table.rows:
        seen: dict[str, Curve] = {}
        for cell in study.cells:
            if cell.row == row.key and cell.signature and cell.signature not in seen:
                curve = _curve(
                    survey, cell.signature, list(strokes).index(cell.column) if cell.column in strokes else 0
                )
                if curve is not None:
                    seen[cell.signature] = curve
        if seen:
            rows.append((" ".join(row.labels), tuple(seen.values())))
    losses = [loss for _, curves in rows for curve in curves for _, loss in curve.points if loss > 0]
    if not losses:
        return None
    low, high = math.log10(min(losses)), math.log10(max(losses))
    last = max(x for _, curves in rows for curve in curves for x, _ in curve.points)
    pictures = tuple(
        Picture(f"Loss of {len(curves)} runs: {label}", label, svg=draw(curves, low, high, last))
        for label, curves in rows
    )
    legend = Legend(tuple((f"stroke{i % COLOURS}", header) for i, header in enumerate(strokes.values())))
    blocks = (legend, Gallery(pictures)) if len(strokes) > 1 else (Gallery(pictures),)
    return Part(f"curves-{part_key(study)}", title, blocks)


def _strokes(study: Study) -> dict[str, str]:
    """Headers of the columns that have runs of their own, by key: columns that differ by metric alone share theirs."""
    first: dict[tuple[str, ...], str] = {}
    for column in study.table.columns:
        signatures = tuple(cell.signature or "" for cell in study.cells if cell.column == column.key)
        if any(signatures):
            first.setdefault(column.overrides, column.key)
    return {column.key: column.header for column in study.table.columns if column.key in first.values()}


def _curve(survey: ReportInput, signature: str, stroke: int) -> Curve | None:
    records = [r for r in survey.runs[signature].run.metrics() if isinstance(r, dict) and "iteration" in r]
    points = tuple((r["iteration"], r["loss"]) for r in records if r.get("loss") is not None)
    if not points:
        return None
    return Curve(stroke % COLOURS, points, broke=records[-1].get("loss") is None)


def draw(curves: Sequence[Curve], low: float, high: float, last: int) -> str:
    """An SVG of the curves between 10^low and 10^high, up to iteration `last`."""
    span = max(high - low, 0.1)
    width, height = WIDTH - LEFT - 6, HEIGHT - BOTTOM - 6

    def at(x: float, loss: float) -> tuple[float, float]:
        logarithm = math.log10(loss) if loss > 0 else low
        return round(LEFT + width * x / max(last, 1), 1), round(6 + height * (1 - (logarithm - low) / span), 1)

    parts = []
    for tick in _ticks(low, low + span):
        y = at(0, 10**tick)[1]
        parts.append(tag("line", class_="grid", x1=LEFT, x2=WIDTH - 6, y1=str(y), y2=str(y)))
        parts.append(tag("text", _power(tick), x=LEFT - 4, y=str(y + 3), text_anchor="end"))
    parts.append(tag("text", "0", x=LEFT, y=HEIGHT - 4))
    parts.append(tag("text", f"{last}", x=WIDTH - 6, y=HEIGHT - 4, text_anchor="end"))
    for curve in curves:
        places = [at(x, loss) for x, loss in curve.points]
        parts.append(
            tag("polyline", class_=f"stroke{curve.stroke}", points=" ".join(f"{x:g},{y:g}" for x, y in places))
        )
        if curve.broke:
            x, y = places[-1]
            parts.append(
                tag(
                    "path",
                    class_=f"stroke{curve.stroke}",
                    d=f"M{x - 3:g},{y - 3:g}l6,6m-6,0l6,-6",
                    stroke_dasharray="none",
                )
            )
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_hidden="true", class_="curves")


def _ticks(low: float, high: float) -> list[float]:
    """At most four whole powers of ten; the ends where the range holds fewer than two."""
    whole = list(range(math.ceil(low), math.floor(high) + 1))
    if len(whole) < 2:
        return [low, high]
    return [float(tick) for tick in whole[:: math.ceil(len(whole) / 4)]]


def _power(tick: float) -> str:
    if tick == round(tick) and not -2 <= tick <= 3:
        return f"1e{round(tick)}"
    return f"{round(10**tick, 1 - math.floor(tick)):g}"
