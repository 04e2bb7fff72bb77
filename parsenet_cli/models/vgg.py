"""VGG's topology and the four bodies built from it, for any widths (docs/protocol.md, "Bodies").

A trunk of this family is a `Spec`; `build` turns it into layers. What follows conv4 is the axis `body`:

    fcn        every pool halves; fc6 over adjacent cells                        FCN's voc-fcn32s/net.py
    reduced    pool4 and pool5 keep the size, conv5 and fc6 are dilated, thinner fc   VGGNetBody in the authors'
               python/caffe/model_libs.py: the ParseNet baseline
    deeplab    every 2x2 pool padded, fc6 over spread taps at full width              DeepLab v1, vgg128_noup
    largefov   3x3 pools, an average pool after pool5, fc as in reduced               DeepLab-LargeFOV
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from parsenet_cli.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from parsenet_cli.config import Science
    from parsenet_cli.models.trunk import Trunk

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

    from parsenet_cli.models.dropout import Dropout
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


def fit(tensors: dict[str, Tensor], spec: Spec, body: Body, deeplab_kernel: int = 4) -> dict[str, Tensor]:
    """Tensors under this family's names, with fc6 and fc7 of the full `fcn` body decimated to `body`'s.

    Every k-th filter and the body's taps of fc6, every k-th row and column of fc7, values unscaled (the authors'
    python/net_surgery.py). fc6 and fc7 that already have the body's shape are left as they are.

    Raises:
        UserError: fc6 is neither the full one nor the body's.
    """
    fc6 = fc6_of(spec, body, deeplab_kernel)
    result = dict(tensors)
    if "fc6.weight" not in tensors or "fc7.weight" not in tensors:
        return result  # the caller names what is missing
    weight, side = tensors["fc6.weight"], max(fc6_of(spec, "fcn").taps) + 1
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
    result["fc7.weight"] = tensors["fc7.weight"][:: fc6.every, :: fc6.every]
    for name in ("fc6.bias", "fc7.bias"):
        if name in tensors:
            result[name] = tensors[name][:: fc6.every]
    return result
