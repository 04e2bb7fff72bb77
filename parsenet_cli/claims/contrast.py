"""From a claim's expression to what statistics can test: linear contrasts of cells, joined by `and` and `or`.

A comparison of sums of cells is one contrast that has to be positive. An absolute value is taken apart: `abs(x) < m` is
`x < m and -x < m`, an equivalence; `m < abs(x)` is `m < x or m < -x`. So is a margin that is a share c of an effect r, where
that effect is there at all: with m = c max(r, 0), `x < m` is `x < c r or x < 0`, and `x > m` is `x > c r and x > 0`. The noise of
r is then in the test. Nothing is lost: the condition is true of any numbers of which the expression is
(tests/property/test_contrasts_are_expressions.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from parsenet_cli.config.expression import Expression, Margin, Reference, is_call, reference_of, spread_of
from parsenet_cli.core.text import shown


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of cells and a constant, in percent points; every reference names its table."""

    weights: tuple[tuple[Reference, float], ...]
    constant: float = 0.0


@dataclass(frozen=True)
class Positive:
    """That a contrast is above zero; with `or_zero`, that it is not below.

    Attributes:
        text: The comparison as it is written in the claim.
    """

    contrast: Contrast
    or_zero: bool
    text: str


@dataclass(frozen=True)
class Collapsed:
    """That the runs of a cell collapse."""

    cell: Reference


@dataclass(frozen=True)
class Steadier:
    """That the seeds of some cells lie less far apart than those of others (standard deviation, pooled over the cells).

    Attributes:
        text: The comparison as it is written in the claim.
    """

    less: tuple[Reference, ...]
    more: tuple[Reference, ...]
    text: str


@dataclass(frozen=True)
class All:
    """That every part holds.

    Attributes:
        led: Of a margin: against it counts the first part alone, which needs no correction for a choice.
    """

    parts: tuple[Condition, ...]
    led: bool = False


@dataclass(frozen=True)
class AnyOf:
    """That a part holds; `led`: for it counts the first part alone."""

    parts: tuple[Condition, ...]
    led: bool = False


Statement = Positive | Collapsed | Steadier
Condition = Statement | All | AnyOf


def statements(condition: Condition) -> Iterator[Statement]:
    """The statements that a condition joins."""
    if isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from statements(part)
    else:
        yield condition


def condition_of(expression: Expression, table: str, margin: Margin | None = None) -> Condition:
    """The condition that a true-or-false expression of `table`'s claims states."""
    return _condition(expression.tree, table, margin)


def contrast_of(expression: Expression, table: str, margin: Margin | None = None) -> Contrast | None:
    """The contrast that an expression is; None where it takes an absolute value or a margin's effect and so is none."""
    total = _sum(expression.tree, table, margin)
    return None if total.absolutes or total.margins else total.contrast()


def yardstick_of(margin: Margin | None, table: str) -> Contrast | None:
    """The effect that a margin is a share of; None where it is none."""
    return contrast_of(margin.effect, table) if margin and margin.effect else None


@dataclass(frozen=True)
class _Sum:
    """A sum of cells, a constant, signed absolute values, and how often a margin that is a share of an effect."""

    weights: dict[Reference, float] = field(default_factory=dict)
    constant: float = 0.0
    absolutes: tuple[tuple[float, _Sum], ...] = ()
    margins: float = 0.0

    def contrast(self) -> Contrast:
        """Without its absolute values and margins."""
        return Contrast(tuple((cell, weight) for cell, weight in self.weights.items() if weight), self.constant)

    def plus(self, other: _Sum, factor: float = 1.0) -> _Sum:
        weights = dict(self.weights)
        for cell, weight in other.weights.items():
            weights[cell] = weights.get(cell, 0.0) + factor * weight
        scaled = tuple((factor * weight, inner) for weight, inner in other.absolutes)
        margins = self.margins + factor * other.margins
        return _Sum(weights, self.constant + factor * other.constant, self.absolutes + scaled, margins)


def _condition(node: ast.expr, table: str, margin: Margin | None) -> Condition:
    match node:
        case ast.BoolOp(op=op, values=values):
            joined = tuple(_condition(value, table, margin) for value in values)
            return All(joined) if isinstance(op, ast.And) else AnyOf(joined)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if is_call(left, "spread"):
            less, more = (left, right) if isinstance(op, ast.Lt) else (right, left)
            return Steadier(_cells(less, table), _cells(more, table), ast.unparse(node))
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = [left, *others]
            pairs = [_compared(a, op, b, table, margin) for a, op, b in zip(sides, ops, others, strict=False)]
            return pairs[0] if len(pairs) == 1 else All(tuple(pairs))
        case ast.Attribute():
            return Collapsed(_cell(node, table))
    raise ValueError(f"'{shown(ast.unparse(node))}' is no condition")


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, table: str, margin: Margin | None) -> Condition:
    text = ast.unparse(ast.Compare(left, [op], [right]))
    less, more = (left, right) if isinstance(op, ast.Lt | ast.LtE) else (right, left)
    total = _sum(more, table, margin).plus(_sum(less, table, margin), -1.0)
    return _positive(total, isinstance(op, ast.LtE | ast.GtE), text, table, margin)


def _positive(total: _Sum, or_zero: bool, text: str, table: str, margin: Margin | None) -> Condition:
    if total.absolutes:
        (weight, inner), *others = total.absolutes
        rest = replace(total, absolutes=tuple(others))
        signs = tuple(_positive(rest.plus(inner, sign * weight), or_zero, text, table, margin) for sign in (1.0, -1.0))
        return AnyOf(signs) if weight > 0 else All(signs)  # abs(x) is the larger of x and -x
    without = Positive(total.contrast(), or_zero, text)
    if not (total.margins and margin and margin.effect):
        return without
    within = total.plus(_sum(margin.effect.tree, table, None), margin.share * total.margins)
    parts = (Positive(within.contrast(), or_zero, text), without)
    return AnyOf(parts, led=True) if total.margins > 0 else All(parts, led=True)


def _sum(node: ast.expr, table: str, margin: Margin | None) -> _Sum:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            factor = 1.0 if isinstance(op, ast.Add) else -1.0
            return _sum(left, table, margin).plus(_sum(right, table, margin), factor)
        case ast.UnaryOp(operand=inner):
            return _Sum().plus(_sum(inner, table, margin), -1.0)
        case ast.Call(func=ast.Name(id="abs"), args=[inner]):
            return _Sum(absolutes=((1.0, _sum(inner, table, margin)),))
        case ast.Attribute():
            return _Sum({_cell(node, table): 1.0})
        case ast.Constant(value=int() | float() as number):
            return _Sum(constant=float(number))
        case ast.Name() if margin is not None:
            return _Sum(margins=1.0) if margin.effect else _Sum(constant=margin.share)
    raise ValueError(f"'{shown(ast.unparse(node))}' is no number")


def _cell(node: ast.Attribute, table: str) -> Reference:
    return _of_table(reference_of(node), table)


def _cells(node: ast.expr, table: str) -> tuple[Reference, ...]:
    return tuple(_of_table(cell, table) for cell in spread_of(node))


def _of_table(cell: Reference, table: str) -> Reference:
    return replace(cell, table=cell.table or table, collapsed=False)
