"""Softmax loss of a score map, as Caffe's SoftmaxWithLoss layer (src/caffe/layers/softmax_loss_layer.cpp).

The paper trains with the *summed* loss: pixels are added up, images are averaged (`normalize: false`). A rate of 1e-9
on the sum of a 500x375 image is a rate of 2e-4 on the mean of its pixels.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def divisor(labels: Tensor, ignore: int | None, reduction: Literal["sum", "mean"], stride: int = 1) -> float:
    """What the summed loss of a batch is divided by; `labels` (N, h, w) are those of the whole batch.

    `sum`: the number of images. `mean`: the number of labelled pixels of all images together, at least 1, so that
    a batch without any has loss 0. Micro-batches of one batch share its divisor, so that their gradients add up to it.

    With `stride` n the labels are those of every n-th row and column, S, and each stands for n^2 pixels. With l(p) the loss of
    pixel p and N the number of images,

        sum:   n^2 / N * sum of l(p) over the labelled p in S        mean:   sum of l(p) over the labelled p in S / their number

    so that both keep the size that they have over all pixels, and a learning rate its meaning.
    """
    if reduction == "sum":
        return len(labels) / stride**2
    labelled = labels.numel() if ignore is None else int((labels != ignore).sum())
    return max(1, labelled)


def softmax_loss(logits: Tensor, labels: Tensor, ignore: int | None, divisor: float) -> Tensor:
    """Sum over labelled pixels of -log softmax(logits)[label], over `divisor`: a scalar.

    `logits` (N, K, H, W) are taken as float32, also under autocast; `labels` (N, H, W) hold class numbers of any
    integer type (uint8 included) or `ignore`. An ignored pixel adds nothing and gets a gradient of exactly zero.
    A pixel's loss is capped at -log(FLT_MIN) = 87.3 as in Caffe; its gradient, softmax - onehot, is not.
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    loss: Tensor = _SoftmaxLoss.apply(logits, labels, ignore, divisor)
    return loss


def subtract_one_hot(probabilities: Tensor, index: Tensor) -> None:
    """Subtract 1 in place from (N, K, H, W) where the class is that of `index` (N, 1, H, W).

    By comparison: on a GPU `scatter_` is on PyTorch's list of what need not come out the same twice.
    """
    classes = torch.arange(probabilities.shape[1], device=index.device).view(1, -1, 1, 1)
    probabilities.sub_((index == classes).to(probabilities.dtype))


class _SoftmaxLoss(torch.autograd.Function):
    """Finishes softmax - onehot in the forward pass; the backward pass is one multiplication, in place.

    PyTorch's log_softmax and nll_loss keep the log-probabilities and exponentiate them again on the way back. The
    graph can be walked back once: PyTorch refuses a second time, because the saved tensor has changed.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, ignore: int | None, divisor: float) -> Tensor:
        labels = labels.unsqueeze(1)
        labelled = torch.ones_like(labels, dtype=torch.bool) if ignore is None else labels != ignore
        index = torch.where(labelled, labels, 0).long()
        gradient = torch.softmax(logits, dim=1)
        probability = gradient.gather(1, index)
        if gradient.is_cuda:
            subtract_one_hot(gradient, index)
        else:  # to the last bit the same, in two thirds of the time
            gradient.scatter_(1, index, probability - 1)
        # Weights instead of a mask: one pass over the gradient both ignores and divides.
        ctx.save_for_backward(gradient, labelled.to(logits.dtype) / divisor)
        loss = probability.clamp_min(torch.finfo(torch.float32).tiny).log_().neg_()
        return torch.where(labelled, loss, 0).sum() / divisor

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_gradient: Tensor) -> tuple[Tensor, None, None, None]:
        gradient, weight = ctx.saved_tensors
        return gradient.mul_(weight * loss_gradient), None, None, None
