"""Where the published weights are to be had. Apart from the trunks: an address that moves makes no result other code's.

The hosts are those of the publishers: amdegroot/ssd.pytorch, Oxford's VGG, and PyTorch (torchvision's own addresses).
docs/data.md, "Addresses", says how this list was made.
"""

from __future__ import annotations

from parsenet_cli.core.address import UNVERIFIED, Address

VGG16_REDUCED = (Address("https://s3.amazonaws.com/amdegroot-models/vgg16_reducedfc.pth", "2026-11", UNVERIFIED),)

VGG16_CAFFE = tuple(
    Address(
        f"{scheme}://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/VGG_ILSVRC_16_layers.caffemodel",
        "2026-11",
        UNVERIFIED,
    )
    for scheme in ("https", "http")
)

VGG16_FEATURES = (
    Address("https://download.pytorch.org/models/vgg16_features-amdegroot-88682ab5.pth", "2026-11", UNVERIFIED),
)

VGG16_TORCHVISION = (Address("https://download.pytorch.org/models/vgg16-397923af.pth", "2026-11", UNVERIFIED),)

SQUEEZENET = (Address("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth", "2026-11", UNVERIFIED),)
