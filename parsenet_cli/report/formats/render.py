"""One table, four outputs: terminal, Markdown, LaTeX, and CSV of the long frame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from parsenet_cli.report.paper_table import WIDE, Entry, Layout, Table, layout

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

LATEX_COLUMNS = 11
"""A table with more of them is set in parts below each other: Table 8 in two."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def to_terminal(table: Table) -> RenderableType:
    """For a rich console."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    plan = layout(table)
    wide = len(plan.heads) > WIDE * 2
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=0 if wide else (0, 1))
    for label in plan.labels:
        grid.add_column(label)
    for head in plan.heads:
        grid.add_column(head, justify="right", no_wrap=wide)
    for line in plan.lines:
        texts = [Text(entry.text, style="bold" if entry.bold else "dim" if entry.printed else "") for entry in line]
        for text, entry in zip(texts, line, strict=True):
            text.append(f" {letters(entry.marks)}" if entry.marks else "", style="dim")
        grid.add_row(*texts)
    title = Text(f"{table.name}: {table.title}", style="bold")
    notes = [Text.assemble((f" {mark:1} ", "dim"), (note, "dim")) for mark, note in marked_notes(table)]
    return Group(Text(), title, Text(table.caption, style="dim"), grid, *notes)


def to_markdown(table: Table) -> str:
    """A GitHub-flavoured table with its notes below."""
    plan = layout(table)
    lines = [
        f"**{table.name}: {markdown_text(table.title)}** ({markdown_text(table.caption)})",
        "",
        markdown_line([markdown_text(head) or " " for head in (*plan.labels, *plan.heads)]),
        markdown_line(["---"] * len(plan.labels) + ["---:"] * len(plan.heads)),
    ]
    lines += [markdown_line([_markdown_entry(entry) for entry in line]) for line in plan.lines]
    for mark, note in marked_notes(table):
        lines += ["", f"<sup>{mark}</sup> {markdown_text(note)}" if mark else markdown_text(note)]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """A `table` environment, no wider than the line; needs the packages booktabs and graphicx, both in every TeX."""
    plan = layout(table)
    out = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex_text(table.title)} ({_latex_text(table.caption)}).}}",
        rf"\label{{tab:{table.name}}}",
    ]
    parts = -(-len(plan.groups) // LATEX_COLUMNS)
    size = -(-len(plan.groups) // parts)
    for start in range(0, len(plan.groups), size):
        out += [r"\par\medskip"] if start else []
        out += _latex_tabular(plan, slice(start, start + size))
    notes = [(f"{_latex_mark(mark)}\\," if mark else "") + _latex_text(note) for mark, note in marked_notes(table)]
    if notes:
        out += ["", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize", *(f"{note}\\par" for note in notes)]
        out.append(r"\end{minipage}")
    return "\n".join([*out, r"\end{table}", ""])


def _latex_tabular(plan: Layout, chosen: slice) -> list[str]:
    """The labels and some groups of columns, no wider than the line."""
    first, groups = len(plan.labels), plan.groups[chosen]
    widths = [len(below) for _, below in plan.groups]
    begin = first + sum(widths[: chosen.start])
    shown = slice(begin, begin + sum(widths[chosen]))
    out = [
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{'l' * first}{'r' * sum(widths[chosen])}}}",
        r"\toprule",
    ]
    heads = [_latex_text(label) for label in plan.labels]
    out.append(_latex_line(heads + [_latex_head(head, len(below)) for head, below in groups]))
    if any(len(below) > 1 for _, below in groups):
        starts = [first + 1 + sum(len(below) for _, below in groups[:i]) for i in range(len(groups))]
        out.append(
            " ".join(
                rf"\cmidrule(lr){{{start}-{start + len(below) - 1}}}"
                for start, (_, below) in zip(starts, groups, strict=True)
            )
        )
        out.append(_latex_line([""] * first + [head for _, below in groups for head in below]))
    lines = [_latex_line([_latex_entry(entry) for entry in (*line[:first], *line[shown])]) for line in plan.lines]
    return [*out, r"\midrule", *lines, r"\bottomrule", r"\end{tabular}}"]


def to_csv(frame: pd.DataFrame) -> str:
    """The study's long frame."""
    return str(frame.to_csv(index=False, float_format="%.6g"))


def marked_notes(table: Table) -> list[tuple[str, str]]:
    """Each note with its letter; the ones that nothing in the table refers to have none."""
    marked = {
        mark for row in table.rows for mark in (*row.marks, *(m for cell in row.cells for m in cell.measured.marks))
    }
    return [(letters((i,)) if i in marked else "", note) for i, note in enumerate(table.notes)]


def letters(marks: tuple[int, ...]) -> str:
    """The letters of footnotes, given as indices: `a,c`."""
    return ",".join(LETTERS[mark % 26] * (mark // 26 + 1) for mark in marks)


def _markdown_entry(entry: Entry) -> str:
    text = markdown_text(entry.text)
    text = f"**{text}**" if entry.bold and text else text
    return text + (f"<sup>{letters(entry.marks)}</sup>" if entry.marks else "")


def markdown_line(cells: list[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def markdown_text(text: str) -> str:
    """Text in which nothing is Markdown or HTML."""
    return re.sub(r"([|*_<>\\])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "[": "{[}", "*": "{*}",  # which a line break would take for its own
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "×": r"$\times$", "–": "--", "<": "$<$", ">": "$>$",
    "γ": r"$\gamma$", "−": "$-$", "…": r"\dots{}", "→": r"$\rightarrow$", "·": r"$\cdot$", "≥": r"$\geq$", "≤": r"$\leq$",
}  # fmt: skip


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _latex_entry(entry: Entry) -> str:
    text = _latex_text(entry.text)
    text = rf"\textbf{{{text}}}" if entry.bold and text else text
    return text + (_latex_mark(letters(entry.marks)) if entry.marks else "")


def _latex_head(head: str, columns: int) -> str:
    return _latex_text(head) if columns == 1 else rf"\multicolumn{{{columns}}}{{c}}{{{_latex_text(head)}}}"


def _latex_line(fields: list[str]) -> str:
    return " & ".join(fields) + r" \\"


def _latex_mark(letters: str) -> str:
    return rf"${{}}^{{{letters}}}$"
