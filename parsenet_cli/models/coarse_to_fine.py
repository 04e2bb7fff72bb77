"""DeepLab's search of the CRF's parameters: a coarse grid, then smaller steps around the best (arXiv 1412.7062, §5).

The paper searches w1 = 5:1:10, sigma_alpha = 50:10:100 and sigma_beta = 3:1:10 on 100 validation images, the network
being fixed, and refines "the search step sizes around the first round's best values". w2 and sigma_gamma stay 3. The
values that the authors use (`matlab/my_script/SetupEnv.m`) are whole and lie outside of that grid too (4 and 121 for
LargeFOV): so here the search goes on beyond an edge that is best, and steps end at 1. How fast they shrink is not said:
they are halved, 10, 5, 2, 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Candidate = Mapping[str, int]
"""A value for each name of the grid."""

GRID: Mapping[str, range] = {"w": range(5, 11), "xy": range(50, 101, 10), "rgb": range(3, 11)}
"""The first round of the paper, by the names of `DenseCRF`: 288 candidates."""

GRID_V2: Mapping[str, range] = {"w": range(3, 7), "xy": range(30, 101, 10), "rgb": range(3, 7)}
"""The same of DeepLab's second version (arXiv 1606.00915, §4.3): 128 candidates."""

IMAGES = 100
"""How many validation images the candidates are judged on."""


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
        best: the candidate with the highest score.
        score: its score.
        tried: every candidate and its score, in the order in which they were asked for.
    """

    best: Candidate
    score: float
    tried: tuple[tuple[Candidate, float], ...]


def tune(objective: Callable[[Sequence[Candidate]], Sequence[float]], grid: Mapping[str, range] = GRID) -> Tuned:
    """Searches for the highest score: the whole grid, then all neighbours of the best, at steps that shrink to 1.

    Steps are halved when none of the neighbours is better. Values stay between 1 and twice the largest of the grid, so a search
    ends whatever the objective is. Of equal scores that of the earlier candidate counts, and a centre stays where it is.

    Args:
        objective: the score of each of some candidates, higher is better. A round's candidates come together, so that an
            image needs to be predicted once for all of them; no candidate comes twice.
        grid: by name the values of the first round, as positive numbers at equal steps.

    Raises:
        ValueError: an empty grid or values below 1, or an objective that returns other than a finite number for each.
    """
    if not grid or any(len(values) == 0 or values.start < 1 or values.step < 1 for values in grid.values()):
        raise ValueError(f"the grid is {dict(grid)} where positive, rising numbers were expected for each name")
    scores: dict[tuple[int, ...], float] = {}

    def best_of(points: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        new = [point for point in points if point not in scores]
        found = list(objective([dict(zip(grid, point, strict=True)) for point in new])) if new else []
        if len(found) != len(new) or not all(math.isfinite(score) for score in found):
            raise ValueError(f"{len(new)} finite scores were expected of the objective, it returned {found}")
        scores.update(zip(new, found, strict=True))
        return max(points, key=scores.__getitem__)

    steps = [values.step for values in grid.values()]
    limits = [2 * values[-1] for values in grid.values()]
    best = best_of(list(itertools.product(*grid.values())))
    while True:
        # The centre is first, so that equals do not move it.
        near = itertools.product(*((at, at - step, at + step) for at, step in zip(best, steps, strict=True)))
        inside = [p for p in near if all(1 <= value <= limit for value, limit in zip(p, limits, strict=True))]
        centre, best = best, best_of(inside)
        if best != centre:
            continue
        if all(step == 1 for step in steps):
            break
        steps = [max(1, step // 2) for step in steps]
    tried = tuple((dict(zip(grid, point, strict=True)), score) for point, score in scores.items())
    return Tuned(dict(zip(grid, best, strict=True)), scores[best], tried)


def drawn(images: int, seed: int, count: int = IMAGES) -> list[int]:
    """The numbers of `count` of so many images, or of all if there are fewer: a seeded draw, sorted, as in `SetupEnv.m`."""
    return sorted(np.random.default_rng(seed).permutation(images)[:count].tolist())
