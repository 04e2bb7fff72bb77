"""VGG, thin and shallow: every name, body, skip and pad of VGG-16 at a thousandth of the cost, for the quick profile.

One convolution a stage and no pool after stage 2, so that conv3, conv4, conv5 and fc7 of body `fcn` lie at strides 2, 4,
8 and 16. fc6 and its dilations are shrunk with it. Theoretical receptive fields of fc7, in pixels:

    fcn 82    reduced 70    deeplab 58 (deeplab_kernel=7: 66)    largefov 81

that is, under 60 % of the 144-pixel scenes, and no less than the 80-pixel ones under body `fcn`. The big pad is 17: without
fc6's own padding it gives one fc7 cell per 16x16 block, as the pad of 100 gives one per 32x32 block in VGG-16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsenet_cli.models import vgg
from parsenet_cli.models.preprocessing_spec import TORCHVISION, InputNormalization
from parsenet_cli.models.vgg import Fc6, Spec
from parsenet_cli.models.weights.source import Source

if TYPE_CHECKING:
    from torch import Tensor

    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights.read import Weights

SPEC = Spec(
    widths=(8, 16, 24, 32, 48),
    convs=(1, 1, 1, 1, 1),
    unpooled=(2,),
    fc=64,
    fc6={
        "fcn": Fc6(taps=(0, 1, 2), dilation=1),
        "reduced": Fc6(taps=(0, 1, 2), dilation=2, every=2),
        "deeplab": Fc6(taps=(0, 2), dilation=2),
        "deeplab7": Fc6(taps=(0, 1, 2), dilation=2),
        "largefov": Fc6(taps=(0, 1, 2), dilation=2, every=2),
    },
    big_pad=17,
)

BODIES = ("fcn", "reduced", "deeplab", "largefov")
SKIPS = ("16s", "8s")
LAYERS = {"pool6": "the context of fc7", "fc7": "fc7", "conv5": "conv5_1", "conv4": "conv4_1", "conv3": "conv3_1"}
SOURCES: dict[str, Source] = {}
IMAGENET: dict[str, str] = {}
PRETRAINED = True
MEAN_RGB = (123, 117, 104)
REMARKS = "a thin VGG: strides are half of VGG-16's, skips=16s and 8s join the maps one and two halvings below fc7"


def unsupported(science: Science) -> str | None:
    """Why the thin VGG cannot serve a configuration, or None."""
    return vgg.unsupported("vgg_tiny", science)


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


def pretraining_body(dropout: float) -> Trunk:
    """Body `fcn`, as which the weights of every body are trained."""
    return vgg.build(SPEC, "fcn", dropout=dropout)


def outline(body: str, deeplab_kernel: int = 4) -> Trunk:
    """The layers of a body, for their names and shapes alone."""
    return vgg.outline(SPEC, body, deeplab_kernel)


def convention(weights: Weights | None) -> InputNormalization:
    """RGB of unit variance unless a file says otherwise: this trunk is trained here, from nothing."""
    return (weights.convention() if weights else None) or TORCHVISION


def recognise(weights: Weights) -> InputNormalization | None:
    """None: no weights of this trunk are published."""
    return None


def body_of(weights: Weights) -> str:
    """The body whose fc6 a file has."""
    return vgg.body_of(weights, SPEC, "vgg_tiny")


def fit(weights: Weights, body: str, deeplab_kernel: int = 4) -> dict[str, Tensor]:
    """Weights of body `fcn`, decimated for the body."""
    return vgg.fit(weights, SPEC, "vgg_tiny", body, deeplab_kernel)
