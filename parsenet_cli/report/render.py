"""One table, four outputs: terminal, Markdown, LaTeX, and CSV of the long frame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from parsenet_cli.report.table import Table, TableCell

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def to_terminal(table: Table) -> RenderableType:
    """For a rich console."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(
        title=f"{table.name}: {table.title}", caption=table.caption, box=box.SIMPLE_HEAD, title_style="bold"
    )
    for label in table.labels:
        grid.add_column(label)
    for header in _headers(table):
        grid.add_column(header, justify="right")
    for row in table.rows:
        line: list[Text] = [Text(label) for label in row.labels]
        line[-1].append(_superscript(row.marks), style="dim")
        for cell in row.cells:
            if table.has_paper:
                line.append(Text(_paper(cell), style="bold" if cell.paper.bold else "dim"))
            text = Text(cell.measured.text, style="bold" if cell.measured.bold else "")
            text.append(_superscript(cell.measured.marks), style="dim")
            line.append(text)
        grid.add_row(*line)
    notes = [Text.assemble((f" {mark} ", "dim"), (note, "dim")) for mark, note in _marked_notes(table)]
    return Group(grid, *notes)


def to_markdown(table: Table) -> str:
    """A GitHub-flavoured table with its notes below."""
    headers = [*(label or " " for label in table.labels), *_headers(table)]
    lines = [
        f"**{table.name}: {_markdown_text(table.title)}** ({_markdown_text(table.caption)})",
        "",
        _markdown_line([_markdown_text(header) for header in headers]),
        _markdown_line(["---"] * len(table.labels) + ["---:"] * len(_headers(table))),
    ]
    for row in table.rows:
        cells = [_markdown_text(label) for label in row.labels]
        cells[-1] += _sup(row.marks)
        for cell in row.cells:
            if table.has_paper:
                cells.append(_strong(_markdown_text(_paper(cell)), cell.paper.bold))
            cells.append(_strong(_markdown_text(cell.measured.text), cell.measured.bold) + _sup(cell.measured.marks))
        lines.append(_markdown_line(cells))
    lines += [line for mark, note in _marked_notes(table) for line in ("", f"<sup>{mark}</sup> {_markdown_text(note)}")]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """A booktabs `table` environment; needs only the package booktabs."""
    labels, span = len(table.labels), 2 if table.has_paper else 1
    out = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex_text(table.title)} ({_latex_text(table.caption)}).}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{'l' * labels}{'r' * (span * len(table.columns))}}}",
        r"\toprule",
    ]
    head = [_latex_text(label) for label in table.labels]
    if table.has_paper:
        out.append(
            " & ".join([*head, *(rf"\multicolumn{{2}}{{c}}{{{_latex_text(column)}}}" for column in table.columns)])
            + r" \\"
        )
        rules = [labels + 1 + 2 * i for i in range(len(table.columns))]
        out.append(" ".join(rf"\cmidrule(lr){{{start}-{start + 1}}}" for start in rules))
        out.append(" & ".join([*[""] * labels, *["paper", "measured"] * len(table.columns)]) + r" \\")
    else:
        out.append(" & ".join([*head, *(_latex_text(column) for column in table.columns)]) + r" \\")
    out.append(r"\midrule")
    for row in table.rows:
        line = [_latex_text(label) for label in row.labels]
        line[-1] += _latex_marks(row.marks)
        for cell in row.cells:
            if table.has_paper:
                line.append(_latex_bold(_latex_text(_paper(cell)), cell.paper.bold))
            line.append(
                _latex_bold(_latex_text(cell.measured.text), cell.measured.bold) + _latex_marks(cell.measured.marks)
            )
        out.append(" & ".join(line) + r" \\")
    out += [r"\bottomrule", r"\end{tabular}"]
    notes = [
        rf"${{}}^{{{mark}}}$\,{_latex_text(note)}" if mark else _latex_text(note) for mark, note in _marked_notes(table)
    ]
    if notes:
        out += ["", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize", *(f"{note}\\par" for note in notes)]
        out.append(r"\end{minipage}")
    return "\n".join([*out, r"\end{table}", ""])


def to_csv(frame: pd.DataFrame) -> str:
    """The study's long frame."""
    return str(frame.to_csv(index=False, float_format="%.6g"))


def _headers(table: Table) -> list[str]:
    if not table.has_paper:
        return list(table.columns)
    return [f"{column} {which}".strip() for column in table.columns for which in ("paper", "measured")]


def _paper(cell: TableCell) -> str:
    return cell.paper.text


def _marked_notes(table: Table) -> list[tuple[str, str]]:
    """Each note with its letter; the ones that nothing in the table refers to have none."""
    marked = {
        mark for row in table.rows for mark in (*row.marks, *(m for cell in row.cells for m in cell.measured.marks))
    }
    return [(_letters((i,)) if i in marked else "", note) for i, note in enumerate(table.notes)]


def _letters(marks: tuple[int, ...]) -> str:
    return ",".join(LETTERS[mark % 26] * (mark // 26 + 1) for mark in marks)


def _superscript(marks: tuple[int, ...]) -> str:
    return f" {_letters(marks)}" if marks else ""


def _sup(marks: tuple[int, ...]) -> str:
    return f"<sup>{_letters(marks)}</sup>" if marks else ""


def _strong(text: str, bold: bool) -> str:
    return f"**{text}**" if bold and text else text


def _markdown_line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_text(text: str) -> str:
    return re.sub(r"([|*_<>\\])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "×": r"$\times$", "–": "--", "<": "$<$", ">": "$>$",
    "γ": r"$\gamma$", "−": "$-$", "…": r"\dots{}", "→": r"$\rightarrow$", "·": r"$\cdot$", "≥": r"$\geq$", "≤": r"$\leq$",
}  # fmt: skip


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _latex_bold(text: str, bold: bool) -> str:
    return rf"\textbf{{{text}}}" if bold and text else text


def _latex_marks(marks: tuple[int, ...]) -> str:
    return rf"${{}}^{{{_letters(marks)}}}$" if marks else ""
