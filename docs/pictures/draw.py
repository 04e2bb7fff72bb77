"""Draws the README's pictures from a results folder: `python docs/pictures/draw.py results` in the environment of `make test`.

`table.svg` is Table 4 as the terminal shows it, without the notes below it; `report.png` is the top of the page that `parsenet
report` writes, and needs chromium. Both are made from what the folder holds, so that they say what was really measured.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from parsenet_cli.report.build import build_report
from parsenet_cli.report.formats import terminal
from parsenet_cli.report.tables import study_grid
from parsenet_cli.store.choice import of_table
from parsenet_cli.store.run import Store

HERE = Path(__file__).parent
TABLE = "table4"
COLUMNS = 118
WINDOW = (1280, 896)
COLOURS = 256

THEME = TerminalTheme((30, 34, 42), (220, 223, 228), [(40, 44, 52)] * 8)
PAGE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {terminal_height}" role="img">
<title>parsenet table table4: the paper's numbers, and the measured ones beside them</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#1e222a" width="{terminal_width}" height="{terminal_height}" rx="8"/>
<g transform="translate(14, 9) scale(0.98)"><g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""No font is loaded from anywhere: the reader's own is taken."""


def draw_table(store: Store) -> Path:
    """The table of the newest study."""
    grid = study_grid(of_table(store, TABLE), store)
    rows = tuple(replace(row, cells=tuple(replace(cell, marks="") for cell in row.cells)) for row in grid.rows)
    screen = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, highlight=False)
    screen.print(f"$ parsenet table {TABLE}", style="bold")
    screen.print(terminal.renderable(replace(grid, rows=rows, notes=())), crop=False)
    file = HERE / "table.svg"
    file.write_text(screen.export_svg(theme=THEME, code_format=PAGE, unique_id="table"), encoding="utf-8")
    return file


def draw_report(store: Store) -> Path:
    """The top of the page, as a browser shows it."""
    file = HERE / "report.png"
    with tempfile.TemporaryDirectory() as folder:
        page = build_report(store, None, Path(folder, "report")).files[0]
        shot = Path(folder, "shot.png")
        size = ",".join(map(str, WINDOW))
        options = ("--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={folder}/profile")
        command = ["chromium", *options, f"--window-size={size}", f"--screenshot={shot}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        with Image.open(shot) as image:
            image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    return file


if __name__ == "__main__":
    results = Store(Path(sys.argv[1] if len(sys.argv) > 1 else "results"))
    for drawn in (draw_table(results), draw_report(results)):
        print(f"{drawn}: {drawn.stat().st_size / 1000:.0f} kB")
