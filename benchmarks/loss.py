"""Time of upsampling and softmax loss, forward and backward: this project's against PyTorch's, on one CPU core.

    python -m benchmarks.loss

The two take turns in one process, so that a busy machine slows both; printed are medians and their ratio. PyTorch's
side is `F.interpolate(mode="bilinear")` and `F.cross_entropy`, which agree with ours inside the image.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from parsenet_cli.engine.loss import softmax_loss
from parsenet_cli.engine.probe import take_turns
from parsenet_cli.models.geometry import Grid
from parsenet_cli.models.upsample import Bilinear

ROUNDS = 21

CASES = {
    "quick:  8 images of 144x144, 13 classes, stride 16": (8, 13, (144, 144), 16),
    "quick:  8 images of 144x144, 13 classes, stride 4": (8, 13, (144, 144), 4),
    "paper:  1 image of 512x384, 21 classes, stride 8": (1, 21, (512, 384), 8),
    "paper:  1 image of 512x384, 60 classes, stride 32": (1, 60, (512, 384), 32),
}


def medians(*variants: Callable[[], None], rounds: int = ROUNDS) -> list[float]:
    """Median milliseconds of each variant; they take turns, and a first round is thrown away."""
    return [statistics.median(times) for times in take_turns(variants, rounds)]


def compare(images: int, classes: int, size: tuple[int, int], stride: int) -> tuple[list[float], list[float]]:
    """Milliseconds (ours, PyTorch's) of the loss at full size, and of the loss of an upsampled score map."""
    labels = torch.randint(0, classes, (images, *size), dtype=torch.uint8)
    labels[:, :3] = 255
    long_labels = labels.long()
    logits = torch.randn(images, classes, *size, requires_grad=True)
    scores = torch.randn(images, classes, size[0] // stride, size[1] // stride, requires_grad=True)
    upsample, grid = Bilinear(), Grid(stride, (stride - 1) / 2)

    def ours(full: Tensor) -> Tensor:
        return softmax_loss(full, labels, 255, images)

    def theirs(full: Tensor) -> Tensor:
        return F.cross_entropy(full, long_labels, ignore_index=255, reduction="sum") / images

    def backward(loss: Tensor, of: Tensor) -> None:
        torch.autograd.grad(loss, of)

    loss = medians(lambda: backward(ours(logits), logits), lambda: backward(theirs(logits), logits))
    both = medians(
        lambda: backward(ours(upsample({grid: scores}, size)), scores),
        lambda: backward(theirs(F.interpolate(scores, size, mode="bilinear")), scores),
    )
    return loss, both


def main() -> None:
    """Print one line per case."""
    torch.set_num_threads(1)
    print(f"{'':52} {'loss alone':^24} {'upsampling and loss':^24}")
    print(f"{'milliseconds':52} {'ours':>7} {'PyTorch':>8} {'ratio':>7} {'ours':>8} {'PyTorch':>8} {'ratio':>6}")
    for name, case in CASES.items():
        (a, b), (c, d) = compare(*case)
        print(f"{name:52} {a:7.1f} {b:8.1f} {b / a:6.1f}x {c:8.1f} {d:8.1f} {d / c:5.1f}x")


if __name__ == "__main__":
    main()
