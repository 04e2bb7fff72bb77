"""VGG-16, the trunk of the paper, in all four bodies (docs/protocol.md, "Bodies")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsenet_cli.models import vgg
from parsenet_cli.models.vgg import Fc6, Spec

if TYPE_CHECKING:
    from torch import Tensor

    from parsenet_cli.config import Science
    from parsenet_cli.models.preprocess import Convention
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights import Weights

SPEC = Spec(
    widths=(64, 128, 256, 512, 512),
    convs=(2, 2, 3, 3, 3),
    unpooled=(),
    fc=4096,
    fc6={
        "fcn": Fc6(taps=(0, 1, 2, 3, 4, 5, 6), dilation=1),
        "reduced": Fc6(taps=(0, 3, 6), dilation=12, every=4),
        "deeplab": Fc6(taps=(0, 2, 4, 6), dilation=4),
        "deeplab7": Fc6(taps=(0, 1, 2, 3, 4, 5, 6), dilation=4),
        "largefov": Fc6(taps=(0, 3, 6), dilation=12, every=4),
    },
    big_pad=100,
)

BODIES = ("fcn", "reduced", "deeplab", "largefov")
SKIPS = ("16s", "8s")
LAYERS = {"pool6": "the context of fc7", "fc7": "fc7", "conv5": "conv5_3", "conv4": "conv4_3", "conv3": "conv3_3"}
WEIGHTS = ("imagenet", "none")
IMAGENET = "https://download.pytorch.org/models/vgg16-397923af.pth"
MEAN_RGB = (123, 117, 104)
REMARKS = (
    "weights=imagenet are torchvision's (another training run than Caffe's VGG-16), fc6 and fc7 decimated per body"
)

_TORCHVISION = dict(zip((0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), (
    "conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3",
    "conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3"), strict=True))  # fmt: skip


def unsupported(science: Science) -> str | None:
    """Why VGG-16 cannot serve a configuration, or None."""
    return vgg.unsupported("vgg16", science)


def build(science: Science) -> Trunk:
    """The layers of `science.body`."""
    return vgg.build(
        SPEC,
        science.body,
        deeplab_kernel=science.deeplab_kernel,
        pad100=science.pad100,
        fc6_pad=science.fc6_pad,
        dropout=science.recipe.dropout,
    )


def convention(weights: Weights | None) -> Convention:
    """What a file says of itself; otherwise torchvision's for its names, Caffe's for Caffe's."""
    from parsenet_cli.models.preprocess import CAFFE, TORCHVISION

    if weights is None:
        return CAFFE
    return weights.convention() or (TORCHVISION if "features.0.weight" in weights.tensors else CAFFE)


def fit(weights: Weights, science: Science) -> dict[str, Tensor]:
    """Caffe's names, or torchvision's (`features.*`, `classifier.0` and `.3` as fc6 and fc7), decimated for the body."""
    tensors = {}
    for name, tensor in weights.tensors.items():
        group, _, rest = name.partition(".")
        index, _, kind = rest.partition(".")
        if group == "features" and index.isdigit() and int(index) in _TORCHVISION:
            tensors[f"{_TORCHVISION[int(index)]}.{kind}"] = tensor
        elif name in ("classifier.0.weight", "classifier.3.weight"):
            fc, shape = ("fc6", (4096, 512, 7, 7)) if index == "0" else ("fc7", (4096, 4096, 1, 1))
            tensors[f"{fc}.weight"] = tensor.reshape(shape)
        elif name in ("classifier.0.bias", "classifier.3.bias"):
            tensors["fc6.bias" if index == "0" else "fc7.bias"] = tensor
        else:
            tensors[name] = tensor
    return vgg.fit(tensors, SPEC, science.body, science.deeplab_kernel)
