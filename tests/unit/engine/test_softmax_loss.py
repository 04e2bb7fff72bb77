"""The loss is Caffe's SoftmaxWithLoss: what it divides by, what it ignores, where it is capped.

That value and gradient are those of the cross entropy: tests/property/test_loss_is_cross_entropy.py.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from parsenet_cli.engine.loss import divisor, softmax_loss, subtract_one_hot

LABELS = torch.tensor([[[0, 1], [255, 2]], [[255, 255], [255, 255]]], dtype=torch.uint8)


def gradient(logits: Tensor, labels: Tensor, ignore: int | None, by: float) -> tuple[Tensor, Tensor]:
    logits = logits.detach().requires_grad_()
    loss = softmax_loss(logits, labels, ignore, by)
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


def test_sum_divides_by_images_and_mean_by_labelled_pixels_of_the_whole_batch() -> None:
    assert divisor(LABELS, 255, "sum") == 2
    assert divisor(LABELS, 255, "mean") == 3
    assert divisor(LABELS, None, "mean") == 8


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_batch_without_a_labelled_pixel_costs_nothing(reduction: str) -> None:
    labels = torch.full((1, 2, 2), 255, dtype=torch.uint8)
    by = divisor(labels, 255, "sum" if reduction == "sum" else "mean")
    loss, found = gradient(torch.randn(1, 3, 2, 2), labels, 255, by)
    assert float(loss) == 0
    assert torch.count_nonzero(found) == 0


def test_an_ignored_pixel_gets_exactly_zero_gradient_and_a_labelled_one_does_not() -> None:
    _, found = gradient(torch.randn(2, 3, 2, 2), LABELS, 255, 2)
    assert torch.equal((found != 0).any(dim=1), LABELS != 255)


def test_a_pixels_loss_is_capped_as_in_caffe_but_its_gradient_is_not() -> None:
    logits = torch.tensor([500.0, 0.0]).reshape(1, 2, 1, 1)
    loss, found = gradient(logits, torch.tensor([[[1]]]), None, 1)
    assert float(loss) == pytest.approx(87.3365, abs=1e-4)
    assert found.flatten().tolist() == [1, -1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_summed_in_float32(dtype: torch.dtype) -> None:
    # 70 000 pixels of loss log(2): float16 ends at 65 504 and bfloat16 cannot count beyond 256.
    logits = torch.zeros(1, 2, 200, 350, dtype=dtype)
    loss, found = gradient(logits, torch.zeros(1, 200, 350, dtype=torch.uint8), 255, 1)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(70_000 * math.log(2), rel=1e-5)
    assert found.dtype == dtype


def test_the_loss_is_the_same_under_autocast() -> None:
    logits = torch.randn(2, 3, 2, 2)
    plain = gradient(logits, LABELS, 255, 2)
    with torch.autocast("cpu", torch.bfloat16):
        cast = gradient(logits, LABELS, 255, 2)
    assert torch.equal(plain[0], cast[0])
    assert torch.equal(plain[1], cast[1])


def test_a_diverged_network_has_a_loss_of_nan() -> None:
    logits = torch.zeros(2, 3, 2, 2)
    logits[0, 0, 0, 0] = torch.nan
    assert math.isnan(float(softmax_loss(logits, LABELS, 255, 2)))


def test_a_second_backward_pass_is_refused_rather_than_wrong() -> None:
    logits = torch.randn(2, 3, 2, 2, requires_grad=True)
    loss = softmax_loss(logits, LABELS, 255, 2)
    torch.autograd.grad(loss, logits, retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, logits)


def test_the_logits_are_left_as_they_are() -> None:
    logits = torch.randn(2, 3, 2, 2)
    before = logits.clone()
    gradient(logits, LABELS, 255, 2)
    assert torch.equal(logits, before)


def test_a_one_hot_by_comparison_is_the_one_that_is_scattered() -> None:
    probabilities, index = torch.rand(2, 5, 3, 4), torch.randint(0, 5, (2, 1, 3, 4))
    scattered = probabilities.scatter(1, index, probabilities.gather(1, index) - 1)
    subtract_one_hot(probabilities, index)
    assert torch.equal(probabilities, scattered)
