"""A table for other programs: its title, what it was made from, its notes."""

from __future__ import annotations

import json
import math
from typing import Any

from parsenet_cli.report.blocks import Grid

SUFFIX = "json"


def text(grid: Grid) -> str:
    """An object: what the grid says of itself under `data`, or `name`, `title`, `caption`, `rows` and `notes`."""
    rows = list(grid.records) or [
        dict(zip([*grid.labels, *grid.heads], (cell.text for cell in row.cells), strict=True)) for row in grid.rows
    ]
    notes = [note for _, note in grid.notes]
    content = grid.data or {
        "name": grid.name, "title": grid.title, "caption": grid.caption, "rows": rows, "notes": notes
    }  # fmt: skip
    return json.dumps(_finite(content), indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no nan: what is not defined is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
