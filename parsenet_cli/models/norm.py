"""L2 normalisation of features with a learned scale (§3.3, Eq. 1 to 6; the authors' src/caffe/layers/normalize_layer.cpp)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from parsenet_cli.models.upsample import at_least_float32

EPS = 1e-10
"""Added inside the root: a floor of 1e-5 on the norm."""

FLOOR = 1e-5
"""Of other norms."""


class Norm(nn.Module):
    """A norm with a scale, one for each channel or a shared one: `scale * x / |x|`.

    Args:
        channels: C.
        scale: initial value of the scale.
        learn: whether the scale is trained.
        shared: one scale for all channels instead of one each.
    """

    def __init__(self, channels: int, scale: float, *, learn: bool, shared: bool) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full(() if shared else (channels,), scale), requires_grad=learn)

    @property
    def scales(self) -> Tensor:
        """As they are multiplied with (N, C, H, W)."""
        return self.scale if self.scale.ndim == 0 else self.scale.view(1, -1, 1, 1)


class LpNorm(Norm):
    """`y[c] = scale[c] * x[c] / (sum_c |x[c]|^p)^(1/p)` at every pixel: the other norms of §3.3's second footnote.

    Args:
        channels: C.
        scale: initial value of the scale.
        p: from 1; None for the largest absolute value, p = infinity.
        learn: whether the scale is trained.
        shared: one scale for all channels instead of one each.
    """

    def __init__(
        self, channels: int, scale: float = 10.0, *, p: float | None, learn: bool = True, shared: bool = False
    ) -> None:
        super().__init__(channels, scale, learn=learn, shared=shared)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, in float32 (float64 for a float64 input)."""
        x = at_least_float32(x)
        size = x.abs()
        norm = largest = size.amax(1, keepdim=True)
        if self.p is not None:
            # Relative to the largest value no power is too large or too small; as a constant it leaves the gradient as it is.
            largest = largest.detach().clamp_min(FLOOR)
            norm = largest * (size / largest).pow(self.p).sum(1, keepdim=True).clamp_min(FLOOR).pow(1 / self.p)
        return self.scales * x / norm.clamp_min(FLOOR)

    def extra_repr(self) -> str:
        """The settings, for `print(model)`."""
        return f"{self.scale.numel()}, p={self.p}"


class L2Norm(Norm):
    """`y[c] = scale[c] * x[c] / sqrt(sum_c x[c]^2 + 1e-10)` at every pixel of (N, C, H, W).

    Args:
        channels: C.
        scale: initial value of the scale (the paper: 10 and 20 train well, 1 hardly does).
        learn: whether the scale is trained.
        shared: one scale for all channels instead of one each.
        across_space: one norm for the whole map instead of one per pixel.
        gradient: `exact`, or `authors`: their backward pass projects first and scales last, which is the gradient only
            as long as all scales of the layer are equal.
        eps: see `EPS`.
    """

    def __init__(
        self,
        channels: int,
        scale: float = 10.0,
        *,
        learn: bool = True,
        shared: bool = False,
        across_space: bool = False,
        gradient: Literal["exact", "authors"] = "exact",
        eps: float = EPS,
    ) -> None:
        super().__init__(channels, scale, learn=learn, shared=shared)
        self.across_space = across_space
        self.gradient = gradient
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, in float32 (float64 for a float64 input)."""
        axes = (1, 2, 3) if self.across_space else (1,)
        result: Tensor = _Normalise.apply(at_least_float32(x), self.scales, axes, self.eps, self.gradient == "authors")
        return result

    def extra_repr(self) -> str:
        """The settings, for `print(model)`."""
        return f"{self.scale.numel()}, across_space={self.across_space}, gradient={self.gradient}"


class _Normalise(torch.autograd.Function):
    """One function for both gradients: it keeps the input and the reciprocal norm, not every intermediate map."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, axes: tuple[int, ...], eps: float, authors: bool) -> Tensor:
        inverse = (x * x).sum(axes, keepdim=True).add_(eps).rsqrt_()
        ctx.save_for_backward(x, scale, inverse)
        ctx.axes, ctx.authors = axes, authors
        return (x * inverse).mul_(scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = gradients
        x, scale, inverse = ctx.saved_tensors
        unit = x * inverse
        scale_grad = None
        if ctx.needs_input_grad[1]:
            scale_grad = (grad * unit).sum_to_size(scale.shape)
        x_grad = None
        if ctx.needs_input_grad[0]:
            inner = grad if ctx.authors else grad * scale
            along = (unit * inner).sum(ctx.axes, keepdim=True)
            x_grad = torch.addcmul(inner, unit, along, value=-1).mul_(inverse)
            if ctx.authors:
                x_grad.mul_(scale)
        return x_grad, scale_grad, None, None, None
