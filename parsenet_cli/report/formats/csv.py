"""The records behind a table as comma-separated values; the rows themselves where it was made from none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from parsenet_cli.core.text import printable
from parsenet_cli.report.blocks import Grid

if TYPE_CHECKING:
    import pandas as pd

SUFFIX = "csv"

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def text(grid: Grid) -> str:
    """One line of headers, then one per record; six significant digits."""
    import pandas as pd

    if grid.records:
        return frame_text(pd.DataFrame(list(grid.records)))
    rows = [[cell.text for cell in row.cells] for row in grid.rows]
    return frame_text(pd.DataFrame(rows, columns=[*grid.labels, *grid.heads]))


def frame_text(frame: pd.DataFrame) -> str:
    """The same of a frame."""
    safe = frame.map(escaped).rename(columns=escaped)
    return str(safe.to_csv(index=False, float_format="%.6g"))


def escaped(value: Any) -> Any:
    """A value for a cell. Text that a spreadsheet would take for a formula gets an apostrophe in front, as in a spreadsheet."""
    if not isinstance(value, str):
        return value
    words = printable(value)
    return f"'{words}" if _FORMULA.match(words) and not _NUMBER.fullmatch(words) else words
