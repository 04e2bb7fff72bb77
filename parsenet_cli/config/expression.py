"""The little language in which a table states what the paper concludes from it.

    conv3.raw.collapsed or conv3.raw < conv3.norm
    pool6_fc7.norm - fc7.norm > table3.pool6_fc7.mean_iu - table3.fc7.mean_iu
    abs(pool6_fc7_y_e.mean_iu - pool6_fc7_y_l.mean_iu) < margin

Cells are `row.column`, those of another table `table.row.column`, in percent; `.collapsed` asks whether the cell's run
collapsed. There are numbers, the claim's `margin`, `+`, `-`, `abs`, comparisons, `and` and `or`, and nothing else.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass

RESERVED = ("collapsed", "margin", "abs")
"""Words of the language: no row or column can have one as its key."""

_COMPARE: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Reference:
    """A cell that an expression names; `table` is empty for the claim's own table."""

    row: str
    column: str
    table: str = ""
    collapsed: bool = False

    def __str__(self) -> str:
        return ".".join(filter(None, [self.table, self.row, self.column, "collapsed" if self.collapsed else ""]))


@dataclass(frozen=True)
class Expression:
    """A parsed expression; `truth` says whether it is true or false, rather than a number of percent points."""

    tree: ast.expr
    truth: bool

    @property
    def references(self) -> tuple[Reference, ...]:
        """The cells it names, each once."""
        return tuple(dict.fromkeys(_references(self.tree)))

    @property
    def uses_margin(self) -> bool:
        """Whether the claim has to say what "about equal" means."""
        return any(isinstance(node, ast.Name) and node.id == "margin" for node in ast.walk(self.tree))

    def evaluate(self, measured: Callable[[Reference], float], margin: float | None = None) -> float:
        """Its value, where `measured` gives each cell (percent; 1 or 0 for `.collapsed`). A truth is True or False."""
        return _evaluate(self.tree, measured, margin)


def parse(text: str) -> Expression:
    """Raises `ValueError`, with what is wrong, for anything that is not an expression of this language."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        return Expression(tree, _is_truth(tree))
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"'{text}' is not an expression") from None


def _is_truth(node: ast.expr) -> bool:
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                if not _is_truth(value):
                    raise ValueError(f"'{ast.unparse(value)}' is a number where a comparison is needed")
            return True
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            _need_numbers(left, *others)
            return True
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            _need_numbers(left, right)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            _need_numbers(inner)
        case ast.Call(func=ast.Name(id="abs"), args=[inner], keywords=[]):
            _need_numbers(inner)
        case ast.Attribute():
            return reference_of(node).collapsed
        case ast.Name(id="margin"):
            pass
        case ast.Constant(value=value) if type(value) in (int, float):
            pass
        case _:
            raise ValueError(
                f"'{ast.unparse(node)}' is not allowed; use row.column, table.row.column, .collapsed, margin, numbers, "
                "+, -, abs(), <, <=, >, >=, and, or"
            )
    return False


def _need_numbers(*nodes: ast.expr) -> None:
    for node in nodes:
        if _is_truth(node):
            raise ValueError(f"'{ast.unparse(node)}' is true or false where a number is needed")


def reference_of(node: ast.Attribute) -> Reference:
    """The cell that `row.column`, `table.row.column` or either with `.collapsed` names. Raises `ValueError` for another name."""
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.insert(0, inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name):
        parts.insert(0, inner.id)
        collapsed = parts[-1] == "collapsed"
        match parts[:-1] if collapsed else parts:
            case [row, column]:
                return Reference(row, column, collapsed=collapsed)
            case [table, row, column]:
                return Reference(row, column, table, collapsed)
    raise ValueError(f"'{ast.unparse(node)}' is no cell; write row.column or table.row.column")


def _references(node: ast.AST) -> list[Reference]:
    if isinstance(node, ast.Attribute):
        return [reference_of(node)]
    return [reference for child in ast.iter_child_nodes(node) for reference in _references(child)]


def _evaluate(node: ast.expr, measured: Callable[[Reference], float], margin: float | None) -> float:
    def value(inner: ast.expr) -> float:
        return _evaluate(inner, measured, margin)

    match node:
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)(value(inner) for inner in values)
        case ast.Compare(left=left, ops=ops, comparators=others):
            numbers = [value(inner) for inner in [left, *others]]
            return all(_COMPARE[type(op)](a, b) for op, a, b in zip(ops, numbers, numbers[1:], strict=False))
        case ast.BinOp(left=left, op=op, right=right):
            return value(left) + value(right) if isinstance(op, ast.Add) else value(left) - value(right)
        case ast.UnaryOp(operand=inner):
            return -value(inner)
        case ast.Call(args=[inner]):
            return abs(value(inner))
        case ast.Attribute():
            return measured(reference_of(node))
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name() if margin is not None:
            return margin
    raise ValueError("the claim uses 'margin' but gives none")
