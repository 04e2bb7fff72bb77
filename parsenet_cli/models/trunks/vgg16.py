"""VGG-16, the trunk of the paper, in all four bodies (docs/protocol.md, "Bodies")."""

from __future__ import annotations

from parsenet_cli.models import vgg
from parsenet_cli.models.preprocessing_spec import CAFFE, TORCHVISION
from parsenet_cli.models.vgg import Fc6, Spec, Vgg
from parsenet_cli.models.weights import addresses
from parsenet_cli.models.weights.source import Source

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

SOURCES = {
    "caffe_reduced": Source(
        file="vgg16_reducedfc.pth",
        mirrors=addresses.VGG16_REDUCED,
        bodies=("reduced", "largefov"),
        origin="Caffe's VGG-16 with fc6 and fc7 decimated to 1024, the authors' start, as converted for amdegroot/ssd.pytorch",
        normalization=CAFFE,
    ),
    "caffe_full": Source(
        file="VGG_ILSVRC_16_layers.caffemodel",
        mirrors=addresses.VGG16_CAFFE,
        checksum="sha256:a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197",
        size=553_432_081,
        bodies=vgg.BODIES,
        origin="Caffe's VGG-16 as published by its authors (VGG_ILSVRC_16_layers)",
        normalization=CAFFE,
    ),
    "caffe_convolutions": Source(
        file="vgg16_features-amdegroot-88682ab5.pth",
        mirrors=addresses.VGG16_FEATURES,
        checksum="sha256:88682ab5",
        bodies=vgg.BODIES,
        origin="the convolutions of Caffe's VGG-16 (torchvision's IMAGENET1K_FEATURES)",
        normalization=CAFFE,
        reinitialized=("fc6", "fc7"),
    ),
    "torchvision": Source(
        file="vgg16-397923af.pth",
        mirrors=addresses.VGG16_TORCHVISION,
        checksum="sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        bodies=vgg.BODIES,
        origin="torchvision's own training of VGG-16 (IMAGENET1K_V1): another run than Caffe's, with its own input range",
        normalization=TORCHVISION,
    ),
}

CAFFE_FIRST_TAPS = (0.42947057, 0.55037946, 0.48001540)
"""Seen in Keras's port of Caffe's VGG-16, whose input is BGR."""

TRUNK = Vgg(
    name="vgg16",
    spec=SPEC,
    layers={"pool6": "the context of fc7", "fc7": "fc7", "conv5": "conv5_3", "conv4": "conv4_3", "conv3": "conv3_3"},
    sources=SOURCES,
    imagenet={"fcn": "caffe_full", "reduced": "caffe_reduced", "deeplab": "caffe_full", "largefov": "caffe_reduced"},
    default_input=CAFFE,
    caffe_first_taps=CAFFE_FIRST_TAPS,
    remarks="fc6 and fc7 of 1024 or of fewer taps are decimated from VGG-16's, not trained on ImageNet in that form",
)
