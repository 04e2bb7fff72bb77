"""VGG's topology and the four bodies built from it, for any widths (docs/protocol.md, "Bodies").

A trunk of this family is a `Spec`; `build_body` turns it into layers. What follows conv4 is the axis `body`:

    fcn        every pool halves; fc6 over adjacent cells                        FCN's voc-fcn32s/net.py
    reduced    pool4 and pool5 keep the size, conv5 and fc6 are dilated, thinner fc   VGGNetBody in the authors'
               python/caffe/model_libs.py: the ParseNet baseline
    deeplab    every 2x2 pool padded, fc6 over spread taps at full width              DeepLab v1, vgg128_noup
    largefov   3x3 pools, an average pool after pool5, fc as in reduced               DeepLab-LargeFOV
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import STAGES
from parsenet_cli.models.preprocessing_spec import CAFFE, InputNormalization
from parsenet_cli.models.trunks import Architecture

if TYPE_CHECKING:
    from torch import Tensor, nn

    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights.read import Weights

# Kernel, stride and padding of the maximum pools after stages 1 to 3, 4 and 5. Sizes are rounded up as in Caffe.
_SAME = (3, 1, 1)
_POOLS = {
    "fcn": ((2, 2, 0), (2, 2, 0), (2, 2, 0)),
    "reduced": ((2, 2, 0), _SAME, _SAME),
    "deeplab": ((2, 2, 1), (2, 1, 0), _SAME),
    "largefov": ((3, 2, 1), _SAME, _SAME),
}
BODIES = tuple(_POOLS)


@dataclass(frozen=True)
class Fc6:
    """fc6 as a convolution: which taps of the pretrained kernel it keeps, and how far apart they are put.

    Attributes:
        taps: rows and columns of the `fcn` body's kernel that are kept.
        dilation: cells between them.
        every: every how many-th output filter is kept, in fc6 and in fc7.
    """

    taps: tuple[int, ...]
    dilation: int
    every: int = 1


@dataclass(frozen=True)
class Spec:
    """One member of the family. Convolutions are 3x3 with padding 1; every stage but those without a pool is halved.

    Attributes:
        widths: channels of the five stages.
        convs: convolutions in each stage.
        unpooled: stages (1-5) that have no pool after them.
        fc: filters of fc6 and fc7 in the `fcn` body.
        fc6: that of each body; `deeplab7` is the body `deeplab` with deeplab_kernel=7.
        big_pad: padding of conv1_1 under pad100.
    """

    widths: tuple[int, ...]
    convs: tuple[int, ...]
    unpooled: tuple[int, ...]
    fc: int
    fc6: dict[str, Fc6]
    big_pad: int

    def fc6_of(self, body: str, deeplab_kernel: int = 4) -> Fc6:
        """fc6 of a body."""
        return self.fc6["deeplab7" if body == "deeplab" and deeplab_kernel == 7 else body]

    def fc6_shape(self, body: str, deeplab_kernel: int = 4) -> tuple[int, int]:
        """The filters of fc6 (and of fc7), and the side of its kernel."""
        fc6 = self.fc6_of(body, deeplab_kernel)
        return self.fc // fc6.every, len(fc6.taps)


@dataclass(frozen=True, kw_only=True)
class Vgg(Architecture):
    """A trunk of this family.

    Attributes:
        spec: its layers.
        caffe_first_taps: the upper left tap of conv1_1's first filter in Caffe's training of it, for blue, green and red:
            it tells which channel of any port is which. Empty where there is no such training.
    """

    spec: Spec
    caffe_first_taps: tuple[float, ...] = ()
    bodies: tuple[str, ...] = BODIES
    skips: tuple[str, ...] = ("16s", "8s")
    stages: tuple[str, ...] = STAGES

    def unsupported(self, science: Science) -> str | None:
        """Skips need the coarser maps of body `fcn`."""
        if science.skips == "none" or science.body == "fcn":
            return None
        return f"skips={science.skips}: FCN's skips join body fcn, {self.name}'s body {science.body} has no coarser map to join"

    def build(self, science: Science) -> Trunk:
        """The layers of `science.body`."""
        return build_body(
            self.spec,
            science.body,
            deeplab_kernel=science.deeplab_kernel,
            pad100=science.pad100,
            fc6_pad=science.fc6_pad,
            dropout=science.recipe.dropout,
        )

    def pretraining_body(self, dropout: float) -> Trunk:
        """Body `fcn`, which every body is decimated from."""
        return build_body(self.spec, "fcn", dropout=dropout)

    def skeleton(self, body: str) -> Trunk:
        """The layers of a body, for their names and shapes alone."""
        return build_body(self.spec, body)

    def weights_count(self, body: str, deeplab_kernel: int = 4) -> int:
        """Weights and biases of all convolutions, fc6 and fc7."""
        widths = [width for width, convs in zip(self.spec.widths, self.spec.convs, strict=True) for _ in range(convs)]
        fc, side = self.spec.fc6_shape(body, deeplab_kernel)
        layers = [*((width, 3) for width in widths), (fc, side), (fc, 1)]  # filters, side of the kernel
        channels = [3, *(filters for filters, _ in layers)]
        return sum(
            filters * (channels_in * side**2 + 1)
            for (filters, side), channels_in in zip(layers, channels, strict=False)
        )

    def detect_input(self, weights: Weights) -> InputNormalization | None:
        """Caffe's, in the channel order of a port of Caffe's training, seen in its first filter; None for others."""
        names = ("conv1_1.weight", "features.0.weight", "0.weight")
        first = next((weights.tensors[name] for name in names if name in weights.tensors), None)
        if not self.caffe_first_taps or first is None or first.shape != (self.spec.widths[0], 3, 3, 3):
            return None
        taps = first[0, :, 0, 0].double()
        caffe = taps.new_tensor(self.caffe_first_taps)
        if (taps - caffe).abs().max() < 1e-3:  # equal as far as half precision goes
            return CAFFE
        return CAFFE.in_order("RGB") if (taps - caffe.flip(0)).abs().max() < 1e-3 else None

    def body_of(self, weights: Weights) -> str:
        """The body whose fc6 a file holds; `fcn`, the full one, where it holds none that any body has.

        Raises:
            UserError: the file holds convolutions of another network.
        """
        weight = self._renamed(weights).get("fc6.weight")
        if weight is not None and weight.ndim == 4:
            for body in self.bodies:
                filters, side = self.spec.fc6_shape(body)
                if (weight.shape[0], *weight.shape[2:]) == (filters, side, side):
                    return body
        return "fcn"

    def adapt_weights(self, weights: Weights, body: str, deeplab_kernel: int = 4) -> dict[str, Tensor]:
        """A file's tensors under Caffe's names, with fc6 and fc7 decimated to `body`'s where they are the full ones.

        Raises:
            UserError: the file has convolutions that this trunk has not, or its fc6 is neither the full one nor the body's.
        """
        return decimate(self._renamed(weights), self.spec, body, deeplab_kernel, weights.source)

    def _renamed(self, weights: Weights) -> dict[str, Tensor]:
        """Tensors under Caffe's names, from these or two others, and fc6 and fc7 as convolutions where they are matrices.

        The others are torchvision's (`features.N`, `classifier.0` and `.3`) and SSD's (`N`, the position in its list of
        layers, fc6 and fc7 included). What belongs to no layer of this network, such as a classifier, is left out.

        Raises:
            UserError: a convolution of another network (VGG-19, say) stands among them.
        """
        names = _layer_names(self.spec)
        tensors: dict[str, Tensor] = {}
        foreign: list[str] = []
        for name, tensor in weights.tensors.items():
            layer, _, kind = name.rpartition(".")
            if ours := names.get(layer):
                tensors[f"{ours}.{kind}"] = _as_convolution(tensor, ours, self.spec) if kind == "weight" else tensor
            elif layer.isdigit() or layer.startswith(("conv", "features.")):
                foreign.append(name)
        if foreign:
            raise UserError(
                f"{weights.source}: not the weights of trunk {self.name}: it has no {', '.join(foreign[:3])}"
                f"{', …' if len(foreign) > 3 else ''}, which the file holds. These are the weights of another network"
            )
        return tensors


def build_body(
    spec: Spec, body: str, *, deeplab_kernel: int = 4, pad100: bool = False, fc6_pad: str = "same", dropout: float = 0.5
) -> Trunk:
    """The layers of a body, with Caffe's names (conv1_1, pool1, … fc6, fc7), before any weights are loaded.

    With `pad100` conv1_1 is padded by the big pad and fc6 not at all; otherwise fc6 is padded so that it keeps the size
    (`fc6_pad="none"`: not padded, and it will not cover the image).
    """
    from torch import nn

    from parsenet_cli.models.layers import Dropout
    from parsenet_cli.models.trunk import Trunk

    early_pool, pool4, pool5 = _POOLS[body]
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
            kernel, stride, padding = {4: pool4, 5: pool5}.get(stage, early_pool)
            layers[f"pool{stage}"] = nn.MaxPool2d(kernel, stride, padding, ceil_mode=True)
            taps[f"pool{stage}"] = f"pool{stage}"
    if body == "largefov":
        layers["pool5a"] = nn.AvgPool2d(3, 1, 1, ceil_mode=True, count_include_pad=True)
    dilation, (fc, kernel) = spec.fc6_of(body, deeplab_kernel).dilation, spec.fc6_shape(body, deeplab_kernel)
    padding = 0 if pad100 or fc6_pad == "none" else dilation * (kernel - 1) // 2
    layers["fc6"] = nn.Conv2d(channels, fc, kernel, padding=padding, dilation=dilation)
    layers["relu6"] = nn.ReLU(inplace=True)
    layers["drop6"] = Dropout(dropout)
    layers["fc7"] = nn.Conv2d(fc, fc, 1)
    layers["relu7"] = nn.ReLU(inplace=True)
    layers["drop7"] = Dropout(dropout)
    return Trunk(layers, {**taps, "fc7_before_dropout": "relu7", "fc7": "drop7"})


def decimate(
    tensors: dict[str, Tensor], spec: Spec, body: str, deeplab_kernel: int = 4, source: str = "weights"
) -> dict[str, Tensor]:
    """Tensors with fc6 and fc7 of the full `fcn` body decimated to `body`'s.

    Every k-th filter and the body's taps of fc6, every k-th row and column of fc7, values unscaled (the authors'
    python/net_surgery.py). fc6 and fc7 that already have the body's shape are left as they are.

    Raises:
        UserError: fc6 is neither the full one nor the body's; `source` is the file it names.
    """
    weight, second = tensors.get("fc6.weight"), tensors.get("fc7.weight")
    if weight is None or second is None or weight.ndim != 4 or second.ndim != 4 or weight.shape[2] != weight.shape[3]:
        return tensors  # `read.check` names what is missing or misshapen
    full, wanted = spec.fc6_shape("fcn"), spec.fc6_shape(body, deeplab_kernel)
    shape = (weight.shape[0], weight.shape[-1])
    if shape == wanted:
        return tensors
    if shape != full:
        raise UserError(
            f"{source}: fc6 of the weights has {shape[0]} filters of {shape[1]}x{shape[1]}; body {body} expects {wanted[0]} "
            f"of {wanted[1]}x{wanted[1]}, or {full[0]} of {full[1]}x{full[1]} to be decimated from. Pass the weights of "
            "this trunk"
        )
    fc6 = spec.fc6_of(body, deeplab_kernel)
    taps, every = list(fc6.taps), fc6.every
    biases = {name: tensors[name][::every] for name in ("fc6.bias", "fc7.bias") if name in tensors}
    fc6_weight = weight[::every][:, :, taps][:, :, :, taps]
    return tensors | biases | {"fc6.weight": fc6_weight, "fc7.weight": second[::every, ::every]}


def _layer_names(spec: Spec) -> dict[str, str]:
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
