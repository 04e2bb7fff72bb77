"""How far two arrays are apart, and how far they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BOUNDS = {
    "norm: forward": 1e-6,
    "norm: gradient of the scale": 5e-6,
    "norm: gradient of the input, authors' form": 5e-6,
    "norm: gradient of the input, exact form, where scales are equal": 5e-6,
    "loss": 2e-6,
    "loss: gradient": 2e-6,
    "loss: gradient, saturated": 1e-6,
    "upsampling: deconvolution and unpooling, forward": 5e-6,
    "upsampling: deconvolution and unpooling, gradients": 5e-6,
    "upsampling: frozen bilinear as matrix products, forward": 5e-6,
    "upsampling: frozen bilinear as matrix products, gradient": 5e-6,
    "upsampling: bilinear kernels": 1e-6,
    "upsampling: crops and sizes of three networks": 0.0,
    "convolution: forward": 5e-6,
    "convolution: gradients": 5e-6,
    "pooling: maximum, forward and gradient": 0.0,
    "pooling: average and bins, forward and gradient": 1e-6,
    "pooling: global average, forward and gradient": 1e-6,
    "pooling: lengths": 0.0,
    "solver: learning rates": 1e-6,
    "solver: losses": 1e-5,
    "solver: parameters before each step": 5e-5,
    "solver: updates": 5e-4,
    "networks: activations, loss, gradient of the scores": 2e-5,
    "networks: gradients of the parameters": 1e-4,
    "networks: losses of 10 steps": 5e-5,
    "networks: parameters after 1 and 10 steps": 1e-5,
    "networks: distance covered in 10 steps": 2e-3,
    "networks, exact form: gradients of the parameters": 1e-4,
    "networks, exact form: losses of 10 steps": 5e-5,
    "networks, exact form: parameters, one scale per layer": 1e-5,
    "networks, exact form: parameters, one scale per channel": 1e-3,
    "scores: pixel counts": 0.0,
    "scores: IU and means": 2e-7,
}
"""Group of arrays -> the largest relative difference allowed; 0 means equal."""


@dataclass(frozen=True)
class Difference:
    """One array of a case, beside ours."""

    group: str
    array: str
    absolute: float
    """max |ours - theirs|"""
    relative: float
    """the same over max |theirs|"""

    @property
    def bound(self) -> float:
        """The largest relative difference allowed."""
        return BOUNDS[self.group]

    @property
    def fits(self) -> bool:
        """Whether the difference is within the bound."""
        return self.relative <= self.bound

    @property
    def used(self) -> float:
        """The share of the bound that is used up: how differences of several groups are ranked."""
        return self.relative / self.bound if self.bound else (float("inf") if self.relative else 0.0)


def difference(group: str, array: str, ours: NDArray[Any], theirs: NDArray[Any]) -> Difference:
    """Compare two arrays of one shape; a difference that is not finite counts as infinite.

    Raises:
        ValueError: the shapes differ.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"{array}: ours has shape {ours.shape}, theirs {theirs.shape}")
    gap = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    absolute = float(gap.max(initial=0.0)) if np.isfinite(gap).all() else float("inf")
    scale = float(np.abs(theirs).max(initial=0.0))
    relative = absolute / scale if scale else (float("inf") if absolute else 0.0)
    return Difference(group, array, absolute, relative)
