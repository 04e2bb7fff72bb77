"""From p-values of statements to those of a claim: `and`, `or`, margins, collapses, looks; and to a family's verdicts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from parsenet_cli.claims.contrast import Collapsed, Positive, Statement, Steadier, condition_of
from parsenet_cli.claims.estimate import Estimate
from parsenet_cli.claims.family import adjusted, decided, level
from parsenet_cli.claims.looks import (
    LOOKS,
    SHARES,
    Evidence,
    Look,
    collapse_evidence,
    evidence_of,
    looks_within,
    over_looks,
    p_values,
    sequential,
)
from parsenet_cli.claims.verdict import Verdict
from parsenet_cli.config.expression import Reference, parse, parse_margin

MEANS = {"a": 2.0, "b": 0.0, "c": -3.0}


def estimated(part: Positive) -> Estimate:
    """Means as above, every contrast with an error of 1 and no end of degrees of freedom."""
    contrast = part.contrast
    return Estimate(sum(w * MEANS[cell.row] for cell, w in contrast.weights) + contrast.constant, 1.0, math.inf)


def evidence(text: str, collapsed: tuple[bool, ...] = (), margin: float | str | None = None) -> Evidence:
    def of(part: Statement) -> Evidence:
        assert not isinstance(part, Steadier)
        return (
            evidence_of(estimated(part), part.or_zero) if isinstance(part, Positive) else collapse_evidence(collapsed)
        )

    return p_values(condition_of(parse(text), "own", None if margin is None else parse_margin(margin)), of)


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


def test_a_margin_of_an_effect_is_a_contrast_that_needs_no_correction_for_its_choice() -> None:
    # main = a - c = 5, the margin 2.5: x = b - c = 3 is beyond it by 0.5, x = a - b = 2 within it by 0.5.
    main = "0.5 * (a.x - c.x)"
    assert evidence("b.x - c.x < margin", margin=main).support == pytest.approx(1 - 0.308538, rel=1e-4)
    assert evidence("b.x - c.x < margin", margin=main).refute == pytest.approx(0.308538, rel=1e-4)
    assert evidence("a.x - b.x < margin", margin=main).support == pytest.approx(0.308538, rel=1e-4)
    assert evidence("b.x - c.x > margin", margin=main) == evidence("margin < b.x - c.x", margin=main)
    assert evidence("b.x - c.x > margin", margin=main).support == pytest.approx(0.308538, rel=1e-4)
    outside = evidence("abs(c.x - b.x) < margin", margin=main)
    assert outside.refute == pytest.approx(2 * 0.308538, rel=1e-4), "either side may be the one"
    # A main effect below zero makes no margin: what is beyond zero is refuted by that alone.
    negative = evidence("a.x - b.x < margin", margin="0.5 * (c.x - a.x)")
    assert negative.support == pytest.approx(1.0, abs=1e-4)
    assert negative.refute == pytest.approx(UPPER_TAIL[2.0], rel=1e-4)


@pytest.mark.parametrize(
    ("seeds", "support", "refute"),
    [
        ([True] * 3, 0.125, 1.0),
        ([True] * 5, 0.03125, 1.0),
        ([True] * 8, 0.00390625, 1.0),
        ([True] + [False] * 7, 0.99609375, 0.03515625),
        ([False] * 3, 1.0, 0.125),
    ],
)
def test_a_collapse_is_a_binomial_test_and_no_certainty(seeds: list[bool], support: float, refute: float) -> None:
    found = evidence("a.x.collapsed", tuple(seeds))
    assert [found.support, found.refute] == pytest.approx([support, refute])


def test_an_alternative_is_corrected_for_whatever_the_data_say() -> None:
    none_did, all_did = (evidence("c.x.collapsed or c.x < b.x", (did,) * 3) for did in (False, True))
    assert none_did.support == pytest.approx(2 * UPPER_TAIL[3.0], rel=1e-3)
    assert all_did.support == none_did.support


def test_exact_differences_are_true_or_false() -> None:
    same = Estimate(0.0, 0.0, math.inf, exact="the same run")
    for text, true in [("a.x > b.x", False), ("a.x >= b.x", True), ("abs(a.x - b.x) < margin", True)]:
        stated = condition_of(parse(text), "own", parse_margin(0.5))

        def exact(part: Statement) -> Evidence:
            assert isinstance(part, Positive)
            return evidence_of(replace(same, value=part.contrast.constant), part.or_zero)

        found = p_values(stated, exact)
        assert (found.support, found.refute) == ((0.0, 1.0) if true else (1.0, 0.0)), text


def test_the_cells_of_a_condition_name_their_table() -> None:
    stated = condition_of(parse("a.x.collapsed"), "own", None)
    assert stated == Collapsed(Reference("a", "x", table="own"))
    a, b, c = (Reference(row, "x", table=table) for row, table in (("a", "own"), ("b", "other"), ("c", "own")))
    text = "spread(a.x, a.x, other.b.x) > spread(c.x)"
    assert condition_of(parse(text), "own", None) == Steadier((c,), (a, b), text)


# --- looks ------------------------------------------------------------------------------------------------------------------


def test_looks_share_one_error_and_the_smallest_counts() -> None:
    assert math.isclose(sum(SHARES), 1.0)
    assert len(LOOKS) == len(SHARES)
    assert sequential(np.array([0.02, 0.009, 0.03])) == pytest.approx([0.066667, 0.036, 0.036], abs=1e-6)
    looks = [Look(3, 0.02, 0.98), Look(5, 0.009, 0.9), Look(8, 0.03, 0.5)]
    assert over_looks(looks).support == pytest.approx(0.036)
    assert over_looks(looks).refute == 1.0
    assert over_looks([Look(0, 0.02, 0.98)]) == Evidence(0.02, 0.98), "a figure has one look and the whole error"


@pytest.mark.parametrize(("seeds", "looks"), [(2, ()), (3, (3,)), (10, (3, 5, 8)), (30, LOOKS)])
def test_seeds_between_two_looks_wait_for_the_next(seeds: int, looks: tuple[int, ...]) -> None:
    assert looks_within(seeds) == looks


def test_looking_as_often_as_one_likes_is_paid_for() -> None:
    """Of a true null hypothesis the smallest p-value over all looks is below u with a probability of at most u."""
    random = np.random.default_rng(1)
    steps = random.standard_normal((20_000, 20)).cumsum(axis=1)
    z = steps[:, [look - 1 for look in LOOKS]] / np.sqrt(LOOKS)
    from scipy import stats

    last = sequential(stats.norm.sf(z))[:, -1]
    assert (last <= 0.05).mean() < 0.05
    assert (stats.norm.sf(z).min(axis=1) <= 0.05).mean() > 0.1, "without the shares"


# --- families ---------------------------------------------------------------------------------------------------------------


def test_q_values_by_hand() -> None:
    p = [0.0002, 0.004, 0.019, 0.027, 0.2]
    assert list(adjusted(np.array(p)) <= 0.05) == [True, True, True, True, False]
    assert list(adjusted(np.array([*p, 1, 1, 1])) <= 0.05) == [True, True] + [False] * 6
    # Sorted 0.005, 0.01, 0.03, 0.04; times 4/1, 4/2, 4/3, 4/4; never less than what follows.
    assert adjusted(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert list(adjusted(np.array([0.9, 0.8]))) == [0.9, 0.9]
    assert adjusted(np.array([])).size == 0


def case(key: str, support: float | None, refute: float = 1.0, family: str = "own", fact: str = "") -> Verdict:
    looks = () if support is None else (Look(0, support, refute),)
    return Verdict("own", key, "It holds.", "Table 1", "stated", "", "quick", family, looks=looks, fact=fact)


def test_verdicts_are_those_of_a_family_of_fixed_size() -> None:
    cases = [
        case("strong", 0.001, 0.999),
        case("alone", 0.03, 0.97),
        case("against", 0.9999, 0.0001),
        case("untested", None),
    ]
    verdicts = {verdict.key: verdict for verdict in decided(cases, {})}
    assert {key: verdict.outcome for key, verdict in verdicts.items()} == {
        "strong": "supported",
        "alone": "supported",  # 4 / 3 * 0.03
        "against": "refuted",
        "untested": "undecided",
    }
    assert verdicts["strong"].q == pytest.approx(0.002)
    assert verdicts["against"].q == pytest.approx(0.0004)
    assert (verdicts["alone"].p_support, verdicts["alone"].p_refute) == (0.03, 0.97)
    assert verdicts["untested"].q is None
    # Two claims of a table that was not run make the family larger, and facts do not.
    more = {verdict.key: verdict for verdict in decided([*cases, case("fact", None, fact="counted")], {"own": 2})}
    assert more["alone"].q == pytest.approx(0.06)
    assert more["alone"].outcome == "undecided"
    assert more["alone"].leaning == "supported"
    assert level(list(more.values()), "own", 2) == pytest.approx(0.05 * 3 / 6)


def test_one_claim_is_decided_at_five_percent_and_not_at_half_of_it() -> None:
    (verdict,) = decided([case("one", 0.04, 0.96)], {})
    assert verdict.outcome == "supported"


def test_families_do_not_weaken_each_other() -> None:
    (alone,) = decided([case("one", 0.04)], {})
    both = decided([case("one", 0.04), *(case(str(n), 0.5, family="beyond") for n in range(20))], {})
    assert both[0] == alone


def test_the_smaller_p_value_of_an_undecided_claim_says_to_which_side_it_leans() -> None:
    (verdict,) = decided([case("leans", 0.9, 0.1)], {})
    assert (verdict.outcome, verdict.leaning) == ("undecided", "refuted")
    assert verdict.q == pytest.approx(0.1)
