"""The table that a study has frozen: as JSON, and read again from what somebody else may have written.

What files of tables are checked for with their lines (table_file.py) is checked here once more: nothing that follows meets
a row that is not there, a number that is none or a claim that does not parse.
"""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from typing import Any

from parsenet_cli.config.expression import parse, parse_margin, parse_sum
from parsenet_cli.config.table import Claim, Printed, TableSpec
from parsenet_cli.core import metric_names
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import check_name

_PRINTED = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_LONGEST_CLAIM = 10_000


def to_json(spec: TableSpec) -> dict[str, Any]:
    """The table as JSON values, to be frozen in a study."""
    content: dict[str, Any] = _adapter().dump_python(spec, mode="json")
    return content


def from_json(content: Any) -> TableSpec:
    """The table of `to_json`. Claims on what runs cost, which tables once stated (`measure`), are left out.

    Raises:
        UserError: the content is no such table.
    """
    from pydantic import ValidationError

    from parsenet_cli.core.bounds import first_fault

    if isinstance(content, dict) and isinstance(claims := content.get("claims"), list):
        content = {**content, "claims": [one for one in claims if not (isinstance(one, dict) and one.get("measure"))]}
    try:
        spec: TableSpec = _adapter().validate_json(json.dumps(content), strict=True)
        _check(spec)
    except ValidationError as problem:
        raise _wrong(str(first_fault(problem))) from None
    except (ValueError, RecursionError, UserError) as problem:
        raise _wrong(str(problem)) from None
    return spec


def _wrong(problem: str) -> UserError:
    return UserError(f"a frozen table: {problem}; `parsenet ablate` freezes it anew")


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(TableSpec)


def _check(spec: TableSpec) -> None:
    """Raises `ValueError` or `UserError` for the first thing that cannot be."""
    check_name(spec.name, "table's name")
    for kind, keys in (("row", [row.key for row in spec.rows]), ("column", [column.key for column in spec.columns])):
        if not keys or len(set(keys)) < len(keys):
            raise ValueError(f"{kind}s: expected at least one, and no key twice")
        for key in keys:
            check_name(key, f"{kind}'s key")
    for column in spec.columns:
        if not re.fullmatch(r"iu\[[^\[\]]+\]", column.metric) and column.metric not in metric_names.names():
            raise ValueError(f"columns.{column.key}.metric: there is no such metric")
    if not spec.labels:
        raise ValueError("labels: expected at least one")
    columns = {column.key for column in spec.columns}
    for row in spec.rows:
        if len(row.labels) != len(spec.labels):
            raise ValueError(f"rows.{row.key}.labels: expected {len(spec.labels)}, found {len(row.labels)}")
        if not row.paper.keys() <= columns or not all(map(_is_printed, row.paper.values())):
            raise ValueError(f"rows.{row.key}.paper: expected numbers as they are printed, by column")
    spec.cells(cited=True)  # what it sets has to be overrides
    if spec.main:
        parse_sum(spec.main)
    for claim in spec.claims:
        try:
            _check_claim(claim, spec.main)
        except ValueError as problem:
            raise ValueError(f"claims.{claim.key}: {problem!s:.200}") from None


def _is_printed(printed: Printed) -> bool:
    return not printed.text or printed.absent or _PRINTED.fullmatch(printed.text) is not None


def _check_claim(claim: Claim, main: str) -> None:
    if len(claim.holds_if) + len(claim.effect) > _LONGEST_CLAIM:
        raise ValueError("its expressions are too long")
    if claim.margin is not None and not abs(parse_margin(claim.margin, main).share) < 1e9:
        raise ValueError("margin: expected a number of percent points, or a share of an effect")
    holds, effect = parse(claim.holds_if), parse(claim.effect) if claim.effect else None
    if not holds.truth or (effect is not None and effect.truth):
        raise ValueError("expected a comparison in holds_if, and a difference in effect")
    for expression in filter(None, (holds, effect)):
        if expression.uses_margin and claim.margin is None:
            raise ValueError("it uses margin but gives none")
        if expression.counted_rows and claim.kind != "printed":
            raise ValueError("wins() counts printed numbers and needs kind: printed")
        for node in ast.walk(expression.tree):
            if isinstance(node, ast.Constant) and not (isinstance(node.value, int | float) and abs(node.value) < 1e9):
                raise ValueError("a number of it is too large")
