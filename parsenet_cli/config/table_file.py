"""Reading one file of `ablations/`: every mistake is answered with its file, line and key (docs/tables.md)."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from parsenet_cli.config.expression import RESERVED, Expression, parse
from parsenet_cli.config.overrides import axis_choices, key_of
from parsenet_cli.config.table import NO_CELL, Claim, Column, Printed, Row, TableSpec
from parsenet_cli.config.yaml_nodes import YamlNode
from parsenet_cli.config.yaml_nodes import read as read_yaml
from parsenet_cli.core import metrics, paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.text import natural_key


def names() -> list[str]:
    """The tables that can be named, in reading order (`table2` before `table10`)."""
    return sorted(_table_files(), key=lambda name: natural_key(name))


def load(name: str) -> TableSpec:
    """Read `ablations/<name>.yaml`, the user's own first.

    Raises `UserError` for an unknown name, and with file, line and key for a malformed file.
    """
    from parsenet_cli.config import table_file

    files = _table_files()
    if name not in files:
        raise unknown("table", name, names())
    return table_file.read(files[name])


def _table_files() -> dict[str, Path]:
    return {file.stem: file for folder in reversed(paths.search("ablations")) for file in folder.glob("*.yaml")}


_NUMBER = re.compile(r"(?P<bold>\*\*)?(?P<text>\d+(\.\d+)?)(?(bold)\*\*)(\s+(?P<cited>\[[^\[\]]+\]))?")


def read(file: Path) -> TableSpec:
    """The table in `file`. Raises `UserError` for the first thing in it that is not as docs/tables.md says."""
    place = read_yaml(file)
    top = place.fields("table", ["title", "data", "columns", "rows"], ["base", "labels", "claims", "note"])
    labels = top["labels"].texts() if "labels" in top else ("",)
    columns = tuple(_column(key, value) for key, value in _named(top["columns"], "columns"))
    by_key = {column.key: column for column in columns}
    rows = tuple(_row(key, value, len(labels), by_key) for key, value in _named(top["rows"], "rows"))
    claims = top["claims"].mapping() if "claims" in top else {}
    cells = [f"{row.key}.{column.key}" for row in rows for column in columns if not row.paper[column.key].absent]
    return TableSpec(
        name=file.stem,
        title=top["title"].text(),
        data=_data(top["data"]),
        labels=labels,
        columns=columns,
        rows=rows,
        base=_overrides(top.get("base")),
        claims=tuple(_claim(key, value, cells) for key, value in claims.items()),
        note=_text(top, "note"),
    )


def _data(place: YamlNode) -> str:
    valid = axis_choices("data")
    if place.text() not in valid:
        raise place.problem(unknown("data set", place.text(), valid))
    return place.text()


def _column(key: str, place: YamlNode) -> Column:
    fields = place.fields("column", ["header", "metric"], ["set", "note"])
    metric = fields["metric"].text()
    if metric not in metrics.names() and not re.fullmatch(r"iu\[[^\[\]]+\]", metric):
        raise fields["metric"].problem(unknown("metric", metric, [*metrics.names(), "iu[<class>]"]))
    return Column(key, fields["header"].text(), metric, _overrides(fields.get("set")), _text(fields, "note"))


def _row(key: str, place: YamlNode, labels: int, columns: dict[str, Column]) -> Row:
    fields = place.fields("row", ["label"], ["set", "paper", "cited", "run", "note"])
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


def _printed(place: YamlNode | None, cited: str) -> Printed:
    if place is None:
        return Printed(cited=cited)
    text = place.text()
    if not text or text in NO_CELL:
        return Printed(text, cited=cited)
    match = _NUMBER.fullmatch(text)
    if not match:
        raise place.wrong('a number as printed ("36.6", bold "**40.4**", cited "35.1 [19]"), or "N/A" for no cell')
    return Printed(match["text"], match["bold"] is not None, match["cited"] or cited)


def _claim(key: str, place: YamlNode, cells: list[str]) -> Claim:
    fields = place.fields("claim", ["says", "where", "holds_if"], ["effect", "margin"])
    expressions = {name: _expression(fields[name], cells) for name in ("holds_if", "effect") if name in fields}
    if not expressions["holds_if"].truth:
        raise fields["holds_if"].wrong("something true or false, such as a comparison")
    if "effect" in expressions and expressions["effect"].truth:
        raise fields["effect"].wrong("a difference in percent points")
    margin = _text(fields, "margin")
    if "margin" in fields and not re.fullmatch(r"\d+(\.\d+)?", margin):
        raise fields["margin"].wrong('a number of percent points in quotes, such as "0.5"')
    if not margin and any(expression.uses_margin for expression in expressions.values()):
        raise place.problem('the claim uses margin but gives none; add one in percent points, such as margin: "0.5"')
    return Claim(
        key=key,
        says=fields["says"].text(),
        where=fields["where"].text(),
        holds_if=fields["holds_if"].text(),
        effect=_text(fields, "effect"),
        margin=float(margin) if margin else None,
    )


def _expression(place: YamlNode, cells: list[str]) -> Expression:
    try:
        expression = parse(place.text())
    except ValueError as error:
        raise place.problem(str(error)) from None
    for reference in expression.references:
        cell = f"{reference.row}.{reference.column}"
        if not reference.table and cell not in cells:
            raise place.problem(unknown("cell", cell, cells))
    return expression


def _overrides(place: YamlNode | None) -> tuple[str, ...]:
    items = [] if place is None else place.items()
    axes: list[str] = []
    for item in items:
        try:
            axis = key_of(item.text())
        except UserError as error:
            raise item.problem(error) from None
        if axis in axes:
            raise item.problem(f"'{axis}' is set twice in this list; remove one of the two")
        axes.append(axis)
        value, choices = item.text().partition("=")[2], axis_choices(axis)
        if choices and axis != "layers" and value not in choices:
            raise item.problem(unknown(f"value of {axis}", value, choices))
    return tuple(item.text() for item in items)


def _named(place: YamlNode, kind: str) -> list[tuple[str, YamlNode]]:
    named = list(place.mapping().items())
    if not named:
        raise place.wrong(f"at least one of the {kind}")
    for key, value in named:
        if not key.isidentifier() or keyword.iskeyword(key) or key in RESERVED:
            raise value.problem(
                f"'{key}' cannot be a key: expected letters, digits and underscores, a letter first, no word of Python "
                f"and none of {', '.join(RESERVED)}; what is printed goes into the label or header"
            )
    return named


def _text(fields: dict[str, YamlNode], key: str) -> str:
    return fields[key].text() if key in fields else ""
