"""The L2 norm and the softmax loss."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from parsenet_cli.engine.loss import divisor, softmax_loss
from parsenet_cli.models.norm import L2Norm
from tests.golden.vectors import Case

Form = Literal["exact", "authors"]


def layer(case: Case, gradient: Form) -> L2Norm:
    """Our layer of an `l2norm` case, with the recorded scale."""
    spec = case.spec
    ours = L2Norm(
        case.given("bottom").shape[1],
        spec["init_scale"],
        shared=spec["channel_shared"],
        across_space=spec["across_spatial"],
        gradient=gradient,
        eps=spec["eps"],
    )
    with torch.no_grad():
        ours.scale.copy_(case.given("param0"))
    return ours


def input_gradient(case: Case, gradient: Form) -> Tensor:
    """The gradient that our layer hands down, in the shape of the input."""
    x = case.given("bottom").requires_grad_()
    (found,) = torch.autograd.grad(layer(case, gradient)(x), x, case.given("top_diff"))
    return found


def forms_agree(case: Case) -> bool:
    """Whether the authors' backward pass is the gradient of their forward pass in this case, as the file says."""
    return case.name not in case.meta["backward_differs_from_true_gradient"]


def norm(case: Case) -> None:
    """Forward, gradient of the scale, and the gradient of the input in both forms where they agree."""
    for form in ("authors", "exact"):
        ours = layer(case, form)
        top = ours(case.given("bottom"))
        top.backward(case.given("top_diff"))
        case.compare("norm: forward", "top", top)
        assert ours.scale.grad is not None
        case.compare("norm: gradient of the scale", "param_diff0", ours.scale.grad)
    authors, exact = "norm: gradient of the input, authors' form", "norm: gradient of the input, exact form"
    case.compare(authors, "bottom_diff", input_gradient(case, "authors"))
    if forms_agree(case):
        case.compare(f"{exact}, where scales are equal", "bottom_diff", input_gradient(case, "exact"))


def loss(case: Case) -> None:
    """The loss over labelled pixels and its gradient."""
    logits = case.given("logits").requires_grad_()
    labels = case.given("label")[:, 0].long()
    ignore = case.spec.get("ignore_label")
    reduction: Literal["sum", "mean"] = "mean" if case.spec["normalize"] else "sum"
    value = softmax_loss(logits, labels, ignore, divisor(labels, ignore, reduction))
    torch.autograd.backward(value)
    case.compare("loss", "loss", value)
    saturated = ", saturated" if case.name.startswith("saturated") else ""
    assert logits.grad is not None
    case.compare(f"loss: gradient{saturated}", "logits_diff", logits.grad)
