"""Convolution and pooling: the layers of our trunks, with each case's window."""

from __future__ import annotations

import copy

import torch
from torch import nn

from parsenet_cli.models import context, vgg
from parsenet_cli.models.context import Context
from parsenet_cli.models.context.spp import Pyramid, caffe_bounds
from parsenet_cli.models.geometry import Window
from parsenet_cli.models.trunks.vgg_tiny import SPEC
from tests.golden import nets
from tests.golden.vectors import Case

AVERAGE = "pooling: average and bins, forward and gradient"
MAXIMUM = "pooling: maximum, forward and gradient"


def convolution(case: Case) -> None:
    """A convolution with the recorded weights."""
    spec, x = case.spec, case.given("bottom").requires_grad_()
    window = (spec[key] for key in ("num_output", "kernel", "stride", "pad", "dilation", "groups"))
    layer = nn.Conv2d(x.shape[1], *window)
    assert layer.bias is not None
    with torch.no_grad():
        layer.weight.copy_(case.given("param0"))
        layer.bias.copy_(case.given("param1"))
    top = layer(x)
    top.backward(case.given("top_diff"))
    case.compare("convolution: forward", "top", top)
    for array, owner in (("bottom_diff", x), ("param_diff0", layer.weight), ("param_diff1", layer.bias)):
        assert owner.grad is not None
        case.compare("convolution: gradients", array, owner.grad)


def maximum(case: Case) -> None:
    """The pool of our trunks."""
    _pooled(case, MAXIMUM, _windowed(case, "fcn", "pool1"))


def average(case: Case) -> None:
    """The average pool of our body `largefov`."""
    _pooled(case, AVERAGE, _windowed(case, "largefov", "pool5a"))


def _windowed(case: Case, body: str, name: str) -> nn.Module:
    """A pool as our trunk has it, with the window of the case."""
    layer = copy.copy(vgg.build_body(SPEC, body).get_submodule(name))
    for ours, theirs in (("kernel_size", "kernel"), ("stride", "stride"), ("padding", "pad")):
        setattr(layer, ours, case.spec[theirs])
    return layer


def _pooled(case: Case, group: str, pool: nn.Module | Context) -> None:
    x = case.given("bottom").requires_grad_()
    top = pool(x)
    case.compare_both_ways(group, group, x, top[0] if isinstance(pool, Context) else top)


def global_average(case: Case) -> None:
    """ParseNet's context, and the pyramid of one bin, which is the same."""
    channels = case.given("bottom").shape[1]
    group = "pooling: global average, forward and gradient"
    _pooled(case, group, context.build(nets.base(), channels))
    _pooled(case, group, Pyramid((1,), channels, adaptive=False))


def bins(case: Case) -> None:
    """The pyramid; it only averages, so maxima are taken here over the bounds of its bins."""
    count = case.spec["bins"]
    x = case.given("bottom").requires_grad_()
    if case.spec["pool"] == "AVE":
        (top,) = Pyramid((count,), x.shape[1], adaptive=False)(x)
        case.compare_both_ways(AVERAGE, AVERAGE, x, top)
        return
    rows, columns = (caffe_bounds(side, count) for side in x.shape[2:])
    maxima = [
        x[:, :, max(top, 0) : bottom, max(left, 0) : right].amax((2, 3))
        for top, bottom in rows
        for left, right in columns
    ]
    case.compare_both_ways(MAXIMUM, MAXIMUM, x, torch.stack(maxima, dim=2).view(*x.shape[:2], count, count))


def lengths(case: Case) -> None:
    """The lengths that `geometry.Window` foretells."""
    rows = case.given("rows")
    ours = [
        Window(int(kernel), int(stride), int(pad), 1, ceil=True).length(int(cells))
        for kernel, stride, pad, cells, _ in rows
    ]
    case.compare("pooling: lengths", "rows", torch.tensor(ours), rows[:, 4])
