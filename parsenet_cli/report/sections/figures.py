"""The figures whose measurements lie in the store (`parsenet figure`); nothing is measured for a report."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from parsenet_cli.core.errors import UserError
from parsenet_cli.report import figures
from parsenet_cli.report.blocks import Block, Gallery, Paragraph, Part, Picture, Section
from parsenet_cli.report.collect import ReportInput
from parsenet_cli.report.redact import redact_paths
from parsenet_cli.store import figures as figure_store

DRAWN_ALREADY = ("curves", "table")
"""What other sections show of every study."""

MOST = 3
"""Measurements that are drawn of one figure, the newest first: pictures make a page heavy."""


def sections(survey: ReportInput) -> list[Section]:
    """One section, or none where nothing was measured."""
    parts: list[Block] = []
    passed_over = []
    for name in figures.names():
        if name in DRAWN_ALREADY:
            continue
        found = _found(survey, name)
        chosen = sorted((under for under in found if _belongs(found[under], survey)), key=lambda u: _age(found[u], u))
        parts += [_part(name, under, found[under]) for under in chosen[::-1][:MOST]]
        passed_over += [f"{name}/{under}" for under in found if under not in chosen[::-1][:MOST]]
    if passed_over:
        parts.append(
            Paragraph(
                f"Measured, but not drawn here, because it is of something else or older: {', '.join(passed_over)}.",
                "caption",
            )
        )
    return [Section("figures", "Figures", tuple(parts))] if parts else []


def _found(survey: ReportInput, name: str) -> dict[str, figure_store.Data]:
    keys = [file.stem for file in sorted((survey.store.root / "figures" / name).glob("*.json"))]
    loaded = {under: figure_store.load(survey.store, name, under) for under in keys}
    return {under: data for under, data in loaded.items() if data is not None}


def _about(data: figure_store.Data) -> Mapping[str, Any]:
    about = data.get("about")
    return about if isinstance(about, dict) else {}


def _belongs(data: figure_store.Data, survey: ReportInput) -> bool:
    """Whether it is of a study, a run or a profile that the report is about."""
    about = _about(data)
    if about.get("study"):
        return about["study"] in {one.name for one in survey.studies}
    return about["run"] in survey.runs if about.get("run") else about.get("profile") in survey.profiles


def _age(data: figure_store.Data, under: str) -> tuple[str, str]:
    return str(data.get("created", "")), under


def _part(name: str, under: str, data: figure_store.Data) -> Part:
    about = _about(data)
    says = (figures.find(name).__doc__ or name).splitlines()[0]
    network = [str(about.get(key)) for key in ("trunk", "body", "weights") if about.get(key)]
    of = str(about.get("study") or (f"run {about['run']}" if about.get("run") else ", ".join(network)) or under)
    options = data.get("options")
    chosen = [f"{key}={value}" for key, value in options.items()] if isinstance(options, dict) else []
    blocks: list[Block] = [Paragraph(says)]
    try:
        light, dark = (_address(figures.svg(name, data, dark=dark)) for dark in (False, True))
        caption = "; ".join([of, *([" ".join(chosen)] if chosen else [])])
        blocks.append(Gallery((Picture(says, caption, data=light, dark=dark),), wide=True))
    except UserError as problem:
        blocks.append(Paragraph(str(problem), "warning"))
    if data.get("note"):
        blocks.append(Paragraph(str(data["note"])))
    return Part(f"figure-{name}-{under}", f"{name}: {of}", tuple(blocks))


def _address(svg: str) -> str:
    """The picture as an address of `data:`; its words keep to themselves where things lie, as the page's do."""
    discreet = re.sub(r"(?<=>)[^<>]+(?=<)", lambda words: redact_paths(words[0]), svg)
    return f"data:image/svg+xml;base64,{base64.b64encode(discreet.encode()).decode()}"
