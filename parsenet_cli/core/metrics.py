"""Scores of a segmentation, all of them functions of one confusion matrix (docs/protocol.md, "Evaluation").

A confusion matrix counts pixels: entry (i, j) is the number of pixels of class i predicted as class j. It is summed
over all images of a split before any score is taken; scores of single images are never averaged. All scores are
fractions in [0, 1], or nan where nothing was labelled.

A metric is a public function of this module with the parameters `(confusion, class_mean)`. Adding that function is
all it takes: it is found by its name, and runs that are already done get it from their stored confusion matrices.

`class_mean` says which classes a mean over classes is divided by:

* `present`: the classes with labelled pixels, as in ParseNet's evaluation (src/caffe/solver.cpp). A class that is
  predicted but never occurs adds nothing to the sum and is not counted (SiftFlow: 30 of 33 classes).
* `all`: every class, as in the VOC development kit. A class that neither occurs nor is predicted counts as 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.metric_names import ClassMean, names

Counts = NDArray[np.integer | np.floating]


def confusion(
    prediction: NDArray[np.uint8], label: NDArray[np.uint8], num_classes: int, ignore: int | None
) -> NDArray[np.int64]:
    """Pixel counts (num_classes, num_classes), rows the true class, columns the predicted one.

    `prediction` and `label` are class maps of equal shape; pixels labelled `ignore` are skipped.

    Raises:
        UserError: a label is neither a class nor `ignore`.
        ValueError: the shapes differ, or a predicted class does not exist.
    """
    if prediction.shape != label.shape:
        raise ValueError(f"prediction and label differ in shape: {prediction.shape} and {label.shape}")
    if prediction.size and prediction.max() >= num_classes:
        raise ValueError(f"predicted class {prediction.max()}, but there are {num_classes} classes")
    # One bincount over all 256 possible labels is faster than selecting the labelled pixels first.
    pairs = label.ravel().astype(np.intp) * num_classes + prediction.ravel()
    counts = np.bincount(pairs, minlength=256 * num_classes).reshape(256, num_classes).astype(np.int64, copy=False)
    if ignore is not None:
        counts[ignore] = 0
    if counts[num_classes:].any():
        strange = num_classes + int(np.flatnonzero(counts[num_classes:].any(axis=1))[0])
        ignored = "no value is ignored" if ignore is None else f"{ignore} (ignored)"
        raise UserError(
            f"a label map holds the value {strange}; expected a class 0 to {num_classes - 1}, {ignored}: "
            "check the label files and the list of classes"
        )
    return counts[:num_classes]


def pixel_accuracy(confusion: Counts, class_mean: ClassMean = "present") -> float:
    """Share of the labelled pixels that are right: sum_i n_ii / sum_i t_i."""
    return float(_ratio(confusion.trace(), confusion.sum()))


def mean_accuracy(confusion: Counts, class_mean: ClassMean = "present") -> float:
    """Mean over classes of the share of the class's pixels that are right: n_ii / t_i."""
    return _over_classes(_ratio(confusion.diagonal(), confusion.sum(axis=1)), confusion, class_mean)


def mean_iu(confusion: Counts, class_mean: ClassMean = "present") -> float:
    """Mean intersection over union, the number in most of the paper's tables: mean over classes of `iu`."""
    return _over_classes(iu(confusion), confusion, class_mean)


def fw_iu(confusion: Counts, class_mean: ClassMean = "present") -> float:
    """Frequency-weighted IU: sum_i t_i IU_i / sum_i t_i. A class that never occurs has no weight."""
    truth = confusion.sum(axis=1)
    return float(_ratio(np.nansum(truth * iu(confusion)), truth.sum()))


def iu(confusion: Counts) -> NDArray[np.float64]:
    """Intersection over union of each class, n_ii / (t_i + c_i - n_ii); nan where it neither occurs nor is predicted.

    t_i are the pixels of class i, c_i the labelled pixels predicted as class i.
    """
    hit = confusion.diagonal()
    return _ratio(hit, confusion.sum(axis=1) + confusion.sum(axis=0) - hit)


def measure(name: str, confusion: Counts, classes: Sequence[str], class_mean: ClassMean = "present") -> float:
    """The score called `name`: a metric of this module, or `iu[cat]`, the IU of one class.

    `classes` names the rows of the confusion matrix.

    Raises:
        UserError: there is no such metric or class.
    """
    return metric_function(name, classes, class_mean)(confusion)


def metric_function(name: str, classes: Sequence[str], class_mean: ClassMean = "present") -> Callable[[Counts], float]:
    """The function behind `measure`, for those who need it often. It takes any non-negative weights as counts too.

    Raises `UserError` as `measure` does.
    """
    if single := re.fullmatch(r"iu\[(.+)\]", name):
        if single[1] not in classes:
            raise unknown("class", single[1], classes)
        index = list(classes).index(single[1])
        return lambda confusion: float(iu(confusion)[index])
    if name not in names():
        raise unknown("metric", name, [*names(), "iu[<class>]"])
    function: Callable[[Counts, ClassMean], float] = globals()[name]
    return lambda confusion: float(function(confusion, class_mean))


def averaging_note(confusion: Counts, class_mean: ClassMean, ignores: bool) -> str:
    """How the scores were taken, in words, so that no two meanings of mean IU are confused.

    `ignores`: whether the data set has pixels that are not scored.
    """
    classes, present = len(confusion), np.count_nonzero(confusion.sum(axis=1))
    if class_mean == "present" and present < classes:
        over = f"the {present} of {classes} classes that occur"
    else:
        over = f"all {classes} classes"
    return f"means over {over}, {'unlabelled pixels ignored' if ignores else 'every pixel scored'}"


def _ratio(part: Counts | np.floating | np.integer, whole: Counts | np.floating | np.integer) -> NDArray[np.float64]:
    """The ratio part / whole, nan where the whole is 0."""
    ratio = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=ratio, where=np.greater(whole, 0))
    return ratio


def _over_classes(values: NDArray[np.float64], confusion: Counts, class_mean: ClassMean) -> float:
    """Sum of the defined values, divided by the classes that count."""
    present = np.count_nonzero(confusion.sum(axis=1))
    if present == 0:
        return float("nan")
    return float(np.nansum(values)) / (present if class_mean == "present" else len(confusion))
