"""Value and gradient of the loss against PyTorch's cross entropy, and against finite differences."""

from __future__ import annotations

from typing import Literal, get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from parsenet_cli.engine.loss import divisor, softmax_loss


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Logits (N, K, H, W) in float64 and labels with 255 among them."""
    n, k, h, w = (draw(st.integers(1, high)) for high in (4, 6, 5, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = torch.randn(n, k, h, w, generator=generator, dtype=torch.float64) * draw(st.sampled_from([0.1, 1.0, 10.0]))
    labels = torch.randint(0, k, (n, h, w), generator=generator).to(torch.uint8)
    labels[torch.rand(n, h, w, generator=generator) < draw(st.sampled_from([0.0, 0.3, 0.9]))] = 255
    return logits, labels


def with_gradient(loss: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


@given(batches(), st.booleans())
def test_loss_and_gradient_equal_cross_entropy(batch: tuple[Tensor, Tensor], channels_last: bool) -> None:
    logits, labels = batch
    if channels_last:
        logits = logits.contiguous(memory_format=torch.channels_last)
    logits.requires_grad_()
    images, labelled = len(labels), max(1, int((labels != 255).sum()))
    assert divisor(labels, 255, "sum") == images
    assert divisor(labels, 255, "mean") == labelled
    for by in (images, labelled):
        reference = F.cross_entropy(logits, labels.long(), ignore_index=255, reduction="sum") / by
        ours = softmax_loss(logits, labels, 255, by)
        torch.testing.assert_close(with_gradient(ours, logits), with_gradient(reference, logits))


@given(batches(), st.integers(1, 4))
def test_micro_batches_add_up_to_their_batch(batch: tuple[Tensor, Tensor], size: int) -> None:
    logits, labels = batch
    logits.requires_grad_()
    by = divisor(labels, 255, "mean")
    whole = with_gradient(softmax_loss(logits, labels, 255, by), logits)
    parts = zip(torch.split(logits, size), torch.split(labels, size), strict=True)
    total = torch.stack([softmax_loss(some, their_labels, 255, by) for some, their_labels in parts]).sum()
    torch.testing.assert_close(with_gradient(total, logits), whole)


@given(batches())
def test_the_gradient_is_that_of_finite_differences(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    direction = torch.randn_like(logits)
    step = 1e-5
    up, down = (softmax_loss(logits + s * direction, labels, 255, 1) for s in (step, -step))
    logits.requires_grad_()
    _, gradient = with_gradient(softmax_loss(logits, labels, 255, 1), logits)
    assert float((up - down) / (2 * step)) == pytest.approx(float((gradient * direction).sum()), rel=1e-5, abs=1e-6)


@given(batches(), st.integers(1, 4))
def test_every_nth_pixel_stands_for_n_squared(batch: tuple[Tensor, Tensor], stride: int) -> None:
    logits, labels = batch
    sparse, theirs = logits[:, :, ::stride, ::stride].clone().requires_grad_(), labels[:, ::stride, ::stride]
    labelled = max(1, int((theirs != 255).sum()))
    factors = {"sum": stride**2 / len(labels), "mean": 1 / labelled}
    for reduction in get_args(Literal["sum", "mean"]):
        reference = factors[reduction] * F.cross_entropy(sparse, theirs.long(), ignore_index=255, reduction="sum")
        ours = softmax_loss(sparse, theirs, 255, divisor(theirs, 255, reduction, stride))
        torch.testing.assert_close(with_gradient(ours, sparse), with_gradient(reference, sparse))


@given(batches(), st.integers(1, 4), st.sampled_from(["sum", "mean"]))
def test_loss_over_large_pixels_is_the_same_on_every_nth(
    batch: tuple[Tensor, Tensor], stride: int, reduction: Literal["sum", "mean"]
) -> None:
    """Where n x n pixels are alike, one of them says it all: value and gradient of both losses keep their size."""
    logits, labels = (t.repeat_interleave(stride, -1).repeat_interleave(stride, -2) for t in batch)
    few = batch[0].clone().requires_grad_()
    every = softmax_loss(logits, labels, 255, divisor(labels, 255, reduction))
    sparse = softmax_loss(few, batch[1], 255, divisor(batch[1], 255, reduction, stride))
    torch.testing.assert_close(sparse.detach(), every)
    logits.requires_grad_()
    (dense,) = torch.autograd.grad(softmax_loss(logits, labels, 255, divisor(labels, 255, reduction)), logits)
    (gradient,) = torch.autograd.grad(sparse, few)
    torch.testing.assert_close(gradient, F.avg_pool2d(dense, stride) * stride**2)
