"""VGG's topology and the four bodies built from it, for any widths (docs/protocol.md, "Bodies").

A trunk of this family is a `Spec`; `build` turns it into layers. What follows conv4 is the axis `body`:

    fcn        every pool halves; fc6 over adjacent cells                        FCN's voc-fcn32s/net.py
    reduced    pool4 and pool5 keep the size, conv5 and fc6 are dilated, thinner fc   VGGNetBody in the authors'
               python/caffe/model_libs.py: the ParseNet baseline
    deeplab    every 2x2 pool padded, fc6 over spread taps at full width              DeepLab v1, vgg128_noup
    largefov   3x3 pools, an average pool after pool5, fc as in reduced               DeepLab-LargeFOV
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from parsenet_cli.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights.read import Weights

Body = Literal["fcn", "reduced", "deeplab", "largefov"]
Pad = Literal["same", "none"]


@dataclass(frozen=True)
class Fc6:
    """fc6 as a convolution: which taps of the pretrained kernel it keeps, and how far apart they are put."""

    taps: tuple[int, ...]
    """Rows and columns of the `fcn` body's kernel that are kept."""
    dilation: int
    every: int = 1
    """Every how many-th output filter is kept, in fc6 and in fc7."""


@dataclass(frozen=True)
class Spec:
    """One member of the family. Convolutions are 3x3 with padding 1; every stage but those without a pool is halved."""

    widths: tuple[int, int, int, int, int]
    """Channels of the five stages."""
    convs: tuple[int, int, int, int, int]
    """Convolutions in each stage."""
    unpooled: tuple[int, ...]
    """Stages (1-5) that have no pool after them."""
    fc: int
    """Filters of fc6 and fc7 in the `fcn` body."""
    fc6: dict[str, Fc6]
    """fc6 of each body; `deeplab7` is the body `deeplab` with deeplab_kernel=7."""
    big_pad: int
    """Padding of conv1_1 under pad100."""


@dataclass(frozen=True)
class Pool:
    """A maximum pooling, sizes rounded up as in Caffe."""

    kernel: int
    stride: int
    padding: int


def _pools(body: Body) -> tuple[Pool, Pool, Pool]:
    """The pool after stages 1 to 3, after stage 4 and after stage 5."""
    same = Pool(3, 1, 1)
    match body:
        case "fcn":
            return Pool(2, 2, 0), Pool(2, 2, 0), Pool(2, 2, 0)
        case "reduced":
            return Pool(2, 2, 0), same, same
        case "deeplab":
            return Pool(2, 2, 1), Pool(2, 1, 0), same
        case "largefov":
            return Pool(3, 2, 1), same, same


def fc6_of(spec: Spec, body: Body, deeplab_kernel: int = 4) -> Fc6:
    """fc6 of a body."""
    return spec.fc6["deeplab7" if body == "deeplab" and deeplab_kernel == 7 else body]


def unsupported(name: str, science: Science) -> str | None:
    """Why a trunk of this family cannot serve a configuration, or None."""
    if science.skips != "none" and science.body != "fcn":
        return (
            f"skips={science.skips}: FCN's skips join body fcn, {name}'s body {science.body} has no coarser map to join"
        )
    return None


