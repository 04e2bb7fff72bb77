"""The optimiser is Caffe's: schedules, multipliers, clipping, and what is kept of it.

That it follows Caffe's formula step by step: tests/property/test_sgd_is_caffes_formula.py.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from parsenet_cli.core.run_config import Recipe
from parsenet_cli.engine.optim import SGD, learning_rate, parameter_groups, sgd

PARSENET: dict[str, Any] = {
    "policy": "poly", "lr": 1e-9, "power": 0.9, "step": None, "step_factor": 0.1, "momentum": 0.9,
    "weight_decay": 5e-4, "iterations": 80_000, "length": 1, "batch": 1, "iter_size": 1, "loss": "sum",
    "crop": None, "mirror": False, "sampling": "shuffle", "head_lr": (10, 20), "trunk_lr": (1, 2), "dropout": 0.5,
}  # fmt: skip


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{**PARSENET, **changes})


class Net(nn.Module):
    """One parameter of every role, each of value 1."""

    def __init__(self) -> None:
        super().__init__()
        for name in self.roles():
            self.register_parameter(name, nn.Parameter(torch.ones(1), requires_grad=name != "upsample"))

    def roles(self) -> Mapping[str, str]:
        return {
            "conv_w": "trunk_weight",
            "conv_b": "trunk_bias",
            "upsample": "frozen",
            "score_w": "head_weight",
            "score_b": "head_bias",
            "gamma": "scale",
        }


class WithDeconvolution(Net):
    """And a learned upsampling."""

    def roles(self) -> Mapping[str, str]:
        return {**super().roles(), "deconv_w": "upsample_weight", "deconv_b": "upsample_bias"}


def values(net: Net) -> dict[str, float]:
    return {name: parameter.item() for name, parameter in net.named_parameters()}


def give_gradients(net: Net, value: float) -> None:
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, value) if parameter.requires_grad else None


@pytest.mark.parametrize(
    ("iteration", "rate"),
    [
        *((0, 1e-9), (1, 9.99988750e-10), (20_000, 7.71889507e-10), (40_000, 5.35886731e-10), (60_000, 2.87174589e-10)),
        (79_999, 3.86561868e-14),  # the last: small, but not zero
    ],
)
def test_poly_falls_from_the_base_rate(iteration: int, rate: float) -> None:
    assert learning_rate(recipe(), iteration) == pytest.approx(rate, rel=1e-8)


def test_poly_stretches_with_the_length_of_the_training() -> None:
    assert learning_rate(recipe(length=0.5), 20_000) == learning_rate(recipe(), 40_000)


def test_step_drops_by_its_factor_and_fixed_never() -> None:
    stepping = recipe(policy="step", lr=1.0, step=2000)
    rates = [learning_rate(stepping, i) for i in (0, 1999, 2000, 3999, 4000)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert learning_rate(recipe(policy="fixed"), 79_999) == 1e-9


@pytest.mark.parametrize("iteration", [-1, 80_000])
def test_there_is_no_rate_outside_the_training(iteration: int) -> None:
    with pytest.raises(ValueError, match="of 80000"):
        learning_rate(recipe(), iteration)


def test_every_role_has_its_multipliers_and_frozen_parameters_are_left_out() -> None:
    groups = parameter_groups(WithDeconvolution(), recipe(trunk_lr=(0.5, 1)), norm_decay=0.25)
    found = {name: (group.lr_mult, group.decay_mult) for group in groups for name in group.parameters}
    assert found == {
        **{"conv_w": (0.5, 1), "conv_b": (1, 0), "score_w": (10, 1), "score_b": (20, 0)},
        **{"deconv_w": (1, 1), "deconv_b": (2, 0), "gamma": (1, 0.25)},
    }


@pytest.mark.parametrize(("largest", "share"), [(None, 1.0), (100.0, 1.0), (4.0, 4 / 20)])
def test_clipping_bounds_the_summed_gradient_before_iter_size_and_decay(largest: float | None, share: float) -> None:
    net = Net()
    optimiser = sgd(net, recipe(weight_decay=0.5, iter_size=4, clip_gradients=largest), norm_decay=0.0)
    give_gradients(net, 20 / 5**0.5)  # five trained parameters: the norm of all together is 20
    optimiser.update(0.01)
    gradient = share * 20 / 5**0.5 / 4
    assert values(net)["conv_w"] == pytest.approx(1 - 0.01 * (gradient + 0.5))
    assert values(net)["gamma"] == pytest.approx(1 - 0.01 * gradient)
    assert net.conv_w.grad.item() == pytest.approx(20 / 5**0.5), "the gradients are left as they are"  # type: ignore[union-attr,operator]


def test_frozen_parameters_do_not_count_towards_the_norm_that_is_clipped() -> None:
    net = Net()
    optimiser = sgd(net, recipe(trunk_lr=(0, 0), weight_decay=0.0, clip_gradients=3.0), norm_decay=0.0)
    give_gradients(net, 2.0)
    optimiser.update(0.01)
    assert values(net)["gamma"] == pytest.approx(1 - 0.01 * 2 * 3 / (2 * 3**0.5))


def test_training_goes_on_bit_for_bit_from_a_state_dict() -> None:
    torch.manual_seed(0)
    gradients = torch.randn(10, 6)

    def train(net: Net, optimiser: SGD, steps: range) -> None:
        for t in steps:
            for parameter, slope in zip(net.parameters(), gradients[t], strict=True):
                parameter.grad = slope.reshape(1)
            optimiser.update(learning_rate(recipe(lr=0.1, iterations=10), t))

    whole = Net()
    train(whole, sgd(whole, recipe(), 0.0), range(10))

    first = Net()
    optimiser = sgd(first, recipe(), 0.0)
    train(first, optimiser, range(4))
    file = io.BytesIO()
    torch.save((first.state_dict(), optimiser.state_dict()), file)
    file.seek(0)
    saved, velocities = torch.load(file, weights_only=True)
    resumed = Net()
    resumed.load_state_dict(saved)
    optimiser = sgd(resumed, recipe(), 0.0)
    optimiser.load_state_dict(velocities)
    train(resumed, optimiser, range(4, 10))
    assert values(resumed) == values(whole)


def trajectory(dtype: torch.dtype, fused: bool, **changes: Any) -> dict[str, torch.Tensor]:
    """Parameters and velocities after forty steps along drawn gradients, some of them of a norm that is clipped."""
    given, net = recipe(iterations=40, lr=1e-3, **changes), WithDeconvolution()
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.data = torch.randn(6, 5, generator=generator).to(dtype)
    optimiser = sgd(net, given, norm_decay=0.25)
    optimiser._fused = fused
    for step in range(given.steps):
        for parameter in net.parameters():
            gradient = torch.randn(6, 5, generator=generator) * (1 + step % 7)
            parameter.grad = gradient.to(dtype) if parameter.requires_grad else None
        optimiser.update(learning_rate(given, step))
    return {**dict(net.named_parameters()), **{f"velocity of {n}": v for n, v in optimiser.state_dict().items()}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"weight_decay": 0.2, "iter_size": 20},
        {"clip_gradients": 30.0, "iter_size": 4},
        {"trunk_lr": (0, 0), "weight_decay": 0.2, "clip_gradients": 30.0},
        {"policy": "step", "step": 10, "head_lr": (1, 0)},
    ],
    ids=str,
)
def test_pytorchs_fused_kernel_is_as_near_to_float64_as_the_loop(changes: dict[str, Any]) -> None:
    """Which is what a GPU takes; here it is run on a CPU, where PyTorch has it too."""
    exact = trajectory(torch.float64, fused=False, **changes)
    loop, fused = (trajectory(torch.float32, fused=fused, **changes) for fused in (False, True))
    for name, wanted in exact.items():
        size = max(1e-30, float(wanted.detach().abs().max()))
        of_loop, of_fused = (float((found[name] - wanted).detach().abs().max()) / size for found in (loop, fused))
        assert of_fused <= 1.5 * of_loop + 2e-7, name
    assert torch.equal(exact["conv_w"].float(), fused["conv_w"]) == (changes.get("trunk_lr") == (0, 0))


def test_gradients_are_forgotten_on_request_and_not_by_an_update() -> None:
    net = Net()
    optimiser = sgd(net, recipe(), 0.0)
    give_gradients(net, 1.0)
    optimiser.update(0.1)
    assert [p.grad is not None for p in net.parameters()] == [p.requires_grad for p in net.parameters()]
    optimiser.zero_grad()
    before = values(net)
    optimiser.update(0.1)
    assert all(p.grad is None for p in net.parameters())
    assert values(net) == before


def test_velocities_of_another_network_are_refused() -> None:
    optimiser = sgd(Net(), recipe(), 0.0)
    with pytest.raises(ValueError, match="other_w"):
        optimiser.load_state_dict({"other_w": torch.zeros(1)})


def test_training_does_not_wait_for_pytorchs_compiler() -> None:
    program = """
import sys, torch
from parsenet_cli.engine.loss import softmax_loss
from parsenet_cli.engine.optim import SGD, Group
weight = torch.nn.Parameter(torch.zeros(1, 2, 3, 3))
softmax_loss(weight, torch.zeros(1, 3, 3, dtype=torch.uint8), 255, 1).backward()
SGD([Group(1.0, 1.0, {"weight": weight})], 0.9, 0.0, 1).update(0.1)
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
