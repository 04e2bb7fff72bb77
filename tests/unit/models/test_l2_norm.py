"""The L2 norm of Eq. 1 to 6, and the authors' variant of its gradient."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from parsenet_cli.models.norm import L2Norm


def pixel(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("gradient", "scales", "expected"),
    [
        ("exact", [10.0, 20.0], [-0.64, 0.48]),
        ("authors", [10.0, 20.0], [0.32, -0.48]),
        ("exact", [10.0, 10.0], [0.32, -0.24]),
        ("authors", [10.0, 10.0], [0.32, -0.24]),
    ],
)
def test_the_two_gradients_differ_once_scales_do(
    gradient: Literal["exact", "authors"], scales: list[float], expected: list[float]
) -> None:
    norm = L2Norm(2, gradient=gradient)
    norm.scale.data = torch.tensor(scales)
    x = pixel([3, 4]).requires_grad_()
    y = norm(x)
    y.backward(torch.ones_like(y))
    torch.testing.assert_close(y, pixel([0.6 * scales[0], 0.8 * scales[1]]))
    assert norm.scale.grad is not None
    torch.testing.assert_close(norm.scale.grad, torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(x.grad, pixel(expected))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("across_space", [False, True])
def test_gradients_are_those_of_the_written_formula(shared: bool, across_space: bool) -> None:
    norm = L2Norm(5, shared=shared, across_space=across_space)
    norm.scale.data.uniform_(5, 15)
    x = torch.randn(2, 5, 4, 3, requires_grad=True)
    weight = torch.randn(2, 5, 4, 3)
    found = torch.autograd.grad((norm(x) * weight).sum(), (x, norm.scale))

    axes = (1, 2, 3) if across_space else (1,)
    scale = norm.scale if shared else norm.scale.view(1, -1, 1, 1)
    y = scale * x / ((x * x).sum(axes, keepdim=True) + 1e-10).sqrt()
    expected = torch.autograd.grad((y * weight).sum(), (x, norm.scale))
    torch.testing.assert_close(norm(x), y)
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5)


def test_eps_lies_inside_the_root() -> None:
    y = L2Norm(1, 10.0)(pixel([1e-6]))
    assert y.item() == pytest.approx(10 * 1e-6 / (1e-12 + 1e-10) ** 0.5)


def test_a_pixel_of_zeros_stays_zero_with_a_finite_gradient() -> None:
    x = torch.zeros(1, 3, 1, 1, requires_grad=True)
    y = L2Norm(3, 10.0)(x)
    y.sum().backward()
    assert y.abs().max() == 0
    torch.testing.assert_close(x.grad, torch.full_like(x, 1e6))


def test_a_scale_of_zero_still_learns() -> None:
    norm = L2Norm(2, 0.0)
    norm(pixel([3, 4])).sum().backward()
    torch.testing.assert_close(norm.scale.grad, torch.tensor([0.6, 0.8]))


def test_a_fixed_scale_gets_no_gradient() -> None:
    norm = L2Norm(2, 1.0, learn=False)
    x = pixel([3, 4]).requires_grad_()
    norm(x).sum().backward()
    assert norm.scale.grad is None
    assert x.grad is not None


def test_low_precision_features_are_normalised_in_float32() -> None:
    x = (torch.randn(1, 6, 3, 3) * 1e-3).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = L2Norm(6, 10.0)(x)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, L2Norm(6, 10.0)(x.float()))


def test_double_precision_stays_double() -> None:
    x = torch.randn(1, 6, 3, 3, dtype=torch.float64, requires_grad=True)
    norm = L2Norm(6).double()
    assert norm(x).dtype == torch.float64
    assert torch.autograd.gradcheck(norm, x)
