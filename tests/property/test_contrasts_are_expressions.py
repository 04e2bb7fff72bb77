"""A claim taken apart into contrasts says of any numbers what its expression says."""

from __future__ import annotations

import ast

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parsenet_cli.claims.contrast import All, AnyOf, Collapsed, Condition, Contrast, Steadier, condition_of, contrast_of
from parsenet_cli.config.expression import MOST_ABSOLUTES, Reference, parse, parse_margin
from tests.claim_store import evaluate

CELLS = ["a.x", "b.x", "c.y", "other.a.x"]

numbers = st.recursive(
    st.one_of(st.sampled_from([*CELLS, "margin"]), st.integers(0, 4).map(str)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-"), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda text: f"abs({text})"),
        inner.map(lambda text: f"-{text}"),
    ),
    max_leaves=6,
)
comparisons = st.one_of(
    st.tuples(numbers, st.sampled_from(["<", "<=", ">", ">="]), numbers).map(" ".join),
    st.tuples(numbers, st.sampled_from(["<", ">="]), numbers, st.just("<="), numbers).map(" ".join),
    st.sampled_from(["a.x.collapsed", "other.b.y.collapsed"]),
    st.sampled_from(["spread(a.x, b.x) < spread(c.y)", "spread(a.x) > spread(other.a.x, c.y)"]),
)
truths = st.recursive(
    comparisons,
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=4,
)
values = st.dictionaries(st.sampled_from([*CELLS, "collapsed"]), st.integers(-3, 3), min_size=5, max_size=5)


def measured_by(given_values: dict[str, int]):  # type: ignore[no-untyped-def]
    def measured(reference: Reference) -> float:
        if reference.collapsed:
            return float(given_values["collapsed"] > 0)
        name = f"{reference.row}.{reference.column}"
        return float(given_values[f"other.{name}" if reference.table == "other" else name])

    return measured


def total(contrast: Contrast, given_values: dict[str, int]) -> float:
    measured = measured_by(given_values)
    return sum((weight * measured(cell) for cell, weight in contrast.weights), contrast.constant)


def holds(stated: Condition, given_values: dict[str, int]) -> bool:
    match stated:
        case All(parts):
            return all(holds(part, given_values) for part in parts)
        case AnyOf(parts):
            return any(holds(part, given_values) for part in parts)
        case Collapsed():
            return given_values["collapsed"] > 0
        case Steadier():
            measured = measured_by(given_values)
            return bool(sum(map(measured, stated.less)) < sum(map(measured, stated.more)))
        case positive:
            value = total(positive.contrast, given_values)
            return value >= 0 if positive.or_zero else value > 0


@settings(deadline=None, max_examples=300)
@given(text=truths, given_values=values, margin=st.sampled_from([2.0, "2 * (b.x - other.a.x)", "c.y"]))
def test_a_condition_holds_when_its_expression_is_true(
    text: str, given_values: dict[str, int], margin: float | str
) -> None:
    assume(text.count("abs(") <= MOST_ABSOLUTES)  # more of them are refused
    stated = parse_margin(margin)
    effect = evaluate(ast.unparse(stated.effect.tree), measured_by(given_values)) if stated.effect else 1.0
    expected = evaluate(text, measured_by(given_values), margin=stated.share * max(0.0, effect))
    assert holds(condition_of(parse(text), "own", stated), given_values) == bool(expected)


@settings(deadline=None, max_examples=200)
@given(text=numbers, given_values=values)
def test_an_effect_is_its_expression(text: str, given_values: dict[str, int]) -> None:
    contrast = contrast_of(parse(text), "own", parse_margin(2.0))
    if "abs" in text:
        assert contrast is None
    else:
        assert contrast is not None
        assert total(contrast, given_values) == evaluate(text, measured_by(given_values), margin=2.0)
