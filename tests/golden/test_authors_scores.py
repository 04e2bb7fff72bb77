"""The four scores of the authors' solver (src/caffe/solver.cpp of their fork), from its counts on two images."""

from __future__ import annotations

import numpy as np
import pytest

from parsenet_cli import metrics

# Intersection, labelled and predicted pixels of six classes as their code counted them, laid out as a matrix with
# exactly these sums. Class 4 never occurs, but is predicted ten times.
COUNTS = np.array(
    [
        [26, 2, 0, 0, 0, 13],
        [2, 20, 0, 0, 10, 0],
        [1, 0, 27, 11, 0, 0],
        [2, 4, 9, 27, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1],
    ]
)


def test_the_scores_are_those_of_the_authors_solver() -> None:
    assert COUNTS.sum(axis=1).tolist() == [41, 32, 39, 42, 0, 1]
    assert COUNTS.sum(axis=0).tolist() == [31, 26, 36, 38, 10, 14]
    theirs = {"pixel_accuracy": 0.6516129, "mean_accuracy": 0.71886224, "mean_iu": 0.44697914, "fw_iu": 0.5382011}
    ours = {name: metrics.measure(name, COUNTS, "abcdef") for name in theirs}
    assert ours == pytest.approx(theirs, rel=2e-7)
    per_class = [0.5652174, 0.5263158, 0.5625, 0.509434, 0.0, 0.07142857]
    assert metrics.iu(COUNTS) == pytest.approx(per_class, rel=2e-7)
