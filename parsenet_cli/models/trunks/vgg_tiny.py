"""VGG, thin and shallow: every name, body, skip and pad of VGG-16 at a thousandth of the cost, for the quick profile.

One convolution a stage and no pool after stage 2, so that conv3, conv4, conv5 and fc7 of body `fcn` lie at strides 2, 4,
8 and 16. fc6 and its dilations are shrunk with it. Theoretical receptive fields of fc7, in pixels:

    fcn 82    reduced 70    deeplab 58 (deeplab_kernel=7: 66)    largefov 81

that is, under 60 % of the 144-pixel scenes, and no less than the 80-pixel ones under body `fcn`. The big pad is 17: without
fc6's own padding it gives one fc7 cell per 16x16 block, as the pad of 100 gives one per 32x32 block in VGG-16.
"""

from __future__ import annotations

from parsenet_cli.models.vgg import Fc6, Spec, Vgg

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

TRUNK = Vgg(
    name="vgg_tiny",
    spec=SPEC,
    layers={"pool6": "the context of fc7", "fc7": "fc7", "conv5": "conv5_1", "conv4": "conv4_1", "conv3": "conv3_1"},
    pretrained=True,
    remarks="a thin VGG: strides are half of VGG-16's, skips=16s and 8s join the maps one and two halvings below fc7",
)
