"""Training curves, what context does, and the figures whose measurements lie in the store; nothing is measured for a report.

A figure is drawn by its own file in `figures/`, for the page as for `parsenet figure`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsenet_cli.core.errors import UserError
from parsenet_cli.report import figures
from parsenet_cli.report.blocks import Block, Drawing, Paragraph, Part, Section
from parsenet_cli.report.collect import ReportInput
from parsenet_cli.report.figures import context as context_figure
from parsenet_cli.report.figures import curves as curves_figure
from parsenet_cli.report.sections.tables import part_key
from parsenet_cli.store import figures as figure_store

OF_STUDIES = ("curves", "table", "context")
"""What other sections show of every study."""

MOST = 3
"""Measurements that are drawn of one figure, the newest first: drawings make a page heavy."""


def curves(report: ReportInput) -> Section:
    """The training loss of every run: one part per study that has runs of its own."""
    drawn: set[str] = set()
    parts: list[Block] = []
    for study in report.studies:
        title, key = f"{study.table.name} ({study.profile})", f"curves-{part_key(study)}"
        if drawn.issuperset(study.signatures):
            parts.append(Part(key, title, (Paragraph("The same runs as in tables above."),)))
            continue
        drawn.update(study.signatures)
        try:
            data = curves_figure.data(study, report.store)
        except UserError:  # nothing is recorded yet
            continue
        parts.append(Part(key, title, (_drawing("curves", data, f"Training loss of the runs of {title}"),)))
    text = "Loss over iterations, logarithmic, one scale per table. A cross marks a run that collapsed."
    return Section("curves", "Training curves", (Paragraph(text), *parts), outlined=False)


def context(report: ReportInput) -> Section:
    """Where global context helps and harms, once per profile and data set: the first study whose cells show it."""
    parts: dict[tuple[str, str], Block] = {}
    for study in report.studies:
        place = (study.profile, study.table.data)
        if place in parts or context_figure.default_cells(study, report.store) is None:
            continue
        title = f"{study.table.name} ({study.profile})"
        try:
            about = {"table": study.table.name, "profile": study.profile}
            data = {**context_figure.from_store(study, report.store), "about": about}
            block: Block = _drawing("context", data, f"Images and errors without and with global context: {title}")
        except UserError as problem:
            block = Paragraph(str(problem))
        parts[place] = Part(f"context-{part_key(study)}", title, (block,))
    if not parts:
        none = "There are no two cells that differ in global context alone, so there is nothing to show."
        return Section("context", "What context does", (Paragraph(none),))
    text = (
        "Images, their truth, and the predictions of two networks of which one has global context. Shown are those whose own "
        "mean IU rises and falls most among those whose label maps are kept."
    )
    return Section("context", "What context does", (Paragraph(text), *parts.values()))


def measured(report: ReportInput) -> list[Section]:
    """The figures of networks that were measured for these studies; none where nothing was."""
    parts: list[Block] = []
    others = []
    for name in (name for name in figures.names() if name not in OF_STUDIES):
        kept = figure_store.load_all(report.store, name)
        mine = [key for key in kept if figure_store.belongs(kept[key], report.studies)]
        newest = sorted(mine, key=lambda key: (str(kept[key].get("created", "")), key), reverse=True)[:MOST]
        parts += [_part(name, key, kept[key]) for key in newest]
        others += [f"{name}/{key}" for key in kept if key not in newest]
    if others:
        text = f"Measured, but not drawn here, because it is of something else or older: {', '.join(others)}."
        parts.append(Paragraph(text, "caption"))
    return [Section("figures", "Figures", tuple(parts))] if parts else []


def _part(name: str, key: str, data: figure_store.Data) -> Part:
    about: Mapping[str, Any] = data["about"] if isinstance(data.get("about"), dict) else {}
    description = (figures.find(name).__doc__ or name).splitlines()[0]
    network = ", ".join(str(about[field]) for field in ("trunk", "body", "weights", "device") if about.get(field))
    subject = str(about.get("study") or (f"run {about['run']}" if about.get("run") else network) or key)
    options = data["options"] if isinstance(data.get("options"), dict) else {}
    caption = "; ".join(filter(None, [subject, " ".join(f"{option}={value}" for option, value in options.items())]))
    blocks: list[Block] = [Paragraph(description)]
    try:
        blocks.append(_drawing(name, data, description, caption))
    except UserError as problem:
        blocks.append(Paragraph(str(problem), "warning"))
    if data.get("note"):
        blocks.append(Paragraph(str(data["note"])))
    return Part(f"figure-{name}-{key}", f"{name}: {subject}", tuple(blocks))


def _drawing(name: str, data: figure_store.Data, description: str, caption: str = "") -> Drawing:
    return Drawing(figures.svg(name, data), description, caption)
