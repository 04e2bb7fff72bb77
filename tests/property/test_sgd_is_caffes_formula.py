"""Trajectories of the optimiser against the formula written out in numpy, and against torch.optim.SGD."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from parsenet_cli.engine.optim import SGD, Group

fractions = st.floats(0, 1, exclude_max=True)
multipliers = st.sampled_from([0.0, 1.0, 2.0, 20.0])
rates = st.lists(st.floats(0, 0.1), min_size=1, max_size=8)


@given(rates, fractions, fractions, multipliers, multipliers, st.sampled_from([1, 4]), st.integers(0, 2**31))
def test_trajectory_equals_the_formula(
    rates: list[float], momentum: float, decay: float, lr_mult: float, decay_mult: float, iter_size: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    w, v = rng.normal(size=(3, 2)), np.zeros((3, 2))
    weight = nn.Parameter(torch.tensor(w))
    optimiser = SGD([Group(lr_mult, decay_mult, {"weight": weight})], momentum, decay, iter_size)
    for rate in rates:
        g = rng.normal(size=(3, 2))
        v = momentum * v + rate * lr_mult / iter_size * (g + iter_size * decay * decay_mult * w)
        w = w - v
        weight.grad = torch.tensor(g)
        optimiser.update(rate)
    np.testing.assert_allclose(weight.detach().numpy(), w, rtol=1e-9, atol=1e-12)


@given(st.floats(0, 0.1), fractions, fractions, st.integers(0, 2**31))
def test_at_a_constant_rate_it_is_torchs_sgd(rate: float, momentum: float, decay: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(5, generator=generator, dtype=torch.float64)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimiser = SGD([Group(1.0, 1.0, {"weight": ours})], momentum, decay, 1)
    reference = torch.optim.SGD([theirs], rate, momentum, weight_decay=decay)
    for _ in range(6):
        ours.grad = torch.randn(5, generator=generator, dtype=torch.float64)
        theirs.grad = ours.grad.clone()
        optimiser.update(rate)
        reference.step()
    torch.testing.assert_close(ours, theirs)
