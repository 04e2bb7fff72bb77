"""The scores of the authors' solver (src/caffe/solver.cpp of their fork), from its counts on two images."""

from __future__ import annotations

import numpy as np
import torch

from parsenet_cli.core import metrics
from tests.golden.vectors import Case

SUMMARY = ("pixel_accuracy", "mean_accuracy", "mean_iu", "fw_iu")


def scores(case: Case) -> None:
    """Pixel counts, the IU of each class, and the four means."""
    prediction, label = (case.given(name).numpy().astype(np.uint8) for name in ("pred", "gt"))
    classes, ignore = case.meta["num_labels"], case.meta["ignore_label"]
    confusion = metrics.confusion(prediction, label, classes, ignore)
    counts = np.stack([confusion.diagonal(), confusion.sum(1), confusion.sum(0)], axis=1)
    case.compare("scores: pixel counts", "counts", torch.from_numpy(counts))
    case.compare("scores: IU and means", "per_class_iou", torch.from_numpy(metrics.iu(confusion)))
    names = [str(number) for number in range(classes)]
    summary = [metrics.measure(name, confusion, names) for name in SUMMARY]
    case.compare("scores: IU and means", "summary", torch.tensor(summary, dtype=torch.float64))
