"""The records behind a table as comma-separated values; the rows themselves where it was made from none."""

from __future__ import annotations

from parsenet_cli.report.blocks import Grid

SUFFIX = "csv"


def text(grid: Grid) -> str:
    """One line of headers, then one per record; six significant digits."""
    import pandas as pd

    if grid.records:
        frame = pd.DataFrame(list(grid.records))
    else:
        rows = [[cell.text for cell in row.cells] for row in grid.rows]
        frame = pd.DataFrame(rows, columns=[*grid.labels, *grid.heads])
    return str(frame.to_csv(index=False, float_format="%.6g"))
