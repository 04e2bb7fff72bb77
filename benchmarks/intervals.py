"""Do the intervals of `parsenet verify` hold the truth as often as they say? Simulated where it is known.

    python -m benchmarks.intervals [--simulations 1000] [--write]

Tables of six cells on two data sets are drawn as per-image confusion matrices: seeds and images both move the share of
pixels that is right, seeds and images together too. The true score of a cell follows by integration. Printed is how often
the 95 % interval holds the truth (of a difference of two cells, of a difference of such differences between data sets, of
one cell) and how often a one-sided test at 5 % of a claim that is false, by as little as can be, supports it (a difference that
is zero; an equivalence whose margin is the difference). The verdicts on many claims together: benchmarks/statistics.py.
`--write` puts the table into docs/claims.md.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics import write
from parsenet_cli.claims.cells import FIRST, CellScores
from parsenet_cli.claims.estimate import LEVEL, Estimate, Pool, Term, estimate_contrast, mean_variance
from parsenet_cli.claims.influence import influences
from parsenet_cli.core import metrics

Floats = NDArray[np.float64]

CLASSES = ("a", "b", "c")
IMAGES = 100
PIXELS = 400
EQUAL = ((0, 1), (3, 4))
DIFFERENT = ((3, 0), (4, 1), (5, 2), (5, 3))
"""Pairs of cells, of which the first is the better."""
EASE = np.array([2.0, 0.8, 0.2])
"""How well each class is recognised, on the logistic scale."""
CELLS = np.array([0.0, 0.0, -0.2, 0.25, 0.25, 0.5])
"""How much better each cell is; the first two and the fourth and fifth are equal."""
SHARED_BY_SEED, SHARED_BY_IMAGE, LEFT = 0.02, 0.5, 0.2
"""Deviations of what a seed, and an image, does to all cells alike, and of what is left between seed and image."""


@dataclass(frozen=True)
class Regime:
    """Deviations, on the logistic scale, of what a seed and what an image does to one cell alone."""

    seed: float
    image: float
    unequal: tuple[float, ...] = (1.0,) * len(CELLS)
    """How much more than that a seed does to each cell."""


REGIMES = {
    "seeds dominate": Regime(seed=0.15, image=0.1),
    "mixed": Regime(seed=0.04, image=0.4),
    "images dominate": Regime(seed=0.005, image=0.5),
    "seeds dominate, unequally": Regime(seed=0.1, image=0.1, unequal=(0.25, 0.5, 0.5, 1.0, 2.0, 4.0)),
}
SEEDS = (3, 5, 10)


@dataclass(frozen=True)
class Outcome:
    """Of many simulations, the shares in which an interval held the truth or a false claim was supported."""

    difference: float
    between: float
    single: float
    false_difference: float
    false_equivalence: float


def simulate(regime: Regime, seeds: int, simulations: int, first: int = 0) -> Outcome:
    """Draw that many pairs of tables and judge them."""
    counts = np.zeros(5)
    truth = [true_score(regime, cell) for cell in range(len(CELLS))]
    for number in range(first, first + simulations):
        here, there = (_Table(regime, seeds, np.random.default_rng([number, seeds, data]), data) for data in (0, 1))
        # Every simulation looks at another pair of cells, so that those of every spread are met.
        better, worse = DIFFERENT[number % len(DIFFERENT)]
        gap = truth[better] - truth[worse]
        difference = here.contrast({better: 1, worse: -1})
        terms = [*here.terms({better: 1, worse: -1}), *there.terms({better: -1, worse: 1})]
        between = estimate_contrast(terms, 0.0, _Table.spreads(here, there))
        a, b = EQUAL[number % 2]
        zero = here.contrast({b: 1, a: -1}, constant=truth[a] - truth[b]).p_above_zero()
        b, a = better, worse
        equal = max(here.contrast({b: sign, a: -sign}, constant=truth[b] - truth[a]).p_above_zero() for sign in (1, -1))
        counts += [
            _holds(difference, gap),
            _holds(between, 0.0),
            _holds(here.contrast({worse: 1}), truth[worse]),
            zero <= LEVEL,
            equal <= LEVEL,
        ]
    return Outcome(*(float(count) for count in counts / simulations))


@cache
def true_score(regime: Regime, cell: int) -> float:
    """The mean over seeds of mean IU over infinitely many images, in percent."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    over_images = np.sqrt(SHARED_BY_IMAGE**2 + regime.image**2 + LEFT**2)
    over_seeds = np.sqrt(SHARED_BY_SEED**2 + (regime.seed * regime.unequal[cell]) ** 2)
    scores = []
    for seed in nodes:
        level = EASE[:, None] + CELLS[cell] + over_seeds * seed + over_images * nodes
        scores.append(metrics.mean_iu(_confusions(np.full(3, 1 / 3), _logistic(level) @ weights)))
    return 100 * float(np.dot(scores, weights))


