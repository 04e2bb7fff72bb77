"""The little language in which a table states what the paper concludes from it.

    conv3.raw.collapsed or conv3.raw < conv3.norm
    pool6_fc7.norm - fc7.norm > table3.pool6_fc7.mean_iu - table3.fc7.mean_iu
    abs(pool6_fc7_y_e.mean_iu - pool6_fc7_y_l.mean_iu) < margin

Cells are `row.column`, those of another table `table.row.column`, in percent; `.collapsed` asks whether the cell's run
collapsed. There are numbers, the claim's `margin`, `+`, `-`, `abs`, comparisons, `and` and `or`, and two functions more:

    spread(a.x, b.x) < spread(c.x, d.x)     standard deviations over seeds, each pooled over its cells, compared
    wins(one, other) > 10.5                 in how many classes (columns of `iu[class]`) one row's printed number is larger

A number of a figure is compared with a limit: `value > 10`, `value < 0.5`, and what was counted also `value == 1`.

A margin is a number of percent points, a sum of cells, or a number times such a sum: `0.5`, `0.25 * main`,
`0.1 * (a.x - b.x)`. `main` is the main effect that the table states, a sum of cells too.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from parsenet_cli.config.table import CellKey
from parsenet_cli.core.text import shown

RESERVED = ("collapsed", "margin", "abs", "spread", "wins")
"""Words of the language: no row or column can have one as its key."""

LONGEST = 4000
"""Characters of an expression."""

DEEPEST = 100
MOST_ABSOLUTES = 6
"""In one comparison: each doubles the contrasts that it is taken apart into (claims/contrast.py)."""

LARGEST = 1_000_000
"""Number."""


@dataclass(frozen=True)
class Reference:
    """A cell that an expression names; `table` is empty for the claim's own table."""

    row: str
    column: str
    table: str = ""
    collapsed: bool = False

    @property
    def key(self) -> CellKey:
        """Where the cell stands in its table."""
        return CellKey(self.row, self.column)

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

    @property
    def uses_spread(self) -> bool:
        """Whether it compares how far the seeds lie apart."""
        return any(is_call(node, "spread") for node in ast.walk(self.tree))

    @property
    def counted_rows(self) -> tuple[str, ...]:
        """The rows whose printed numbers it counts (`wins`), each once."""
        calls = (node for node in ast.walk(self.tree) if isinstance(node, ast.Call) and is_call(node, "wins"))
        return tuple(dict.fromkeys(row for call in calls for row in rows_of(call)))


@dataclass(frozen=True)
class Limit:
    """That a number is above a limit, below it or equal to it."""

    sign: Literal["<", ">", "=="]
    limit: float


@dataclass(frozen=True)
class Margin:
    """What "about equal" means: a number of percent points, or a share of an effect that is measured as well.

    Attributes:
        share: The number before the sum; of a margin in points, these.
        effect: The sum of cells; None for a margin in points.
        is_main: Whether the sum is the table's main effect.
    """

    share: float
    effect: Expression | None = None
    is_main: bool = False


def parse(text: str) -> Expression:
    """The expression that a text is.

    Raises:
        ValueError: it is none of this language; the message says what is wrong.
    """
    tree = _tree(text)
    return Expression(tree, _is_truth(tree))


def parse_limit(text: str) -> Limit:
    """The limit that a text states: `value < 0.5`, or with `>` or `==`.

    Raises:
        ValueError: it states none.
    """
    match _tree(text):
        case ast.Compare(
            ast.Name("value"),
            [ast.Lt() | ast.Gt() | ast.Eq() as op],
            [ast.Constant(int() | float() as limit) as constant],
        ) if not isinstance(limit, bool):
            _is_truth(constant)
            return Limit("<" if isinstance(op, ast.Lt) else ">" if isinstance(op, ast.Gt) else "==", float(limit))
    raise ValueError(f"'{shown(text)}' is no number with a limit; write value < 0.5, value > 10 or value == 1")


def parse_sum(text: str) -> Expression:
    """A sum of cells, such as a table's main effect: cells, numbers, `+` and `-`.

    Raises:
        ValueError: it is none.
    """
    tree = _tree(text)
    expression = Expression(tree, _is_truth(tree))
    linear = (ast.BinOp, ast.UnaryOp, ast.Attribute, ast.Name, ast.Constant, ast.operator, ast.unaryop, ast.Load)
    if not expression.references or expression.uses_margin or not all(isinstance(n, linear) for n in ast.walk(tree)):
        raise ValueError(f"'{shown(text)}' is no sum of cells; write row.column - row.column")
    if any(cell.collapsed for cell in expression.references):
        raise ValueError(f"'{shown(text)}' is no sum of cells: .collapsed is true or false")
    return expression


