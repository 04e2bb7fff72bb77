"""Reading the files of `ablations/`: every mistake is answered with its file, line and key (docs/tables.md)."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from parsenet_cli.config.expression import RESERVED, Expression, parse, parse_limit, parse_margin, parse_sum
from parsenet_cli.config.overrides import LISTED, axis_choices, habit, key_of, unknown_value
from parsenet_cli.config.table import NO_CELL, Cell, Claim, Column, FigureClaim, Kind, Printed, Row, TableSpec
from parsenet_cli.config.yaml_nodes import YamlNode
from parsenet_cli.config.yaml_nodes import read as read_yaml
from parsenet_cli.core import blocks, metric_names, paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import read_bytes
from parsenet_cli.core.text import natural_key

FIGURES = "_figures.yaml"
"""The file of `ablations/` that is no table: the claims that figures decide."""

GROUPS = {
    "all": "the paper's tables",
    "beyond": "what the paper asks for and did not run",
    "mine": "your tables in ./ablations",
}
"""The words that name several tables."""

_NUMBER = re.compile(r"(?P<bold>\*\*)?(?P<text>[0-9]{1,6}(\.[0-9]{1,6})?)(?(bold)\*\*)(\s+(?P<cited>\[[^\[\]]+\]))?")

_Parsed = TypeVar("_Parsed")

MEASURED = [kind for kind in get_args(Kind) if kind != "printed"]
"""The kinds of claims on what figures measure, of which the paper prints nothing."""


def groups() -> dict[str, dict[str, Path]]:
    """The tables that can be named and their files, by the word of `GROUPS`, each group in reading order (`table2` before
    `table10`).

    Raises:
        UserError: a folder cannot be read, two files that differ have one name, or one has the name of a group.
    """
    folders, mine = _shipped_folders(), paths.search("ablations")[0]
    if mine != folders["all"]:
        folders["mine"] = mine
    found = {group: paths.yaml_in(folder) for group, folder in folders.items()}
    seen: dict[str, Path] = {}
    for files in found.values():
        for name, file in list(files.items()):
            if name in GROUPS:
                raise UserError(f"{file}:1: '{name}' means {GROUPS[name]}; rename the file, whose name is its table's")
            if name not in seen:
                seen[name] = file
            elif _content(file) == _content(seen[name]):  # a copy is the table itself: of a clone, say
                del files[name]
            else:
                other = f"{seen[name]} is called so too"
                raise UserError(f"{file}:1: expected a name of its own; {other}: rename one of the two")
    return {group: dict(sorted(files.items(), key=lambda item: natural_key(item[0]))) for group, files in found.items()}


def names(group: str | None = None) -> list[str]:
    """The tables that can be named, of one group or of all of them. Raises `UserError` as `groups` does."""
    return [name for each, files in groups().items() if group in (None, each) for name in files]


def group_of(name: str) -> str:
    """The group of a table by its name: `mine` for every one that is not shipped, also a grid or a run."""
    return next((group for group, folder in _shipped_folders().items() if name in paths.yaml_in(folder)), "mine")


def _shipped_folders() -> dict[str, Path]:
    ours = paths.shipped("ablations")
    return {"all": ours, "beyond": ours / "beyond"}


def named(words: Iterable[str]) -> list[str]:
    """The tables that these words name, each once: tables by name, or all of a group.

    Raises:
        UserError: a group has no table, or as `groups` does.
    """
    found = {word: names(word) if word in GROUPS else [word] for word in words}
    for word, tables in found.items():
        if not tables:
            raise UserError(
                f"'{word}' means {GROUPS[word]}, and there is none. A file there is a table (docs/tables.md)"
            )
    return list(dict.fromkeys(name for tables in found.values() for name in tables))


def load(name: str) -> TableSpec:
    """Read the file of the table `name`.

    Raises:
        UserError: unknown name, or a malformed file, with file, line and key.
    """
    files = {name: file for group in groups().values() for name, file in group.items()}
    if name not in files:
        if answer := habit(name):
            raise UserError(f"'{name}': {answer}")
        raise unknown("table", name, list(files), LISTED)
    return read(files[name])


def is_cell(text: str) -> bool:
    """Whether a text is meant as `table.row.column` rather than as an override."""
    return "=" not in text and text.count(".") == 2


def cell(text: str) -> Cell:
    """The cell that `table.row.column` names, also one that the paper quotes from others.

    Raises:
        UserError: there is none, or it cannot be run.
    """
    if not is_cell(text):
        raise UserError(f"'{text}': expected a cell, table.row.column, or overrides")
    table, row, column = text.split(".")
    cells = load(table).cells(cited=True, rows=[row], columns=[column])
    if not cells:
        raise UserError(f"{row}.{column} of {table} cannot be run; name another cell")
    return cells[0]


def _content(file: Path) -> bytes:
    """Raises `UserError` where it cannot be read."""
    try:
        return read_bytes(file, follow=True)
    except OSError as problem:
        raise UserError(f"{file}: cannot be read: {problem.strerror}") from None


def read(file: Path) -> TableSpec:
    """The table in `file`. What lies in a folder `beyond` has to say which sentence of the paper asks for it.

    Raises:
        UserError: something in it, the first of all, is not as docs/tables.md says.
    """
    required, optional = ["title", "data", "columns", "rows"], ["base", "labels", "claims", "note", "main"]
    (required if file.parent.name == "beyond" else optional).append("remark")
    top = read_yaml(file).fields("table", required, optional)
    labels = top["labels"].texts() if "labels" in top else ("",)
    columns = tuple(_column(key, node) for key, node in _named(top["columns"], "columns"))
    by_key = {column.key: column for column in columns}
    rows = tuple(_row(key, node, len(labels), by_key) for key, node in _named(top["rows"], "rows"))
    main = _text(top, "main")
    if "main" in top:
        _check_cells(top["main"], _parsed(top["main"], parse_sum), _cells_of(rows))
    claims = top["claims"].mapping() if "claims" in top else {}
    return TableSpec(
        name=file.stem,
        title=top["title"].text(),
        data=_one_of(top["data"], "data set", axis_choices("data")),
        labels=labels,
        columns=columns,
        rows=rows,
        base=_overrides(top.get("base")),
        claims=tuple(_claim(key, node, rows, main) for key, node in claims.items()),
        note=_text(top, "note"),
        remark=_text(top, "remark"),
        main=main,
    )


def figure_claims() -> list[FigureClaim]:
    """The claims that figures decide, the user's own file first.

    Raises:
        UserError: a malformed file.
    """
    file = next(file for folder in paths.search("ablations") if (file := folder / FIGURES).is_file())
    return [_figure_claim(key, node) for key, node in read_yaml(file).mapping().items()]


def _column(key: str, node: YamlNode) -> Column:
    fields = node.fields("column", ["header", "metric"], ["set", "note"])
    metric = fields["metric"].text()
    if not re.fullmatch(r"iu\[[^\[\]]+\]", metric):
        _one_of(fields["metric"], "metric", [*metric_names.names(), "iu[<class>]"])
    return Column(key, fields["header"].text(), metric, _overrides(fields.get("set")), _text(fields, "note"))


def _row(key: str, node: YamlNode, labels: int, columns: dict[str, Column]) -> Row:
    fields = node.fields("row", ["label"], ["set", "paper", "cited", "run", "note"])
    label = fields["label"].texts()
    if len(label) != labels:
        raise fields["label"].problem(f"{len(label)} labels where the table's 'labels' announce {labels}")
    overrides = _overrides(fields.get("set"))
    for column in columns.values():
        for axis in map(key_of, overrides):
            if axis in map(key_of, column.overrides):
                message = f"'{axis}' is set by this row and by column '{column.key}'; leave it to one of them"
                raise fields["set"].problem(message)
    printed = fields["paper"].mapping() if "paper" in fields else {}
    for name, value in printed.items():
        if name not in columns:
            raise value.problem(unknown("column", name, columns))
    cited = _text(fields, "cited")
    return Row(
        key=key,
        labels=label,
        overrides=overrides,
        paper={name: _printed(printed.get(name), cited) for name in columns},
        run=fields["run"].flag() if "run" in fields else True,
        note=_text(fields, "note"),
    )


def _printed(node: YamlNode | None, cited: str) -> Printed:
    text = node.text() if node else ""
    if node is None or not text or text in NO_CELL:
        return Printed(text, cited=cited)
    match = _NUMBER.fullmatch(text)
    if not match:
        raise node.wrong('a number as printed ("36.6", bold "**40.4**", cited "35.1 [19]"), or "N/A" for no cell')
    return Printed(match["text"], match["bold"] is not None, match["cited"] or cited)


def _cells_of(rows: Sequence[Row]) -> dict[str, Printed]:
    """The cells that there are, `row.column`, with what is printed in them."""
    return {f"{row.key}.{name}": number for row in rows for name, number in row.paper.items() if not number.absent}


def _claim(key: str, node: YamlNode, rows: Sequence[Row], main: str) -> Claim:
    printed = _cells_of(rows)
    fields = node.fields("claim", ["says", "where", "holds_if"], ["effect", "margin", "kind", "note"])
    about = _about(fields, get_args(Kind))
    expressions = {name: _parsed(fields[name], parse) for name in ("holds_if", "effect") if name in fields}
    for name, expression in expressions.items():
        _check_cells(fields[name], expression, printed)
        for row in expression.counted_rows:
            if row not in [each.key for each in rows]:
                raise fields[name].problem(unknown("row of wins()", row, [each.key for each in rows]))
    holds_if = expressions["holds_if"]
    if not holds_if.truth:
        raise fields["holds_if"].wrong("something true or false, such as a comparison")
    if about["kind"] == "printed":
        _check_printed(fields, holds_if, printed)
    elif any(expression.counted_rows for expression in expressions.values()):
        raise node.problem("wins() counts printed numbers, and no runs can decide that: add kind: printed")
    if "effect" in expressions and expressions["effect"].truth:
        raise fields["effect"].wrong("a difference in percent points")
    if "margin" not in fields and any(expression.uses_margin for expression in expressions.values()):
        raise node.problem(
            'the claim uses margin but gives none; add one, such as margin: 0.25 * main or margin: "0.5"'
        )
    margin = _margin(fields["margin"], main, printed) if "margin" in fields else None
    return Claim(*_statement(key, fields), _text(fields, "effect"), margin, **about)


def _margin(node: YamlNode, main: str, cells: Collection[str]) -> float | str:
    """Percent points as a number, a share of an effect as its text."""
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", node.text()):
        return float(node.text())
    margin = _parsed(node, lambda text: parse_margin(text, main))
    if margin.effect is None:
        raise node.wrong('percent points in quotes, such as "0.5"')
    if not margin.is_main:
        _check_cells(node, margin.effect, cells)
    return node.text()


def _check_printed(fields: Mapping[str, YamlNode], holds_if: Expression, printed: Mapping[str, Printed]) -> None:
    """Whether a claim of kind `printed` is about printed numbers, and about nothing else."""
    if "effect" in fields:
        raise fields["effect"].problem("printed numbers have no interval, so that no effect is shown; remove it")
    if holds_if.uses_spread:
        raise fields["holds_if"].problem("no spread over seeds is printed, so that kind: printed cannot decide this")
    for cell in holds_if.references:
        if not cell.table and printed[str(cell.key)].value is None:
            raise fields["holds_if"].problem(
                f"'{cell.key}' has no printed number, so that kind: printed cannot decide this"
            )


def _figure_claim(key: str, node: YamlNode) -> FigureClaim:
    required = ["says", "where", "figure", "value", "holds_if", "unit"]
    fields = node.fields("claim", required, ["factor", "log", "kind", "note"])
    _parsed(fields["holds_if"], parse_limit)
    figures = [name.replace("_", "-") for name in paths.modules("report/figures")]
    return FigureClaim(
        *_statement(key, fields),
        figure=_one_of(fields["figure"], "figure", figures),
        value=fields["value"].texts(),
        unit=fields["unit"].text(),
        factor=_number(fields["factor"], "the shown unit", "100") if "factor" in fields else 1.0,
        log=fields["log"].flag() if "log" in fields else False,
        **_about(fields, MEASURED),
    )


def _statement(key: str, fields: Mapping[str, YamlNode]) -> tuple[str, str, str, str]:
    if not fields["where"].text():
        raise fields["where"].wrong("its place in the paper, such as §4.2 or Table 4")
    return key, fields["says"].text(), fields["where"].text(), fields["holds_if"].text()


def _about(fields: Mapping[str, YamlNode], kinds: Sequence[str]) -> dict[str, Any]:
    """What claims of every sort may say of themselves."""
    kind = _one_of(fields["kind"], "kind", kinds) if "kind" in fields else "stated"
    return {"kind": kind, "note": _text(fields, "note")}


def _parsed(node: YamlNode, parser: Callable[[str], _Parsed]) -> _Parsed:
    try:
        return parser(node.text())
    except ValueError as error:
        raise node.problem(str(error)) from None


def _check_cells(node: YamlNode, expression: Expression, cells: Collection[str]) -> None:
    """Whether the cells that it names of its own table are there."""
    for cell in expression.references:
        if not cell.table and str(cell.key) not in cells:
            raise node.problem(unknown("cell", str(cell.key), cells))


def _overrides(node: YamlNode | None) -> tuple[str, ...]:
    items = [] if node is None else node.items()
    axes: list[str] = []
    for item in items:
        try:
            axis = key_of(item.text())
        except UserError as error:
            raise item.problem(error) from None
        if axis in axes:
            raise item.problem(f"'{axis}' is set twice in this list; remove one of the two")
        axes.append(axis)
        value = item.text().partition("=")[2]
        if axis in blocks.GROUPS:  # without looking through what is installed, where it is one of ours
            _block(axis, value, item)
            continue
        choices = axis_choices(axis)
        if choices and axis != "layers" and value not in choices:
            wrong = str(unknown_value(axis, value, "value of {}"))
            file = "; a file of weights is named on the command line (weights=…)" if axis == "weights" else ""
            raise item.problem(f"{wrong}{file}")
    return tuple(item.text() for item in items)


def _block(group: blocks.Group, name: str, node: YamlNode) -> None:
    try:
        blocks.find(group, name)
    except UserError as error:
        raise node.problem(error) from None


def _named(node: YamlNode, kind: str) -> list[tuple[str, YamlNode]]:
    named = list(node.mapping().items())
    if not named:
        raise node.wrong(f"at least one of the {kind}")
    for key, inner in named:
        if not key.isidentifier() or keyword.iskeyword(key) or key in RESERVED:
            raise inner.problem(
                f"'{key}' cannot be a key: expected letters, digits and underscores, a letter first, no word of Python "
                f"and none of {', '.join(RESERVED)}; what is printed goes into the label or header"
            )
    return named


def _one_of(node: YamlNode, kind: str, valid: Sequence[str]) -> str:
    if node.text() not in valid:
        raise node.problem(unknown(kind, node.text(), valid))
    return node.text()


def _number(node: YamlNode, unit: str, example: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", node.text()):
        raise node.wrong(f'a number of {unit} in quotes, such as "{example}"')
    return float(node.text())


def _text(fields: Mapping[str, YamlNode], key: str) -> str:
    return fields[key].text() if key in fields else ""
