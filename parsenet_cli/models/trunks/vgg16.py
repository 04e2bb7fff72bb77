"""VGG-16, the trunk of the paper, in all four bodies (docs/protocol.md, "Bodies")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from parsenet_cli.models import vgg
from parsenet_cli.models.preprocessing_spec import CAFFE, TORCHVISION, InputNormalization
from parsenet_cli.models.vgg import Fc6, Spec
from parsenet_cli.models.weights.source import Source

if TYPE_CHECKING:
    from torch import Tensor

    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights.read import Weights

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
SOURCES = {
    "caffe_reduced": Source(
        file="vgg16_reducedfc.pth",
        mirrors=("https://s3.amazonaws.com/amdegroot-models/vgg16_reducedfc.pth",),
        checksum=None,
        size=None,
        bodies=("reduced", "largefov"),
        origin="Caffe's VGG-16 with fc6 and fc7 decimated to 1024, the authors' start, as converted for amdegroot/ssd.pytorch",
        convention=CAFFE,
    ),
    "caffe_full": Source(
        file="VGG_ILSVRC_16_layers.caffemodel",
        mirrors=(
            "https://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/VGG_ILSVRC_16_layers.caffemodel",
            "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/VGG_ILSVRC_16_layers.caffemodel",
        ),
        checksum="sha256:a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197",
        size=553_432_081,
        bodies=BODIES,
        origin="Caffe's VGG-16 as published by its authors (VGG_ILSVRC_16_layers)",
        convention=CAFFE,
    ),
    "caffe_convolutions": Source(
        file="vgg16_features-amdegroot-88682ab5.pth",
        mirrors=("https://download.pytorch.org/models/vgg16_features-amdegroot-88682ab5.pth",),
        checksum="sha256:88682ab5",
        size=None,
        bodies=BODIES,
        origin="the convolutions of Caffe's VGG-16 (torchvision's IMAGENET1K_FEATURES)",
        convention=CAFFE,
        drawn=("fc6", "fc7"),
    ),
    "torchvision": Source(
        file="vgg16-397923af.pth",
        mirrors=("https://download.pytorch.org/models/vgg16-397923af.pth",),
        checksum="sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        size=None,
        bodies=BODIES,
        origin="torchvision's own training of VGG-16 (IMAGENET1K_V1): another run than Caffe's, with its own input range",
        convention=TORCHVISION,
    ),
}
IMAGENET = {"fcn": "caffe_full", "reduced": "caffe_reduced", "deeplab": "caffe_full", "largefov": "caffe_reduced"}
PRETRAINED = False
MEAN_RGB = (123, 117, 104)
REMARKS = "fc6 and fc7 of 1024 or of fewer taps are decimated from VGG-16's, not trained on ImageNet in that form"

CAFFE_FIRST_TAPS = (0.42947057, 0.55037946, 0.48001540)
"""The upper left tap of conv1_1's first filter in Caffe's VGG-16, for blue, green and red. They are seen in Keras's port of
it, whose input is BGR, and tell which channel of any other port is which."""


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


def outline(body: str, deeplab_kernel: int = 4) -> Trunk:
    """The layers of a body, for their names and shapes alone."""
    return vgg.outline(SPEC, body, deeplab_kernel)


def convention(weights: Weights | None) -> InputNormalization:
    """What a file says of itself, or its numbers do; otherwise torchvision's for torchvision's names, Caffe's for others."""
    if weights is None:
        return CAFFE
    assumed = TORCHVISION if "features.0.weight" in weights.tensors else CAFFE
    return weights.convention() or recognise(weights) or assumed


def recognise(weights: Weights) -> InputNormalization | None:
    """Caffe's convention in the channel order of a port of Caffe's VGG-16, seen in its first filter; None for others."""
    for name in ("conv1_1.weight", "features.0.weight", "0.weight"):
        weight = weights.tensors.get(name)
        if weight is not None and weight.shape == (SPEC.widths[0], 3, 3, 3):
            taps = weight[0, :, 0, 0].tolist()
            if _close(taps, CAFFE_FIRST_TAPS):
                return CAFFE
            if _close(taps, CAFFE_FIRST_TAPS[::-1]):
                return CAFFE.in_order("RGB")
    return None


def _close(taps: Sequence[float], known: Sequence[float]) -> bool:
    """Equal as far as half precision goes."""
    return all(abs(tap - other) < 1e-3 for tap, other in zip(taps, known, strict=True))


def body_of(weights: Weights) -> str:
    """The body whose fc6 a file has."""
    return vgg.body_of(weights, SPEC, "vgg16")


def fit(weights: Weights, body: str, deeplab_kernel: int = 4) -> dict[str, Tensor]:
    """Caffe's names, torchvision's or SSD's positions, with fc6 and fc7 decimated for the body."""
    return vgg.fit(weights, SPEC, "vgg16", body, deeplab_kernel)
