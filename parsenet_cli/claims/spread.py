"""How far the seeds of some cells lie apart, compared with those of others: the F-test of two variances.

The scores of a cell over its seeds are taken as normal, with a mean of its own; each of the two variances is that of its
cells together, with as many degrees of freedom as they have seeds beyond their means. Where the true variances are equal
their ratio has the distribution F. It is the spread of the networks on these images: other images have no part in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from parsenet_cli.claims.cells import CellScores, Floats, Untestable
from parsenet_cli.claims.estimate import LEVEL
from parsenet_cli.claims.looks import Evidence

MIN_SEEDS = 5
"""Seeds of a cell that a statement on spreads needs: of two cells with three, one variance has to be 39 times the other."""


@dataclass(frozen=True)
class Pool:
    """The variance over seeds of some cells together, in squared percent points, and its degrees of freedom."""

    variance: float
    df: int


@dataclass(frozen=True)
class SpreadRatio:
    """The spread of some cells and of those that it should be smaller than."""

    less: Pool
    more: Pool

    def evidence(self) -> Evidence:
        """The p-values of the statement that the first is the smaller."""
        ratio = self.more.variance / self.less.variance
        larger = float(stats.f.sf(ratio, self.more.df, self.less.df))
        return Evidence(larger, 1 - larger)

    def __str__(self) -> str:
        ratio = self.less.variance / self.more.variance
        low, high = (ratio / float(stats.f.ppf(q, self.less.df, self.more.df)) for q in (1 - LEVEL / 2, LEVEL / 2))
        times = f"{math.sqrt(ratio):.2f} [{math.sqrt(low):.2f}, {math.sqrt(high):.2f}] times"
        spreads = " against ".join(f"{math.sqrt(pool.variance):.2f}" for pool in (self.less, self.more))
        return f"the spread is {spreads} points, {times}"


def pooled(scores: Sequence[Floats]) -> Pool:
    """The pool of some cells' scores, each (seeds,)."""
    squares = sum(float(((cell - cell.mean()) ** 2).sum()) for cell in scores)
    df = sum(len(cell) - 1 for cell in scores)
    return Pool(squares / df, df)


@dataclass(frozen=True)
class SpreadCell:
    """A cell with its name, and how many of its runs collapsed."""

    name: str
    cell: CellScores
    collapsed: int


def spread_ratio(less: Sequence[SpreadCell], more: Sequence[SpreadCell]) -> SpreadRatio:
    """The spreads of two groups of cells. Cells of the same runs count once.

    Raises:
        Untestable: too few seeds, collapsed ones, the same runs on both sides, or no spread at all.
    """
    for one in (*less, *more):
        seeds = len(one.cell.scores)
        if seeds < MIN_SEEDS:
            raise Untestable(
                f"a spread over seeds needs {MIN_SEEDS} of them, and {one.name} has {seeds}: `--seeds {MIN_SEEDS}`"
            )
        if one.collapsed:
            collapsed = f"{one.name} collapsed with {one.collapsed} of {seeds} seeds"
            raise Untestable(f"{collapsed}: how far a collapse lies from the other seeds is no spread")
        if not np.isfinite(one.cell.scores).all():
            raise Untestable(f"{one.name} is not defined for every seed")
    groups = [{one.cell.runs: one.cell.scores for one in group} for group in (less, more)]
    if groups[0].keys() & groups[1].keys():
        raise Untestable("the same runs stand on both sides")
    ratio = SpreadRatio(*(pooled(list(group.values())) for group in groups))
    if not ratio.less.variance or not ratio.more.variance:
        raise Untestable("the seeds of one side do not differ at all")
    return ratio
