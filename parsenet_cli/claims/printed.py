"""What the paper's own printed numbers say of a claim, as if each were exact.

It decides the claims of kind `printed`, and tells of all others whether they hold where the paper made them
(tests/unit/claims/test_printed_numbers.py).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from parsenet_cli.claims.cells import Untestable
from parsenet_cli.config import table_file
from parsenet_cli.config.expression import (
    Margin,
    Reference,
    is_call,
    parse,
    parse_margin,
    parse_sum,
    reference_of,
    rows_of,
)
from parsenet_cli.config.table import Claim, Printed, TableSpec
from parsenet_cli.core.errors import UserError

COLLAPSED = Decimal(1)
"""Percent: a printed number below it is a collapse. The paper prints 0.009 and does not say of what."""

_COMPARED: dict[type[ast.cmpop], tuple[str, Callable[[Decimal, Decimal], bool]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}


@dataclass(frozen=True)
class OnPrint:
    """Whether a claim holds on the printed numbers, and its comparisons with the numbers in their places."""

    holds: bool
    why: str


def on_print(claim: Claim, table: TableSpec) -> OnPrint:
    """What the printed numbers say of a claim of `table`.

    Raises:
        Untestable: it is about something that the paper prints no numbers of.
    """
    page = _Page(table, None if claim.margin is None else parse_margin(claim.margin, table.main))
    holds = page.truth(parse(claim.holds_if).tree)
    return OnPrint(holds, "; ".join(page.read))


def effect_on_print(text: str, table: TableSpec) -> float | None:
    """A difference of cells of `table` on the printed numbers, in percent points; None where one of them is not printed."""
    try:
        return float(_Page(table, None).number(parse_sum(text).tree))
    except (Untestable, ValueError):
        return None


class _Page:
    """The printed numbers, and what was read of them."""

    def __init__(self, table: TableSpec, margin: Margin | None) -> None:
        self.read: list[str] = []
        self._table = table
        self._margin = margin

    def truth(self, node: ast.expr) -> bool:
        match node:
            case ast.BoolOp(op=op, values=values):
                truths = [self.truth(value) for value in values]
                return all(truths) if isinstance(op, ast.And) else any(truths)
            case ast.Attribute():
                value = self.number(node)
                self.read.append(f"{ast.unparse(node)} of {value}")
                return value < COLLAPSED
            case ast.Compare(left=left, ops=ops, comparators=others):
                if is_call(left, "spread"):
                    raise Untestable("the paper prints no spread over seeds")
                numbers = [self.number(side) for side in (left, *others)]
                signs = [_COMPARED[type(op)] for op in ops]
                words = [str(numbers[0]), *(f"{sign} {n}" for (sign, _), n in zip(signs, numbers[1:], strict=True))]
                self.read.append(f"{ast.unparse(node)} is {' '.join(words)}")
                return all(holds(a, b) for (_, holds), (a, b) in zip(signs, pairwise(numbers), strict=True))
        raise ValueError(f"'{ast.unparse(node)}' is no condition")

    def number(self, node: ast.expr) -> Decimal:
        match node:
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self.number(left), self.number(right)
                return a + b if isinstance(op, ast.Add) else a - b
            case ast.UnaryOp(operand=inner):
                return -self.number(inner)
            case ast.Attribute():
                return self._cell(reference_of(node))
            case ast.Constant(value=value):
                return Decimal(str(value))
            case ast.Name() if self._margin:
                share = Decimal(str(self._margin.share))
                effect = self._margin.effect
                return share if effect is None else share * max(self.number(effect.tree), Decimal(0))
            case ast.Call(args=[inner]):
                return abs(self.number(inner))
            case ast.Call():
                return Decimal(self._wins(*rows_of(node)))
        raise ValueError(f"'{ast.unparse(node)}' is no number")

    def _cell(self, cell: Reference) -> Decimal:
        try:
            table = table_file.load(cell.table) if cell.table else self._table
        except UserError:
            raise Untestable(f"there is no table '{cell.table}' whose printed numbers could be read") from None
        printed = _row(table, cell.row).get(cell.column, Printed())
        if printed.value is None:
            raise Untestable(f"the paper prints no number for {cell.key} of {table.name}")
        return Decimal(printed.text)

    def _wins(self, one: str, other: str) -> int:
        classes = [column.key for column in self._table.columns if column.metric.startswith("iu[")]
        values = [[_row(self._table, row).get(key, Printed()).value for row in (one, other)] for key in classes]
        pairs = [(first, second) for first, second in values if first is not None and second is not None]
        if not pairs:
            raise Untestable(f"there is no class of {self._table.name} whose numbers are printed for {one} and {other}")
        return sum(first > second for first, second in pairs)


def _row(table: TableSpec, key: str) -> dict[str, Printed]:
    """What is printed in a row, by column; nothing where there is no such row."""
    return next((dict(row.paper) for row in table.rows if row.key == key), {})
