"""How much each validation image moves a score: what the spread over images is made of.

A score is a function of the confusion matrix summed over all images, so image i moves it by the slope of that function
times its own confusion matrix (the infinitesimal jackknife). The slope is taken numerically: every metric of core/metrics.py
is judged, also one that was added yesterday.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.core import metrics
from parsenet_cli.core.metric_names import ClassMean

STEP = 1e-4
"""The relative change of an entry by which slopes are taken."""


class NotSmooth(Exception):
    """The score has no slope here."""


def influences(name: str, confusions: metrics.Counts, classes: list[str], class_mean: ClassMean) -> NDArray[np.float64]:
    """Influence of each image on a metric, a fraction; their sum is 0. `confusions` is (images, classes, classes).

    The variance of the score over images is the sum of their squares.

    Raises:
        NotSmooth: the metric is undefined or has a kink.
    """
    score = metrics.metric_function(name, classes, class_mean)
    total = confusions.sum(axis=0, dtype=np.int64).astype(np.float64)
    here = score(total)
    if not np.isfinite(here):
        raise NotSmooth("it is not defined")
    slopes, bends = np.zeros_like(total), np.zeros_like(total)
    for entry in zip(*np.nonzero(total), strict=True):
        count = total[entry]
        step = STEP * count
        total[entry] = count + step
        above = score(total)
        total[entry] = count - step
        below = score(total)
        total[entry] = count
        slopes[entry], bends[entry] = (above - below) / (2 * step), (above + below - 2 * here) / step
    # Where the metric is smooth a bend is of the order of STEP times the slope.
    scale = np.abs(slopes * total).max(initial=0.0)
    if not np.isfinite(slopes).all() or np.abs(bends * total).max(initial=0.0) > 0.05 * scale + 1e-9:
        raise NotSmooth("it is not smooth")
    influence = np.tensordot(confusions, slopes, axes=2).astype(np.float64)
    centred: NDArray[np.float64] = influence - influence.mean()
    return centred
