"""The derivative of the L2 norm from its forward pass alone, and how far a backward pass is from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from parsenet_cli.engine.loss import divisor, softmax_loss
from parsenet_cli.models.build import Segmenter
from parsenet_cli.models.norm import L2Norm
from tests.golden import nets, vectors
from tests.golden.normalisation import Form

STEP = 1e-5


def slope(function: Callable[[Tensor], Tensor], x: Tensor, weights: Tensor) -> Tensor:
    """The gradient of `(function(x) * weights).sum()` by central differences; float64, of the shape of x (N, C, H, W).

    `function` must treat the images of a batch independently: all differences are taken in one batch.
    """
    shifts = STEP * torch.eye(x.numel(), dtype=torch.float64)

    def values(sign: int) -> Tensor:
        moved = (x.flatten() + sign * shifts).view(-1, *x.shape[1:])
        return (function(moved).view(x.numel(), *x.shape) * weights).flatten(1).sum(1)

    with torch.no_grad():
        return ((values(1) - values(-1)) / (2 * STEP)).view(x.shape)


@dataclass(frozen=True)
class Deviation:
    """A gradient beside the true one."""

    error: float
    """Length of the difference over the length of the true one."""
    cosine: float


def deviation(found: Tensor, true: Tensor) -> Deviation:
    """How far `found` is from `true`, in length and direction."""
    found, true = found.double().flatten(), true.double().flatten()
    cosine = torch.dot(found, true) / (found.norm() * true.norm())
    return Deviation(float((found - true).norm() / true.norm()), float(cosine))


def demonstration(spread: float, draw: int) -> dict[str, dict[Form, Deviation]]:
    """Both backward passes of each norm of the recorded network `early`, with scales 10 (1 ± spread) instead of 10.

    The scales are drawn evenly, channel by channel, with the seed `draw`. Features and the gradient from above are those
    of the network's first image and of its own loss; derivative and backward passes are taken in float64.
    Returns layer -> form -> deviation from finite differences.
    """
    model, loss = _spread(spread, draw, "exact")
    passed: dict[str, tuple[Tensor, Tensor]] = {}
    for name, module in model.head.norms.items():

        def note(_: object, inputs: tuple[Tensor], output: Tensor, name: str = name) -> None:
            output.retain_grad()
            passed[name] = inputs[0], output

        module.register_forward_hook(note)
    torch.autograd.backward(loss())

    found: dict[str, dict[Form, Deviation]] = {}
    for name, (features, output) in passed.items():
        assert output.grad is not None
        x, above = features[:1].detach().double(), output.grad[:1].double()
        scale = model.head.norms[name].get_parameter("scale").detach().double()
        norms = {form: L2Norm(len(scale), gradient=form).double() for form in get_args(Form)}
        for norm in norms.values():
            norm.scale.data = scale
        true = slope(norms["exact"], x, above)
        x.requires_grad_()
        found[name] = {form: deviation(torch.autograd.grad(norm(x), x, above)[0], true) for form, norm in norms.items()}
    return found


def in_the_trunk(spread: float, draw: int) -> Deviation:
    """The authors' gradient of all trunk parameters beside the exact one, in the network of `demonstration`; float32."""
    gradients = {}
    for form in get_args(Form):
        model, loss = _spread(spread, draw, form)
        found = torch.autograd.grad(loss(), list(model.trunk.parameters()))
        gradients[form] = torch.cat([gradient.flatten() for gradient in found])
    return deviation(gradients["authors"], gradients["exact"])


def _spread(spread: float, draw: int, form: Form) -> tuple[Segmenter, Callable[[], Tensor]]:
    """The network of `demonstration`, and its loss on the recorded images."""
    case = vectors.case("parsenet_mini", "early")
    model, _ = nets.network(case, norm_gradient=form)
    generator = torch.Generator().manual_seed(draw)
    for norm in model.head.norms.values():
        scale = norm.get_parameter("scale")
        with torch.no_grad():
            scale.mul_(1 + spread * (2 * torch.rand(scale.shape, generator=generator) - 1))
    data, labels = case.given("data"), case.given("label")[:, 0].long()
    ignore = nets.layers(case)["loss"]["ignore_label"]
    return model, lambda: softmax_loss(model(data), labels, ignore, divisor(labels, ignore, "mean"))
