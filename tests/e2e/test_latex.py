"""Every table of the paper in one LaTeX document, compiled."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from parsenet_cli.config import table_file
from parsenet_cli.report.formats import latex
from parsenet_cli.report.paper_table import paper_grid
from parsenet_cli.store.frame import results_frame
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import read_runs
from tests.unit.report.test_paper_table import study_of

DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,graphicx}
\begin{document}
%s
\end{document}
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here (apt-get install texlive-latex-recommended)")
def test_every_table_compiles_and_fits_the_line(tmp_path: Path) -> None:
    tables = []
    for name in table_file.names():
        store = Store(tmp_path / name)
        cells = {(cell.row.key, cell.column.key) for cell in table_file.load(name).cells()}
        study = study_of(name, {place: [0.5, 0.012, 0.54] for place in sorted(cells)}, store)
        hostile = [r"a_b & 100 % of #1 ^2 ~ \x {y} $z$ [3] *", "[1] begins a note"]
        tables.append(latex.text(paper_grid(study, results_frame(study, read_runs([study], store)), "a_b", hostile)))
    (tmp_path / "all.tex").write_text(DOCUMENT % "\n".join(tables))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout
    assert (tmp_path / "all.pdf").stat().st_size > 10_000
