"""The spread over seeds of a contrast: its own, moderated by that of the cells beside it.

Three seeds say little of a variance. The cells of a table are alike, but not the same: some training is steadier than
other. So the variances of the cells are taken as draws from one distribution, whose mean and width they tell themselves
(Smyth 2004, "Linear models and empirical Bayes methods"); where they agree the contrast is judged by all of them, where
they differ mostly by its own seeds. How wide the distribution is has to be guessed from a few cells, so the result is
never less than what the contrast's own seeds show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """What the other cells say of a cell's variance: a value that counts as much as `freedom` degrees of freedom."""

    variance: float
    freedom: float
    most: float
    """The degrees of freedom that all cells have together."""

    def moderate(self, own: float, freedom: float) -> tuple[float, float]:
        """The variance to use for one of `freedom` degrees of freedom, and its degrees of freedom: never less than its own."""
        if np.isinf(self.freedom):
            return max(self.variance, own), self.most
        both = self.freedom + freedom
        moderated = (self.freedom * self.variance + freedom * own) / both
        return max(moderated, own), max(min(both, self.most), freedom)


NOTHING = Prior(0.0, 0.0, 0.0)
"""A cell that is like no other is judged by its own seeds."""


def prior(scores: Sequence[Floats], paired: bool) -> Prior:
    """The distribution of variances behind some cells' scores, each (seeds,).

    `paired`: of the part of the scores that a seed does not do to all cells alike; that is what differences are made of.
    """
    if len(scores) < 2:
        return NOTHING
    table = np.stack(scores)
    cells, seeds = table.shape
    residuals = table - table.mean(axis=1, keepdims=True)
    freedom = float(seeds - 1)
    if paired:
        residuals = (residuals - residuals.mean(axis=0)) / np.sqrt(1 - 1 / cells)
    variances = (residuals**2).sum(axis=1) / freedom
    pooled, most = float(variances.mean()), freedom * (cells - 1 if paired else cells)
    if pooled == 0 or cells < 3:  # two paired cells have one difference: nothing to compare its variance with
        return Prior(pooled, np.inf if paired or pooled == 0 else 0.0, most)
    logs = np.log(np.maximum(variances, 1e-5 * np.median(variances) + 1e-300))
    logs = logs - digamma(freedom / 2) + np.log(freedom / 2)
    width = float(logs.var(ddof=1) - polygamma(1, freedom / 2))
    if width <= 0:
        return Prior(pooled, np.inf, most)
    half = float(brentq(lambda x: float(polygamma(1, x)) - width, 1e-6, 1e9)) if width > 1e-8 else 1e9
    return Prior(float(np.exp(logs.mean() + digamma(half) - np.log(half))), 2 * half, most)