class _Table:
    """Six cells, measured: (seeds, images, 3, 3) confusion matrices of each."""

    def __init__(self, regime: Regime, seeds: int, random: np.random.Generator, data: int) -> None:
        self.data, self.seeds = data, tuple(range(seeds))
        shape = (len(CELLS), seeds, IMAGES)
        per_cell = regime.seed * np.array(regime.unequal)[:, None] * random.standard_normal(shape[:2])
        level = (
            CELLS[:, None, None]
            + SHARED_BY_SEED * random.standard_normal((seeds, 1))
            + SHARED_BY_IMAGE * random.standard_normal(IMAGES)
            + per_cell[:, :, None]
            + regime.image * random.standard_normal((len(CELLS), 1, IMAGES))
            + LEFT * random.standard_normal(shape)
        )
        share = random.dirichlet(np.ones(3), size=IMAGES) * PIXELS
        self.confusions = _confusions(share, _logistic(level[..., None] + EASE))
        totals = self.confusions.sum(axis=2)
        self.scores = 100 * np.array([[metrics.mean_iu(total) for total in cell] for cell in totals])
        self._cells: dict[int, CellScores] = {}

    def terms(self, weights: dict[int, float]) -> list[tuple[float, CellScores]]:
        """The terms of a contrast."""
        return [(weight, self._cell(index)) for index, weight in weights.items()]

    def contrast(self, weights: dict[int, float], constant: float = 0.0) -> Estimate:
        """A contrast of this table's cells."""
        return estimate_contrast(self.terms(weights), constant, _Table.spreads(self))

    @staticmethod
    def spreads(*tables: _Table) -> Callable[[Sequence[Term], bool], Pool]:
        """What the cells of each table say of their variances, by the seeds of the first look."""
        scores = {str(table.data): table.scores[:, :FIRST] for table in tables}

        def pool(group: Sequence[Term], paired: bool) -> Pool:
            cells = scores[group[0][1].images]
            variance = float(mean_variance(cells, paired))
            return Pool(variance, len(cells), variance, float((len(cells) - 1) * (FIRST - 1)))

        return pool

    def _cell(self, index: int) -> CellScores:
        if index not in self._cells:
            moved = [influences("mean_iu", each, list(CLASSES), "present") for each in self.confusions[index]]
            self._cells[index] = CellScores(
                runs=(f"{self.data}-{index}",),
                seeds=self.seeds,
                scores=self.scores[index],
                influences=100 * np.stack(moved),
                metric="mean_iu",
                images=str(self.data),
            )
        return self._cells[index]


def _logistic(level: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-level)))


def _confusions(pixels: Floats, right: Floats) -> Floats:
    """(…, 3, 3): of `pixels` (…, 3) per class the share `right` is, the rest falls to the other two alike."""
    diagonal = np.eye(3)
    return np.asarray(pixels[..., None] * (right[..., None] * diagonal + (1 - right[..., None]) / 2 * (1 - diagonal)))


def _holds(found: Estimate, truth: float) -> bool:
    interval = found.interval()
    return interval.low <= truth <= interval.high


def run(simulations: int, workers: int) -> dict[tuple[str, int], Outcome]:
    """Every regime and number of seeds."""
    places = [(name, seeds) for name in REGIMES for seeds in SEEDS]
    with ProcessPoolExecutor(workers) as pool:
        futures = [pool.submit(simulate, REGIMES[name], seeds, simulations) for name, seeds in places]
        return {place: future.result() for place, future in zip(places, futures, strict=True)}


def table(outcomes: dict[tuple[str, int], Outcome], simulations: int) -> list[str]:
    """The outcomes as the lines of a Markdown table."""
    lines = [
        f"Percent of {simulations} simulations. Three classes, {IMAGES} images, six cells; "
        "`python -m benchmarks.intervals` prints this.",
        "",
        "| regime | seeds | truth in the interval: difference | difference of differences | one cell "
        "| false support: difference of 0 | equivalence at its margin |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for (name, seeds), outcome in outcomes.items():
        shares = " | ".join(f"{100 * share:.1f}" for share in vars(outcome).values())
        lines.append(f"| {name} | {seeds} | {shares} |")
    return lines


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table and write it where asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="write the table into docs/claims.md")
    chosen = parser.parse_args(arguments)
    started = time.perf_counter()
    lines = table(run(chosen.simulations, min(2, os.cpu_count() or 1)), chosen.simulations)
    print("\n".join(lines))
    print(f"\n{time.perf_counter() - started:.0f} s")
    if chosen.write:
        write("intervals", lines)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
