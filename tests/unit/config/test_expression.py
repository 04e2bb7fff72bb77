"""Claims are stated in a language of cells, numbers and comparisons, and in nothing else."""

from __future__ import annotations

import pytest

from parsenet_cli.claims.contrast import condition_of, statements
from parsenet_cli.config.expression import Limit, Reference, parse, parse_limit


def test_truths_are_told_from_numbers() -> None:
    assert [parse(text).truth for text in ("a.x < 1", "a.x.collapsed", "a.x - 1", "a.x")] == [True, True, False, False]


def test_an_expression_names_each_cell_once_and_whether_it_needs_a_margin() -> None:
    expression = parse("a.x.collapsed or abs(a.x - table5.b.x) < a.x")
    assert expression.references == (
        Reference("a", "x", collapsed=True),
        Reference("a", "x"),
        Reference("b", "x", table="table5"),
    )
    assert not expression.uses_margin
    assert parse("a.x < margin").uses_margin


def test_spreads_of_cells_are_compared_and_rows_are_counted() -> None:
    spread = parse("spread(a.x, table5.b.x, a.x) > spread(c.x)")
    assert (spread.truth, spread.uses_spread, spread.counted_rows) == (True, True, ())
    assert spread.references == (Reference("a", "x"), Reference("b", "x", table="table5"), Reference("c", "x"))
    wins = parse("wins(a, b) - wins(b, a) > a.x")
    assert (wins.truth, wins.uses_spread, wins.counted_rows) == (True, False, ("a", "b"))
    assert wins.references == (Reference("a", "x"),)
    assert not parse("wins(a, b) + 1").truth
    assert parse(" + ".join(["wins(a, b)"] * 8) + " > 1").truth  # no absolutes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spread(a.x) - 1 < spread(b.x)", r"'spread\(a.x\)' can only be compared with another spread"),
        ("spread(a.x) < 1", "'1' is no spread of cells"),
        ("1 < spread(a.x)", "can only be compared"),
        ("spread(a.x) <= spread(b.x)", "can only be compared"),
        ("spread(a.x) < spread(b.x) < spread(c.x)", "can only be compared"),
        ("abs(spread(a.x)) < 1", "can only be compared"),
        ("spread(a.x)", "can only be compared"),
        ("spread(a.x + b.x) < spread(b.x)", "is no spread of cells"),
        ("spread(a.x) < spread()", r"'spread\(\)' is no spread of cells; write spread\(row.column, …\)"),
        ("spread(a.x.collapsed) < spread(b.x)", "is no spread of cells"),
        ("spread(a.x, by=b.x) < spread(b.x)", "is no spread of cells"),
        ("spread(a) < spread(b.x)", "is no spread of cells"),
        ("wins(a.x, b.x) > 1", r"counts nothing; write wins\(row, row\) with two rows of this table"),
        ("wins(a, a) > 1", "counts nothing"),
        ("wins(a) > 1", "counts nothing"),
        ("wins(a, b, c) > 1", "counts nothing"),
    ],
)
def test_spreads_and_wins_have_one_form(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


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
        "a.x / b.x < 1",
        "a.x == b.x",
        "not a.x.collapsed",
        "a.x and b.x",
        "(a.x < 1) + 1",
        "a.x[0]",
        "'text'",
        "'text'.x",
        "True",
        "[a.x]",
        "a.x if b.x else a.x",
        "lambda: a.x",
        "a.x; b.x",
        "abs(" * 5000 + "a.x" + ")" * 5000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an expression|not allowed|is no cell|needed|longer than"):
        parse(text)


def test_what_is_no_score_is_compared_with_a_limit() -> None:
    assert parse_limit("value > 10") == Limit(">", 10.0)
    assert parse_limit("value < 0.5") == Limit("<", 0.5)
    assert parse_limit("value == 1") == Limit("==", 1.0)


@pytest.mark.parametrize(
    "text", ["", "value", "value < margin", "a.x < 1", "1 < value < 2", "value >= 1", "a.x / b.x < 1", "value < True"]
)
def test_any_other_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no number with a limit|not an expression"):
        parse_limit(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("+".join(["abs(a.x)"] * 24) + " > 1", r"more than 6 abs\(\) in one comparison"),
        ("(" * 100_000, "longer than 4000 characters"),
        ("+".join(["a.x"] * 900) + " > 1", "nested more than 100 levels deep"),
        ("-" * 3000 + "a.x > 1", "not an expression|nested more than"),
        ("a.x > 1e999", "'1e309' is larger than 1000000"),
        ("value > 1e999", "'1e309' is larger than 1000000"),
        ("a.x > " + "9" * 400, "is larger than 1000000"),
        ("a.x > " + "9" * 3900, "larger than|not an expression"),
        ("b x " * 900, "not an expression"),
    ],
)
def test_expression_has_bounds_and_is_shown_in_part(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        (parse_limit if text.startswith("value") else parse)(text)
    assert len(str(raised.value)) < 400


def test_absolutes_of_a_claim_that_is_taken_are_taken_apart_at_once() -> None:
    six = parse(" + ".join(f"abs(a{i}.x)" for i in range(6)) + " > 1")
    assert len(list(statements(condition_of(six, "t", None)))) == 64
