"""The scores are those of the paper's evaluation, on numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from parsenet_cli.core import metric_names, metrics
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.metric_names import ClassMean

# Class 2 never occurs, but is predicted five times.
ABSENT = np.array([[50, 10, 5], [5, 30, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("ignored", "expected"), [(255, [[1, 1, 0], [1, 1, 0], [0, 0, 1]]), (0, [[0] * 3, [1, 1, 0], [0, 0, 1]])]
)
def test_confusion_has_truth_in_rows_and_skips_ignored_pixels(ignored: int, expected: list[list[int]]) -> None:
    """Whatever is predicted there; a class can be ignored too."""
    label = np.array([[0, 0, 1], [ignored, 1, 2]], np.uint8)
    prediction = np.array([[0, 1, 1], [2, 0, 2]], np.uint8)
    assert metrics.confusion(prediction, label, 3, ignored).tolist() == expected


def test_mean_over_present_classes_gives_an_invented_class_nothing_and_does_not_count_it() -> None:
    assert metrics.pixel_accuracy(ABSENT) == pytest.approx(0.8)
    assert metrics.mean_accuracy(ABSENT) == pytest.approx(0.813187, abs=1e-6)
    assert metrics.iu(ABSENT) == pytest.approx([0.714286, 0.666667, 0.0], abs=1e-6)
    assert metrics.mean_iu(ABSENT) == pytest.approx(0.690476, abs=1e-6)
    assert metrics.fw_iu(ABSENT) == pytest.approx(0.697619, abs=1e-6)


def test_mean_over_all_classes_counts_an_absent_class_as_zero() -> None:
    assert metrics.mean_iu(ABSENT, "all") == pytest.approx(0.460317, abs=1e-6)
    assert metrics.mean_accuracy(ABSENT, "all") == pytest.approx(2 / 3 * 0.813187, abs=1e-6)
    unseen = np.pad(ABSENT, (0, 1))
    assert metrics.mean_iu(unseen, "all") == pytest.approx(3 / 4 * 0.460317, abs=1e-6)
    assert metrics.mean_iu(unseen) == metrics.mean_iu(ABSENT)


def test_scores_that_need_no_class_mean_do_not_depend_on_it() -> None:
    assert metrics.pixel_accuracy(ABSENT, "all") == metrics.pixel_accuracy(ABSENT, "present")
    assert metrics.fw_iu(ABSENT, "all") == metrics.fw_iu(ABSENT, "present")


@pytest.mark.parametrize("name", metric_names.names())
def test_nothing_labelled_scores_nan(name: str) -> None:
    assert math.isnan(metrics.measure(name, np.zeros((3, 3), np.int64), ["a", "b", "c"]))


def test_measure_finds_metrics_and_single_classes_by_name() -> None:
    classes = ["background", "cat", "dog"]
    assert metric_names.names() == ["pixel_accuracy", "mean_accuracy", "mean_iu", "fw_iu"]
    assert metrics.measure("mean_iu", ABSENT, classes, "all") == metrics.mean_iu(ABSENT, "all")
    assert metrics.measure("iu[cat]", ABSENT, classes) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("name", "hint"), [("mean_ui", "mean_iu"), ("iu[cta]", "cat"), ("confusion", "fw_iu"), ("iu", "mean_iu")]
)
def test_an_unknown_metric_is_answered_with_the_valid_names(name: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        metrics.measure(name, ABSENT, ["background", "cat", "dog"])


def test_a_label_that_is_no_class_is_named() -> None:
    with pytest.raises(UserError, match="the value 57; expected a class 0 to 2, 255"):
        metrics.confusion(np.zeros((1, 2), np.uint8), np.array([[0, 57]], np.uint8), 3, 255)
    with pytest.raises(UserError, match=r"the value 255; .* no value is ignored"):
        metrics.confusion(np.zeros((1, 2), np.uint8), np.array([[0, 255]], np.uint8), 3, None)


def test_a_prediction_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="predicted class 3"):
        metrics.confusion(np.full((1, 2), 3, np.uint8), np.zeros((1, 2), np.uint8), 3, None)
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.confusion(np.zeros((1, 2), np.uint8), np.zeros((2, 1), np.uint8), 3, None)


@pytest.mark.parametrize(
    ("confusion", "class_mean", "ignores", "note"),
    [
        (ABSENT, "present", True, "means over the 2 of 3 classes that occur, unlabelled pixels ignored"),
        (ABSENT, "all", True, "means over all 3 classes, unlabelled pixels ignored"),
        (ABSENT, "present", False, "means over the 2 of 3 classes that occur, every pixel scored"),
        (np.eye(60, dtype=int), "present", False, "means over all 60 classes, every pixel scored"),
    ],
)
def test_note_says_which_classes_and_pixels_count(
    confusion: metrics.Counts, class_mean: ClassMean, ignores: bool, note: str
) -> None:
    assert metrics.averaging_note(confusion, class_mean, ignores) == note
