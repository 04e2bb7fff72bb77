"""Evaluation as the authors do it: whole images at their own size, one scale, no flip, argmax (wl_segmentImage.m)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from parsenet_cli.core import metrics
from parsenet_cli.core.memory import is_out_of_memory
from parsenet_cli.core.run_config import Precision
from parsenet_cli.data.dataset import Split
from parsenet_cli.engine import arithmetic
from parsenet_cli.engine.device import release_memory

PIXELS = {"cpu": 2**16, "cuda": 2**21}
"""Pixels of a batch: on a CPU as many as stay in its cache, on a GPU as many as its memory holds with ease."""

PANEL = 160
"""Longest side in pixels of the label maps that are kept for the report."""


@dataclass(frozen=True)
class Evaluation:
    """What is left of an evaluation: every score follows from `confusions`.

    Attributes:
        confusions: (n, K, K): one confusion matrix per image, rows the true class.
        predictions: Predicted label maps of the first `keep` images, made small by `shrink`.
    """

    confusions: NDArray[np.int32]
    predictions: tuple[NDArray[np.uint8], ...]


def evaluate_model(
    model: nn.Module,
    split: Split,
    num_classes: int,
    ignore: int | None,
    device: torch.device,
    precision: Precision,
    keep: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Predict every image of `split` and count its pixels.

    `model` takes uint8 images (N, 3, H, W) and returns logits (N, num_classes, H, W); it is put into evaluation mode
    and given back in the mode it had. Images of equal size are predicted together, fewer where memory runs out.
    It is computed in `precision` as far as engine/arithmetic.py has put it in force.
    `progress` is called with the images done so far and their total.
    """
    confusions = np.zeros((len(split), num_classes, num_classes), np.int32)
    predictions: dict[int, NDArray[np.uint8]] = {}
    training, done = model.training, 0
    model.eval()
    try:
        with torch.inference_mode(), arithmetic.autocast(precision, device):
            for batch in _batches(split, PIXELS[device.type]):
                images = torch.from_numpy(np.stack([split.image(i) for i in batch])).permute(0, 3, 1, 2)
                maps = _predicted(model, images, device).cpu().numpy()
                for i, prediction in zip(batch, maps, strict=True):
                    confusions[i] = metrics.confusion(prediction, split.label(i), num_classes, ignore)
                    if i < keep:
                        predictions[i] = shrink(prediction)
                done += len(batch)
                progress(done, len(split))
    finally:
        model.train(training)
    return Evaluation(confusions, tuple(predictions[i] for i in sorted(predictions)))


def _predicted(model: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """The label maps of a batch, predicted in halves where memory does not suffice for all of it."""
    try:
        return argmax_classes(model(images.to(device)))
    except (torch.OutOfMemoryError, RuntimeError) as problem:
        if len(images) == 1 or not is_out_of_memory(problem):
            raise
    release_memory(device)
    halves = torch.tensor_split(images, 2)
    return torch.cat([_predicted(model, half, device) for half in halves])


def argmax_classes(logits: Tensor) -> Tensor:
    """The class with the largest logit, uint8 (N, H, W); the first of equals.

    A pixel with a nan among its logits is class 0, as in Caffe, where a nan wins no comparison: a network that has
    diverged predicts background everywhere.
    """
    best = logits.max(dim=1)
    return best.indices.to(torch.uint8).masked_fill_(best.values.isnan(), 0)


def shrink(pixels: NDArray[np.uint8], longest: int = PANEL) -> NDArray[np.uint8]:
    """An image or label map (H, W, ...) whose longer side is at most `longest`, by nearest sampling."""
    scale = min(1.0, longest / max(pixels.shape[:2]))
    sizes = [(n, max(1, round(n * scale))) for n in pixels.shape[:2]]
    rows, columns = (((np.arange(small) + 0.5) * n / small).astype(np.intp) for n, small in sizes)
    return np.ascontiguousarray(pixels[rows[:, None], columns])


def _batches(split: Split, pixels: int) -> Iterator[list[int]]:
    """All indices of the split once, in batches of images of one size with at most `pixels` pixels (or one image)."""
    of_size: dict[tuple[int, int], list[int]] = {}
    for i, size in enumerate(split.shapes):
        of_size.setdefault(size, []).append(i)
    for (height, width), images in of_size.items():
        count = max(1, pixels // (height * width))
        for start in range(0, len(images), count):
            yield images[start : start + count]
