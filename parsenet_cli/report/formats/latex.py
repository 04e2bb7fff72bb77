"""Tables as LaTeX: a `table` environment, no wider than the line; needs booktabs and graphicx, both in every TeX."""

from __future__ import annotations

import re
from collections.abc import Iterable

from parsenet_cli.report.blocks import Cell, Grid

SUFFIX = "tex"

COLUMNS = 11
"""A table with more of them is set in parts below each other: Table 8 in two."""

_BREAK = "\u200c"
"""Between two characters that are another sign together, such as `--`; no text in a grid has it."""

_ESCAPED = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "[": "{[}", "*": "{*}",  # which a line break would take for its own
    "|": r"\textbar{}", "`": r"\textasciigrave{}", _BREAK: "{}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "×": r"$\times$", "–": "--", "<": "$<$", ">": "$>$",
    "³": r"\textsuperscript{3}",
    "γ": r"$\gamma$", "−": "$-$", "…": r"\dots{}", "→": r"$\rightarrow$", "·": r"$\cdot$", "≥": r"$\geq$", "≤": r"$\leq$",
}  # fmt: skip


def text(grid: Grid) -> str:
    """The table with its caption, label and notes."""
    label = re.sub(r"[^A-Za-z0-9_.-]", "-", grid.name)
    caption = escaped(grid.title) + (f" ({escaped(grid.caption)})" if grid.caption else "")
    out = [r"\begin{table}", r"\centering", rf"\caption{{{caption}.}}", rf"\label{{tab:{label}}}"]
    parts = -(-len(grid.groups) // COLUMNS)
    size = -(-len(grid.groups) // parts)
    for start in range(0, len(grid.groups), size):
        out += [r"\par\medskip"] if start else []
        out += _tabular(grid, slice(start, start + size))
    notes = [(f"{_mark(mark)}\\," if mark else "") + escaped(note) for mark, note in grid.notes]
    if notes:
        out += ["", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize", *(f"{note}\\par" for note in notes)]
        out.append(r"\end{minipage}")
    return "\n".join([*out, r"\end{table}", ""])


def escaped(words: str) -> str:
    """Text in one line in which nothing is LaTeX."""
    broken = re.sub(r"([-–](?=[-–])|([',])(?=\2))", rf"\1{_BREAK}", " ".join(words.split()))
    return "".join(_ESCAPED.get(character, character) for character in broken)


def _tabular(grid: Grid, chosen: slice) -> list[str]:
    """The labels and some groups of columns, no wider than the line."""
    first, groups = len(grid.labels), grid.groups[chosen]
    widths = [len(below) for _, below in grid.groups]
    begin = first + sum(widths[: chosen.start])
    shown = slice(begin, begin + sum(widths[chosen]))
    out = [
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{'l' * first}{('l' if grid.prose else 'r') * sum(widths[chosen])}}}",
        r"\toprule",
        _line([*map(escaped, grid.labels), *(_head(head, len(below)) for head, below in groups)]),
    ]
    if any(len(below) > 1 for _, below in groups):
        starts = [first + 1 + sum(len(below) for _, below in groups[:i]) for i in range(len(groups))]
        rules = zip(starts, groups, strict=True)
        out.append(" ".join(rf"\cmidrule(lr){{{start}-{start + len(below) - 1}}}" for start, (_, below) in rules))
        out.append(_line([""] * first + [escaped(head) for _, below in groups for head in below]))
    lines = [_line(map(_cell, (*row.cells[:first], *row.cells[shown]))) for row in grid.rows]
    return [*out, r"\midrule", *lines, r"\bottomrule", r"\end{tabular}}"]


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    text = rf"\textbf{{{text}}}" if cell.bold and text else text
    return text + (_mark(cell.marks) if cell.marks else "")


def _head(head: str, columns: int) -> str:
    return escaped(head) if columns == 1 else rf"\multicolumn{{{columns}}}{{c}}{{{escaped(head)}}}"


def _line(fields: Iterable[str]) -> str:
    return " & ".join(fields) + r" \\"


def _mark(letters: str) -> str:
    return rf"\textsuperscript{{{escaped(letters)}}}"
