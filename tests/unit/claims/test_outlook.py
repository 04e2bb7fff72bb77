"""What would decide a claim: chances, seeds, and which runs pay most."""

from __future__ import annotations

import math

import numpy as np
import pytest

from parsenet_cli.claims.contrast import All, Collapsed, Positive, condition_of
from parsenet_cli.claims.estimate import Estimate, Noise
from parsenet_cli.claims.looks import LOOKS
from parsenet_cli.claims.outlook import Outlook, Seen, best_option, chance_of, error_at, outlook, seeds_for
from parsenet_cli.config.expression import parse

NOISE = Noise(seeds=3, images=0.25, shared=0.5, seed=12.0, df=4.0, expected=30.0)


def ahead(text: str, effect: float, noise: Noise = NOISE) -> Outlook:
    """Of one comparison that was looked at with three seeds."""
    condition = condition_of(parse(text), "own")
    assert isinstance(condition, Positive)
    error = float(error_at(3, noise))
    return outlook(condition, {condition: Estimate(effect, error**2, 6.0, noise=noise)}, 3, 0.01)


def test_chances_and_seeds_by_hand() -> None:
    chances = chance_of(8.0, NOISE, (5, 8, 12), np.full(3, 0.0023))
    assert chances == pytest.approx([0.4656, 0.8974, 0.9528], abs=5e-5)
    assert seeds_for(np.array([8.0]), np.array([12.0]), NOISE, 0.0023).tolist() == [7.0]


def test_a_claim_has_a_chance_at_each_look_and_seeds_with_an_interval() -> None:
    found = ahead("a.x > b.x", 8.0)
    assert list(found.chances) == [5, 8, 12, 20]
    values = list(found.chances.values())
    assert values == sorted(values)
    assert found.needed is not None
    assert found.needed.low is not None
    assert found.needed.seeds is not None
    assert found.needed.high is not None
    assert 2 <= found.needed.low < found.needed.seeds < found.needed.high
    assert ahead("a.x > b.x", 8.0) == found, "the draws are the same every time"
    against = ahead("a.x < b.x", -8.0)
    assert against.chances == found.chances


def test_more_seeds_do_not_help_where_the_images_are_too_few() -> None:
    noise = Noise(seeds=3, images=9.0, shared=0.0, seed=0.3, df=4.0, expected=0.3)
    found = ahead("a.x > b.x", 2.0, noise)
    assert found.images
    assert found.needed is not None
    assert found.needed.seeds is None
    assert max(found.chances.values()) < 0.01
    assert not ahead("a.x > b.x", 8.0).images


def test_parts_that_all_have_to_hold_are_as_likely_as_the_least_likely() -> None:
    condition = condition_of(parse("a.x > b.x and c.x > b.x"), "own")
    assert isinstance(condition, All)
    first, second = condition.parts
    assert isinstance(first, Positive)
    assert isinstance(second, Positive)
    estimates: Seen = {part: Estimate(effect, 4.0, 6.0, noise=NOISE) for part, effect in ((first, 8.0), (second, 4.0))}
    both = outlook(condition, estimates, 3, 0.01)
    alone = outlook(second, estimates, 3, 0.01)
    assert both.chances == alone.chances
    assert both.hangs_on == second


def test_a_collapse_to_come_is_as_likely_as_those_so_far() -> None:
    condition = condition_of(parse("a.x.collapsed"), "own")
    assert isinstance(condition, Collapsed)
    found = outlook(condition, {condition: [True] * 3}, 3, 0.05)
    assert found.chances[5] == 0.0, "five of five are p = 0.03, and the look has a quarter of 0.05"
    assert 0.5 < found.chances[8] < 1
    assert math.isclose(outlook(condition, {condition: [True, False] * 4}, 8, 0.05).chances[12], 0.0, abs_tol=0.01)


def test_the_option_with_the_most_expected_verdicts_per_second_comes_first() -> None:
    # Claims 0 and 1 share cell 1; claim 2 has two dear cells.
    needs = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]], bool)
    seeds, seconds = np.full(5, 3), np.array([10.0, 10, 10, 1000, 1000])
    chances = np.zeros((3, len(LOOKS)))
    chances[0, 1:], chances[1, 1:], chances[2, 1:] = 0.9, 0.2, 1.0
    first = best_option(needs, seeds, seconds, chances, lambda runs, time: True)
    assert first is not None
    assert (first.claim, first.look, first.runs, first.seconds) == (0, 5, 4, 40.0)
    assert first.gain == pytest.approx(0.9)
    # With cells 0 and 1 at five seeds, claim 1 needs two runs only.
    second = best_option(
        needs, np.array([5, 5, 3, 3, 3]), seconds, np.where([[0], [1], [1]], chances, 0), lambda r, t: True
    )
    assert second is not None
    assert (second.claim, second.runs) == (1, 2)
    only_dear = best_option(needs, seeds, seconds, chances * [[0], [0], [1]], lambda runs, time: time < 100)
    assert only_dear is None
    # A cell that two claims wait for counts for both.
    shared = np.array([[1, 0], [1, 0], [0, 1]], bool)
    chances[:, 1:] = 0.4
    found = best_option(shared, np.full(2, 3), np.ones(2), chances, lambda runs, time: True)
    assert found is not None
    assert found.claim == 0
    assert found.gain == pytest.approx(0.8)