def build(
    spec: Spec,
    body: Body,
    *,
    deeplab_kernel: int = 4,
    pad100: bool = False,
    fc6_pad: Pad = "same",
    dropout: float = 0.5,
) -> Trunk:
    """The layers of a body, with Caffe's names (conv1_1, pool1, … fc6, fc7), before any weights are loaded.

    With `pad100` conv1_1 is padded by the big pad and fc6 not at all; otherwise fc6 is padded so that it keeps the size
    (`fc6_pad="none"`: not padded, and it will not cover the image).
    """
    from torch import nn

    from parsenet_cli.models.layers import Dropout
    from parsenet_cli.models.trunk import Trunk

    fc6 = fc6_of(spec, body, deeplab_kernel)
    early_pool, pool4, pool5 = _pools(body)
    layers: dict[str, nn.Module] = {}
    taps: dict[str, str] = {}
    channels = 3
    for stage, (width, convs) in enumerate(zip(spec.widths, spec.convs, strict=True), start=1):
        dilation = 2 if stage == 5 and body != "fcn" else 1
        for i in range(1, convs + 1):
            padding = spec.big_pad if pad100 and (stage, i) == (1, 1) else dilation
            layers[f"conv{stage}_{i}"] = nn.Conv2d(channels, width, 3, padding=padding, dilation=dilation)
            layers[f"relu{stage}_{i}"] = nn.ReLU(inplace=True)
            channels = width
        taps[f"conv{stage}"] = f"relu{stage}_{convs}"
        if stage not in spec.unpooled:
            pool = {4: pool4, 5: pool5}.get(stage, early_pool)
            layers[f"pool{stage}"] = nn.MaxPool2d(pool.kernel, pool.stride, pool.padding, ceil_mode=True)
            taps[f"pool{stage}"] = f"pool{stage}"
    if body == "largefov":
        layers["pool5a"] = nn.AvgPool2d(3, 1, 1, ceil_mode=True, count_include_pad=True)
    kernel, fc = len(fc6.taps), spec.fc // fc6.every
    padding = 0 if pad100 or fc6_pad == "none" else fc6.dilation * (kernel - 1) // 2
    layers["fc6"] = nn.Conv2d(channels, fc, kernel, padding=padding, dilation=fc6.dilation)
    layers["relu6"] = nn.ReLU(inplace=True)
    layers["drop6"] = Dropout(dropout)
    layers["fc7"] = nn.Conv2d(fc, fc, 1)
    layers["relu7"] = nn.ReLU(inplace=True)
    layers["drop7"] = Dropout(dropout)
    return Trunk(layers, {**taps, "fc7_before_dropout": "relu7", "fc7": "drop7"})


def outline(spec: Spec, body: str, deeplab_kernel: int = 4) -> Trunk:
    """The layers of a body, for their names and shapes alone."""
    return build(spec, cast(Body, body), deeplab_kernel=deeplab_kernel)


def fit(weights: Weights, spec: Spec, trunk: str, body: str, deeplab_kernel: int = 4) -> dict[str, Tensor]:
    """A file's tensors under this family's names, with fc6 and fc7 decimated to `body`'s where they are the full ones.

    Raises:
        UserError: the file has convolutions that the trunk `trunk` has not, or its fc6 is neither the full one nor the
            body's.
    """
    try:
        return decimate(renamed(weights.tensors, spec, trunk), spec, cast(Body, body), deeplab_kernel)
    except UserError as problem:
        raise UserError(f"{weights.source}: {problem}") from None


