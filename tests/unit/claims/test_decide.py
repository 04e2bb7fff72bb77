"""From p-values to decisions: `and`, `or`, collapses and their correction."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from parsenet_cli.claims.contrast import Collapsed, Positive, Statement, Steadier, condition_of
from parsenet_cli.claims.decide import ClaimTest, Evidence, apply_holm, collapse_evidence, evidence_of, holm, p_values
from parsenet_cli.claims.estimate import Estimate
from parsenet_cli.config.expression import Reference, parse
from tests.claim_store import claim

MEANS = {"a": 2.0, "b": 0.0, "c": -3.0}


def estimated(part: Positive) -> Estimate:
    """Means as above, every contrast with an error of 1 and no end of degrees of freedom."""
    contrast = part.contrast
    return Estimate(sum(w * MEANS[cell.row] for cell, w in contrast.weights) + contrast.constant, 1.0, math.inf)


def evidence(text: str, collapsed: tuple[bool, ...] = (), margin: float | None = None) -> Evidence:
    def of(part: Statement) -> Evidence:
        assert not isinstance(part, Steadier)
        return (
            evidence_of(estimated(part), part.or_zero) if isinstance(part, Positive) else collapse_evidence(collapsed)
        )

    return p_values(condition_of(parse(text), "own", margin), of)


UPPER_TAIL = {1.0: 0.158655, 2.0: 0.022750, 3.0: 0.001350, 5.0: 0.000000287}


def test_a_comparison_has_two_one_sided_p_values() -> None:
    found = evidence("a.x > b.x")
    assert found.support == pytest.approx(UPPER_TAIL[2.0], rel=1e-4)
    assert found.refute == pytest.approx(1 - UPPER_TAIL[2.0], rel=1e-4)


def test_and_takes_the_worse_of_its_parts_and_or_twice_the_better() -> None:
    both, either = evidence("a.x > b.x and b.x > c.x"), evidence("a.x > b.x or b.x > c.x")
    assert both.support == pytest.approx(UPPER_TAIL[2.0], rel=1e-4)
    assert either.support == pytest.approx(2 * UPPER_TAIL[3.0], rel=1e-3)
    assert either.refute == pytest.approx(1 - UPPER_TAIL[3.0], rel=1e-6)


def test_about_equal_needs_both_sides() -> None:
    inside = evidence("abs(a.x - b.x) < margin", margin=5.0)
    assert inside.support == pytest.approx(UPPER_TAIL[3.0], rel=1e-3)
    at_the_edge = evidence("abs(a.x - b.x) < margin", margin=2.0)
    assert at_the_edge.support == pytest.approx(0.5)
    outside = evidence("abs(c.x - a.x) < margin", margin=2.0)
    assert outside.refute == pytest.approx(2 * UPPER_TAIL[3.0], rel=1e-3)


@pytest.mark.parametrize(
    ("seeds", "support", "refute"),
    [
        ((True, True, True), 0.0, 1.0),
        ((False, False, False), 1.0, 0.0),
        ((True, True, False), 1.0, 1.0),
        ((True, True), 1.0, 1.0),
        ((False, False), 1.0, 1.0),
    ],
)
def test_a_collapse_is_decided_by_all_of_three_seeds(seeds: tuple[bool, ...], support: float, refute: float) -> None:
    assert evidence("a.x.collapsed", seeds) == Evidence(support, refute)


def test_a_collapse_that_is_not_there_costs_the_alternative_nothing() -> None:
    found = evidence("c.x.collapsed or c.x < b.x", (False, False, False))
    assert found.support == pytest.approx(UPPER_TAIL[3.0], rel=1e-3)


def test_exact_differences_are_true_or_false() -> None:
    same = Estimate(0.0, 0.0, math.inf, exact="the same run")
    for text, true in [("a.x > b.x", False), ("a.x >= b.x", True), ("abs(a.x - b.x) < margin", True)]:
        stated = condition_of(parse(text), "own", 0.5)

        def exact(part: Statement) -> Evidence:
            assert isinstance(part, Positive)
            return evidence_of(replace(same, value=part.contrast.constant), part.or_zero)

        found = p_values(stated, exact)
        assert (found.support, found.refute) == ((0.0, 1.0) if true else (1.0, 0.0)), text


def test_correction_by_hand() -> None:
    # Twice: 0.02, 0.08, 0.06, 0.01. Sorted 0.01, 0.02, 0.06, 0.08; times 4, 3, 2, 1; never falling: 0.04, 0.06, 0.12, 0.12.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.06, 0.12, 0.12, 0.04])
    assert holm([0.9, 0.3]) == [1.0, 1.0]
    assert holm([]) == []


def test_verdicts_are_corrected_for_the_claims_that_were_tested() -> None:
    def case(key: str, found: Evidence | None) -> ClaimTest:
        return ClaimTest(claim("a.x > b.x", key=key), "own", "quick", "this was found", found)

    cases = [
        case("strong", Evidence(0.001, 0.999)),
        case("would be alone", Evidence(0.03, 0.97)),
        case("against", Evidence(0.9999, 0.0001)),
        case("untested", None),
    ]
    verdicts = {verdict.key: verdict for verdict in apply_holm(cases)}
    assert {key: verdict.outcome for key, verdict in verdicts.items()} == {
        "strong": "supported",
        "would be alone": "undecided",
        "against": "refuted",
        "untested": "undecided",
    }
    assert verdicts["strong"].p == pytest.approx(0.006)
    assert verdicts["would be alone"].p == pytest.approx(0.12)
    assert verdicts["against"].p == pytest.approx(0.0006)
    assert verdicts["untested"].p is None
    assert verdicts["untested"].why == "this was found."


def test_a_verdict_on_printed_numbers_has_no_p_value_and_corrects_nothing() -> None:
    test = ClaimTest(claim("a.x > b.x"), "own", "quick", "this was found", Evidence(0.02, 0.98))
    printed = [ClaimTest(claim("a.x > b.x"), "own", "quick", "on print", outcome=o) for o in ("supported", "refuted")]
    alone, first, second = apply_holm([test, *printed])
    assert [first.outcome, second.outcome] == ["supported", "refuted"]
    assert (first.p, first.effect, first.why) == (None, None, "on print.")
    assert [alone] == apply_holm([test])
    assert alone.p == pytest.approx(0.04)


def test_the_cells_of_a_condition_name_their_table() -> None:
    stated = condition_of(parse("a.x.collapsed"), "own", None)
    assert stated == Collapsed(Reference("a", "x", table="own"))
    a, b, c = (Reference(row, "x", table=table) for row, table in (("a", "own"), ("b", "other"), ("c", "own")))
    text = "spread(a.x, a.x, other.b.x) > spread(c.x)"
    assert condition_of(parse(text), "own", None) == Steadier((c,), (a, b), text)
