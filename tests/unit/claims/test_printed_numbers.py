"""Every claim of every table, judged by the numbers that the paper prints; `pytest -s` shows what each comes to.

python -m pytest -s -q tests/unit/claims/test_printed_numbers.py
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsenet_cli.claims.cells import Untestable
from parsenet_cli.claims.printed import on_print
from parsenet_cli.config import table_file
from parsenet_cli.config.expression import Reference, parse
from parsenet_cli.config.table import Claim, Column, Printed, Row, TableSpec
from tests.claim_store import claim, evaluate

PLACE = re.compile(r"§\d|Tables? \d|Fig\. \d|abstract|footnote \d")
NO_NUMBERS = "prints no numbers"


def comes_to(stated: Claim, table: TableSpec) -> str:
    """`holds`, `fails`, or `not printed`."""
    try:
        return "holds" if on_print(stated, table).holds else "fails"
    except Untestable:
        return "not printed"


@pytest.mark.parametrize("name", table_file.names())
def test_a_claim_holds_on_the_printed_numbers_or_says_why_not(name: str) -> None:
    table = table_file.load(name)
    unexplained, lines = [], [""]
    for stated in table.claims:
        answer = comes_to(stated, table)
        lines.append(f"{name:10} {stated.key:44} {stated.kind:10} {stated.where:22} {answer:11} {stated.note}")
        of_the_table = table.remark or NO_NUMBERS in table.note  # which has none
        if answer == "fails" or (answer == "not printed" and not of_the_table):
            unexplained += [stated.key] * (not stated.note)
        assert stated.kind != "printed" or answer != "not printed", stated.key
    print("\n".join(lines))
    assert not unexplained


@pytest.mark.parametrize("name", [*table_file.names(), "figures"])
def test_a_claim_has_a_place_in_the_paper(name: str) -> None:
    claims = table_file.figure_claims() if name == "figures" else table_file.load(name).claims
    for stated in claims:
        assert PLACE.search(stated.where), f"{name}: {stated.key}: {stated.where}"


def test_the_sentences_on_table_8_are_what_they_are_on_print() -> None:
    table = table_file.load("table8")
    found = {each.key: on_print(each, table) for each in table.claims if each.kind == "printed"}
    assert {key: each.holds for key, each in found.items()} == {
        "higher_than_many": True,
        "within_the_deviation": True,
        "better_on_most_categories": False,
        "no_worse_on_most_categories": True,
    }
    assert found["better_on_most_categories"].why == "wins(parsenet, deeplab_crf) > 10.5 is 10 > 10.5"
    assert found["within_the_deviation"].why.endswith("is 0.5 <= 0.5")


def page(**rows: tuple[str, ...]) -> TableSpec:
    """A table of these printed numbers: a column `x` of mean IU, then two of classes."""
    columns = (Column("x", "", "mean_iu"), Column("y", "", "iu[cat]"), Column("z", "", "iu[dog]"))
    made = (Row(key, (key,), paper=dict(zip("xyz", map(Printed, texts), strict=False))) for key, texts in rows.items())
    return TableSpec("own", "A table", "voc12", ("",), columns, tuple(made))


PAGE = page(a=("40.4", "1.0", "3.0"), b=("39.9", "0.9", "3.0"), c=("0.009", "–", "4"), d=("", "", ""))


@pytest.mark.parametrize(
    ("holds_if", "holds"),
    [
        ("a.x - b.x < margin", False),  # 0.5 exactly, which it is not in binary
        ("a.x - b.x <= margin", True),
        ("b.x < a.x < 41", True),
        ("c.x.collapsed", True),
        ("a.x.collapsed or c.x < b.x", True),
        ("a.x.collapsed and c.x < b.x", False),
        ("wins(a, b) >= 1", True),
        ("wins(a, b) > 1", False),  # the tie, and the column that is no class
        ("wins(c, a) >= 1 and wins(a, c) < 1", True),  # what is not printed counts for neither
        ("abs(b.x - a.x) > table2.deeplab.mean_iu", False),
        ("-a.x < 0", True),
    ],
)
def test_printed_numbers_are_reckoned_with_as_they_are_written(holds_if: str, holds: bool) -> None:
    assert on_print(claim(holds_if, margin=0.5), PAGE).holds is holds


@pytest.mark.parametrize(
    ("holds_if", "reason"),
    [
        ("a.x > d.x", "prints no number for d.x of own"),
        ("a.x > e.x", "prints no number for e.x of own"),
        ("a.x > table0.e.x", "there is no table 'table0'"),
        ("a.x > table2.e.x", "prints no number for e.x of table2"),
        ("spread(a.x) < spread(b.x)", "prints no spread"),
        ("wins(a, d) > 1", "there is no class of own whose numbers are printed for a and d"),
        ("wins(a, e) > 1", "there is no class of own whose numbers are printed for a and e"),
    ],
)
def test_what_is_not_printed_is_said_to_be_so(holds_if: str, reason: str) -> None:
    with pytest.raises(Untestable, match=reason):
        on_print(claim(holds_if), PAGE)


numbers = st.recursive(
    st.sampled_from(["a.x", "b.x", "c.y", "margin", "2", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-"), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda text: f"abs({text})"),
        inner.map(lambda text: f"-{text}"),
    ),
    max_leaves=4,
)
comparisons = st.tuples(numbers, st.sampled_from(["<", "<=", ">", ">="]), numbers).map(" ".join)
truths = st.recursive(
    comparisons,
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=3,
)
halves = st.integers(2, 8).map(lambda number: f"{number / 2}")  # exact in binary too


@settings(deadline=None, max_examples=100)
@given(text=truths, a=halves, b=halves, c=halves)
def test_a_claim_on_print_is_its_expression(text: str, a: str, b: str, c: str) -> None:
    def value_of(reference: Reference) -> float:
        return float({"a": a, "b": b, "c": c}[reference.row])

    try:
        parse(text)
    except ValueError:  # more absolutes than are allowed
        return
    found = on_print(claim(text, margin=2.0), page(a=(a,), b=(b,), c=("", c)))
    assert found.holds is bool(evaluate(text, value_of, margin=2.0))