def body_of(weights: Weights, spec: Spec, trunk: str) -> Body:
    """The body whose fc6 a file holds; `fcn`, the full one, where it holds none that any body has.

    Raises:
        UserError: the file holds convolutions of another network.
    """
    try:
        weight = renamed(weights.tensors, spec, trunk).get("fc6.weight")
    except UserError as problem:
        raise UserError(f"{weights.source}: {problem}") from None
    if weight is None or weight.ndim != 4:
        return "fcn"
    for body in get_args(Body):
        fc6 = fc6_of(spec, body)
        side = len(fc6.taps)
        if (weight.shape[0], *weight.shape[2:]) == (spec.fc // fc6.every, side, side):
            return cast(Body, body)
    return "fcn"


def renamed(tensors: Mapping[str, Tensor], spec: Spec, trunk: str) -> dict[str, Tensor]:
    """Tensors under Caffe's names, from these or two others, and fc6 and fc7 as convolutions where they are matrices.

    The others are torchvision's (`features.N`, `classifier.0` and `.3`) and SSD's (`N`, the position in its list of layers,
    fc6 and fc7 included). What belongs to no layer of this network, such as a classifier, is left out.

    Raises:
        UserError: a convolution of another network (VGG-19, say) stands among them.
    """
    known = _other_names(spec)
    found: dict[str, Tensor] = {}
    foreign: list[str] = []
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        ours = known.get(layer)
        if ours is not None:
            found[f"{ours}.{kind}"] = _as_convolution(tensor, ours, spec) if kind == "weight" else tensor
        elif layer.isdigit() or layer.startswith(("conv", "features.")):
            foreign.append(name)
    if foreign:
        raise UserError(
            f"not the weights of trunk {trunk}: it has no {', '.join(foreign[:3])}{', …' if len(foreign) > 3 else ''}, "
            "which the file holds. These are the weights of another network"
        )
    return found


def _other_names(spec: Spec) -> dict[str, str]:
    """The name of a layer in each layout -> Caffe's name. Both lists count convolutions, ReLUs and pools."""
    names: dict[str, str] = {}
    position = 0
    for stage, convs in enumerate(spec.convs, start=1):
        for i in range(1, convs + 1):
            ours = f"conv{stage}_{i}"
            names |= dict.fromkeys((ours, f"features.{position}", str(position)), ours)
            position += 2
        position += stage not in spec.unpooled
    fc6 = dict.fromkeys(("fc6", "classifier.0", str(position)), "fc6")
    return names | fc6 | dict.fromkeys(("fc7", "classifier.3", str(position + 2)), "fc7")


def _as_convolution(weight: Tensor, layer: str, spec: Spec) -> Tensor:
    """A fully connected layer's (out, in) as (out, channels, side, side); anything else as it is."""
    if weight.ndim != 2 or layer not in ("fc6", "fc7"):
        return weight
    channels = spec.widths[-1] if layer == "fc6" else weight.shape[1]
    side = math.isqrt(weight.shape[1] // channels)
    fits = channels * side * side == weight.shape[1]
    return weight.reshape(weight.shape[0], channels, side, side) if fits else weight


def decimate(tensors: dict[str, Tensor], spec: Spec, body: Body, deeplab_kernel: int = 4) -> dict[str, Tensor]:
    """Tensors with fc6 and fc7 of the full `fcn` body decimated to `body`'s.

    Every k-th filter and the body's taps of fc6, every k-th row and column of fc7, values unscaled (the authors'
    python/net_surgery.py). fc6 and fc7 that already have the body's shape are left as they are.

    Raises:
        UserError: fc6 is neither the full one nor the body's.
    """
    fc6 = fc6_of(spec, body, deeplab_kernel)
    result = dict(tensors)
    weight, second, side = tensors.get("fc6.weight"), tensors.get("fc7.weight"), max(fc6_of(spec, "fcn").taps) + 1
    if weight is None or second is None or weight.ndim != 4 or second.ndim != 4 or weight.shape[2] != weight.shape[3]:
        return result  # `weights.check` names what is missing or misshapen
    full, wanted = (spec.fc, side), (spec.fc // fc6.every, len(fc6.taps))
    found = (weight.shape[0], weight.shape[-1])
    if found == wanted:
        return result
    if found != full:
        raise UserError(
            f"fc6 of the weights has {found[0]} filters of {found[1]}x{found[1]}; body {body} expects {wanted[0]} of "
            f"{wanted[1]}x{wanted[1]}, or {full[0]} of {side}x{side} to be decimated from. Pass the weights of this trunk"
        )
    taps = list(fc6.taps)
    result["fc6.weight"] = weight[:: fc6.every][:, :, taps][:, :, :, taps]
    result["fc7.weight"] = second[:: fc6.every, :: fc6.every]
    for name in ("fc6.bias", "fc7.bias"):
        if name in tensors:
            result[name] = tensors[name][:: fc6.every]
    return result
