"""Scores computed from counts equal those computed from sets of pixels, and those of torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from torchmetrics.functional import classification as oracle

from parsenet_cli.core import metrics

CLASSES = 4
Map = NDArray[np.uint8]

shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)
pairs = shapes.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.uint8, shape, elements=st.integers(0, CLASSES - 1)),
        hnp.arrays(np.uint8, shape, elements=st.sampled_from([*range(CLASSES), 255])),
    )
)


def pixels(values: Map, value: int, labelled: set[int]) -> set[int]:
    return set(np.flatnonzero(values == value).tolist()) & labelled


def same(ours: float, theirs: float) -> bool:
    return math.isclose(ours, theirs, rel_tol=1e-9) or (math.isnan(ours) and math.isnan(theirs))


@given(pairs)
def test_scores_equal_ratios_of_pixel_sets(pair: tuple[Map, Map]) -> None:
    prediction, label = pair
    labelled = set(np.flatnonzero(label != 255).tolist())
    truth = [pixels(label, c, labelled) for c in range(CLASSES)]
    predicted = [pixels(prediction, c, labelled) for c in range(CLASSES)]
    hits = [t & p for t, p in zip(truth, predicted, strict=True)]
    present = [c for c in range(CLASSES) if truth[c]]
    iu = [len(hits[c]) / len(truth[c] | predicted[c]) if truth[c] | predicted[c] else math.nan for c in range(CLASSES)]

    counts = metrics.confusion(prediction, label, CLASSES, 255)
    assert all(same(a, b) for a, b in zip(metrics.iu(counts), iu, strict=True))
    if not present:
        assert math.isnan(metrics.mean_iu(counts))
        return
    accuracy = sum(len(hits[c]) / len(truth[c]) for c in present)
    assert same(metrics.pixel_accuracy(counts), sum(map(len, hits)) / len(labelled))
    assert same(metrics.mean_accuracy(counts), accuracy / len(present))
    assert same(metrics.mean_accuracy(counts, "all"), accuracy / CLASSES)
    assert same(metrics.mean_iu(counts), sum(iu[c] for c in present) / len(present))
    assert same(metrics.mean_iu(counts, "all"), sum(iu[c] for c in present) / CLASSES)
    assert same(metrics.fw_iu(counts), sum(len(truth[c]) * iu[c] for c in present) / len(labelled))


@given(st.lists(pairs, min_size=1, max_size=3))
def test_counts_of_a_split_are_the_sum_over_its_images(images: list[tuple[Map, Map]]) -> None:
    one_by_one = sum(metrics.confusion(prediction, label, CLASSES, 255) for prediction, label in images)
    prediction, label = (np.concatenate([pair[i].ravel() for pair in images]) for i in range(2))
    assert np.array_equal(metrics.confusion(prediction, label, CLASSES, 255), one_by_one)


def test_scores_equal_those_of_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    label = rng.choice([0, 1, 2, 3, 255], (40, 50), p=[0.5, 0.3, 0.1, 0.05, 0.05]).astype(np.uint8)
    prediction = np.where(rng.random(label.shape) < 0.6, label % 255, rng.integers(0, 4, label.shape)).astype(np.uint8)
    counts = metrics.confusion(prediction, label, 4, 255)

    def theirs(function: str, **options: str) -> NDArray[np.float64]:
        call = getattr(oracle, function)
        result = call(torch.tensor(prediction), torch.tensor(label).long(), 4, ignore_index=255, **options)
        return np.asarray(result.double())

    assert np.array_equal(counts, theirs("multiclass_confusion_matrix"))
    assert metrics.iu(counts) == pytest.approx(theirs("multiclass_jaccard_index", average="none"), rel=1e-6)
    assert metrics.mean_iu(counts) == pytest.approx(theirs("multiclass_jaccard_index", average="macro"), rel=1e-6)
    assert metrics.fw_iu(counts) == pytest.approx(theirs("multiclass_jaccard_index", average="weighted"), rel=1e-6)
    assert metrics.pixel_accuracy(counts) == pytest.approx(theirs("multiclass_accuracy", average="micro"), rel=1e-6)
    assert metrics.mean_accuracy(counts) == pytest.approx(theirs("multiclass_accuracy", average="macro"), rel=1e-6)
