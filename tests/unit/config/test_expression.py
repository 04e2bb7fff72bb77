"""Claims are stated in a language of cells, numbers and comparisons, and in nothing else."""

from __future__ import annotations

import pytest

from parsenet_cli.config.expression import Reference, parse

CELLS = {"a.x": 3.0, "b.x": 1.0, "table5.a.x": 10.0, "b.x.collapsed": 1.0, "a.x.collapsed": 0.0}


def measured(reference: Reference) -> float:
    return CELLS[str(reference)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.x > b.x", True),
        ("a.x < b.x or b.x.collapsed", True),
        ("a.x < b.x and b.x.collapsed", False),
        ("b.x <= 1 < a.x", True),
        ("b.x < a.x < 2", False),
        ("abs(b.x - a.x) < margin", False),
        ("abs(b.x - a.x) <= margin + 0.5", True),
        ("a.x.collapsed", False),
        ("table5.a.x - a.x - (b.x - 2)", 8.0),
        ("-a.x + 1", -2.0),
    ],
)
def test_expressions_have_their_arithmetic_value(text: str, value: float) -> None:
    assert parse(text).evaluate(measured, margin=1.5) == value


def test_truths_are_told_from_numbers() -> None:
    assert [parse(text).truth for text in ("a.x < 1", "a.x.collapsed", "a.x - 1", "a.x")] == [True, True, False, False]


def test_an_expression_names_each_cell_once() -> None:
    expression = parse("a.x.collapsed or abs(a.x - table5.b.x) < a.x")
    assert expression.references == (
        Reference("a", "x", collapsed=True),
        Reference("a", "x"),
        Reference("b", "x", table="table5"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.x <",
        "a",
        "a.b.c.d",
        "a.x.collapsed.y.z",
        "collapsed",
        "__import__('os').system('true')",
        "a.x()",
        "abs(a.x, b.x)",
        "abs(a.x.collapsed)",
        "max(a.x, b.x)",
        "a.x * 2",
        "a.x == b.x",
        "not a.x.collapsed",
        "a.x and b.x",
        "(a.x < 1) + 1",
        "a.x[0]",
        "'text'",
        "True",
        "[a.x]",
        "a.x if b.x else a.x",
        "lambda: a.x",
        "a.x; b.x",
        "abs(" * 5000 + "a.x" + ")" * 5000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an expression|not allowed|is no cell|needed"):
        parse(text)


def test_a_margin_that_is_missing_is_an_error_not_a_zero() -> None:
    expression = parse("a.x < margin")
    assert expression.uses_margin
    with pytest.raises(ValueError, match="gives none"):
        expression.evaluate(measured)
