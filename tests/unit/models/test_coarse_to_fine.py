"""The search of the CRF's parameters: a grid, then smaller steps around the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pytest

from parsenet_cli.models.coarse_to_fine import GRID, GRID_V2, Candidate, drawn, tune
from parsenet_cli.models.postprocess.crf import PRESETS


def hill(**top: float) -> Callable[[Sequence[Candidate]], list[float]]:
    """A score that falls off from `top`, each distance in units of a tenth of it."""

    def objective(candidates: Sequence[Candidate]) -> list[float]:
        return [-sum(((candidate[name] - at) / (at / 10)) ** 2 for name, at in top.items()) for candidate in candidates]

    return objective


@pytest.mark.parametrize(("grid", "candidates"), [(GRID, 288), (GRID_V2, 128)])
def test_first_round_is_the_papers_grid(grid: Mapping[str, range], candidates: int) -> None:
    rounds: list[Sequence[Candidate]] = []

    def objective(candidates: Sequence[Candidate]) -> list[float]:
        rounds.append(candidates)
        return hill(w=6, xy=73, rgb=5)(candidates)

    tune(objective, grid)
    assert len(rounds[0]) == candidates
    assert {candidate["xy"] for candidate in rounds[0]} == set(grid["xy"])
    assert rounds[0][0] == {name: values[0] for name, values in grid.items()}


@pytest.mark.parametrize("name", [n for n, preset in PRESETS.items() if "SetupEnv" in preset.source])
def test_every_published_value_can_be_found(name: str) -> None:
    """Those outside of the first grid, such as 4 and 121, too."""
    crf = PRESETS[name].crf
    top = {"w": crf.w, "xy": crf.xy, "rgb": crf.rgb}
    found = tune(hill(**top))
    assert found.best == top
    assert found.score == 0
    assert len(found.tried) < 600


def test_no_candidate_is_asked_twice_and_all_are_told() -> None:
    asked: list[tuple[int, ...]] = []

    def objective(candidates: Sequence[Candidate]) -> list[float]:
        asked.extend(tuple(candidate.values()) for candidate in candidates)
        return hill(w=6, xy=83, rgb=4)(candidates)

    found = tune(objective)
    assert len(set(asked)) == len(asked)
    assert [tuple(candidate.values()) for candidate, _ in found.tried] == asked
    assert found.best == {"w": 6, "xy": 83, "rgb": 4}
    # Steps of 10, 5, 2 and 1 pixels.
    assert {80, 85, 82, 84, 83} <= {xy for _, xy, _ in asked}


def test_of_equals_the_earlier_one_stays() -> None:
    found = tune(lambda candidates: [0.0] * len(candidates))
    assert found.best == {"w": 5, "xy": 50, "rgb": 3}
    assert len(found.tried) < 400


def test_a_score_that_always_rises_ends() -> None:
    found = tune(lambda candidates: [float(sum(c.values())) for c in candidates])
    assert found.best == {"w": 20, "xy": 200, "rgb": 20}
    found = tune(lambda candidates: [-float(sum(c.values())) for c in candidates])
    assert found.best == {"w": 1, "xy": 1, "rgb": 1}


@pytest.mark.parametrize(
    ("scores", "said"),
    [([1.0], "8 finite scores were expected"), ([math.nan] * 8, "finite scores"), ([math.inf] * 8, "finite scores")],
)
def test_objective_has_to_answer_for_each(scores: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tune(lambda candidates: scores, {"w": range(1, 3), "xy": range(10, 21, 10), "rgb": range(1, 3)})


@pytest.mark.parametrize("grid", [{}, {"w": range(0)}, {"w": range(0, 3)}, {"w": range(3, 0, -1)}])
def test_grid_has_to_hold_positive_rising_numbers(grid: Mapping[str, range]) -> None:
    with pytest.raises(ValueError, match="positive, rising numbers were expected"):
        tune(lambda candidates: [0.0] * len(candidates), grid)


def test_images_are_a_seeded_draw() -> None:
    first = drawn(1449, seed=0)
    assert len(set(first)) == 100
    assert first == sorted(first) == drawn(1449, seed=0) != drawn(1449, seed=1)
    assert 0 <= first[0] < first[-1] < 1449
    assert drawn(7, seed=3) == list(range(7))
