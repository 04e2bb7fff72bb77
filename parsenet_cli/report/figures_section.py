"""The figures whose measurements lie in the store (`parsenet figure`); nothing is measured for a report."""

from __future__ import annotations

import base64

from parsenet_cli import figures
from parsenet_cli.errors import UserError
from parsenet_cli.report.document import Block, Gallery, Paragraph, Part, Picture, Section
from parsenet_cli.store import Store

DRAWN_ALREADY = ("curves", "table")
"""What other sections show of every study."""


def sections(store: Store) -> list[Section]:
    """One section, or none where nothing was measured."""
    parts = [part for name in figures.names() if name not in DRAWN_ALREADY for part in _parts(store, name)]
    return [Section("figures", "Figures", tuple(parts))] if parts else []


def _parts(store: Store, name: str) -> list[Part]:
    parts = []
    for file in sorted((store.root / "figures" / name).glob("*.json")):
        data = figures.load(store, name, file.stem)
        if data is None:
            continue
        about = (figures.find(name).__doc__ or name).splitlines()[0]
        blocks: list[Block] = [Paragraph(about)]
        try:
            light, dark = (_address(figures.svg(name, data, dark=dark)) for dark in (False, True))
            blocks.append(Gallery((Picture(about, file.stem, data=light, dark=dark),), wide=True))
        except UserError as problem:
            blocks.append(Paragraph(str(problem), "warning"))
        if data.get("note"):
            blocks.append(Paragraph(str(data["note"])))
        parts.append(Part(f"figure-{name}-{file.stem}", f"{name}: {file.stem}", tuple(blocks)))
    return parts


def _address(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