def parse_margin(text: str | float, main: str = "") -> Margin:
    """The margin that a claim gives, in a table whose main effect is `main`.

    Raises:
        ValueError: it is none; the message says what is wrong.
    """
    if isinstance(text, float | int):
        return Margin(float(text))
    tree, share = _tree(text), 1.0
    match tree:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            _is_truth(tree)
            return Margin(float(value))
        case ast.BinOp(ast.Constant(int() | float() as value) as number, ast.Mult(), right) if not isinstance(
            value, bool
        ):
            _is_truth(number)
            share, tree = float(value), right
    is_main = isinstance(tree, ast.Name) and tree.id == "main"
    if is_main and not main:
        raise ValueError(f"'{shown(text)}' is a share of the main effect, and the table gives none; add main: to it")
    if not share > 0:
        raise ValueError(f"'{shown(text)}' is no margin: expected a share above 0")
    try:
        return Margin(share, parse_sum(main if is_main else ast.unparse(tree)), is_main)
    except ValueError:
        if is_main:
            raise
        raise ValueError(
            f"'{shown(text)}' is no margin; write percent points (0.5), a share of the table's main effect (0.25 * main) or "
            "of another sum of cells, 0.25 * (row.column - row.column)"
        ) from None


def _tree(text: str) -> ast.expr:
    """What Python's parser makes of the text; nothing that would be too much for it, or for those that walk the tree."""
    if len(text) > LONGEST:
        raise ValueError(f"'{shown(text)}' is longer than {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"'{shown(text)}' is not an expression") from None
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise ValueError(f"'{shown(text)}' is nested more than {DEEPEST} levels deep")
    return tree


def is_call(node: ast.AST, name: str) -> bool:
    """Whether this is a call of the function of this name."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def rows_of(call: ast.Call) -> list[str]:
    """The two rows of `wins(one, other)`. Raises `ValueError` for anything else."""
    match call:
        case ast.Call(args=[ast.Name(id=one), ast.Name(id=other)], keywords=[]) if one != other:
            return [one, other]
    raise ValueError(f"'{_shown(call)}' counts nothing; write wins(row, row) with two rows of this table")


def spread_of(call: ast.expr) -> tuple[Reference, ...]:
    """The cells of `spread(cell, …)`, each once.

    Raises:
        ValueError: it is none, or names something else than cells.
    """
    if isinstance(call, ast.Call) and is_call(call, "spread") and call.args and not call.keywords:
        cells = [reference_of(each) for each in call.args if isinstance(each, ast.Attribute)]
        if len(cells) == len(call.args) and not any(cell.collapsed for cell in cells):
            return tuple(dict.fromkeys(cells))
    raise ValueError(f"'{_shown(call)}' is no spread of cells; write spread(row.column, …) < spread(row.column, …)")


def _is_truth(node: ast.expr) -> bool:
    match node:
        case ast.Compare(left=left, ops=[ast.Lt() | ast.Gt()], comparators=[right]) if is_call(left, "spread"):
            for side in (left, right):
                spread_of(side)
            return True
        case ast.Call(func=ast.Name(id="spread")):
            raise ValueError(
                f"'{_shown(node)}' can only be compared with another spread, by < or >, and not reckoned with"
            )
        case ast.Call(func=ast.Name(id="wins")):
            rows_of(node)
        case ast.BoolOp(values=values):
            for value in values:
                if not _is_truth(value):
                    raise ValueError(f"'{_shown(value)}' is a number where a comparison is needed")
            return True
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in ops
        ):
            _need_numbers(left, *others)
            for pair in pairwise([left, *others]):
                if sum(is_call(node, "abs") for side in pair for node in ast.walk(side)) > MOST_ABSOLUTES:
                    raise ValueError(f"'{_shown(node)}' has more than {MOST_ABSOLUTES} abs() in one comparison")
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
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if value > LARGEST:  # there are no signs in a constant
                raise ValueError(f"'{_shown(node)}' is larger than {LARGEST}")
        case _:
            raise ValueError(
                f"'{_shown(node)}' is not allowed; use row.column, table.row.column, .collapsed, margin, numbers, "
                "+, -, abs(), spread(), wins(), <, <=, >, >=, and, or"
            )
    return False


def _need_numbers(*nodes: ast.expr) -> None:
    for node in nodes:
        if _is_truth(node):
            raise ValueError(f"'{_shown(node)}' is true or false where a number is needed")


def reference_of(node: ast.Attribute) -> Reference:
    """The cell that `row.column`, `table.row.column` or either with `.collapsed` names.

    Raises:
        ValueError: it names none.
    """
    parts = ast.unparse(node).split(".")
    collapsed = parts[-1] == "collapsed"
    match parts[:-1] if collapsed else parts:
        case [row, column] if all(map(str.isidentifier, parts)):
            return Reference(row, column, collapsed=collapsed)
        case [table, row, column] if all(map(str.isidentifier, parts)):
            return Reference(row, column, table, collapsed)
    raise ValueError(f"'{_shown(node)}' is no cell; write row.column or table.row.column")


def _shown(node: ast.AST) -> str:
    return shown(ast.unparse(node))


def _references(node: ast.AST) -> list[Reference]:
    if isinstance(node, ast.Attribute):
        return [reference_of(node)]
    return [reference for child in ast.iter_child_nodes(node) for reference in _references(child)]
