"""SqueezeNet 1.1 (arXiv 1602.07360): a small real ImageNet trunk, for photos on a laptop.

Its first convolution and its pools are padded by 1, which its training did not do: as in DeepLab-LargeFOV, cell i of a map
is then centred on pixel stride * i, and the maps reach both borders of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsenet_cli.models.preprocessing_spec import TORCHVISION
from parsenet_cli.models.trunks import Architecture
from parsenet_cli.models.weights import addresses
from parsenet_cli.models.weights.source import Source

if TYPE_CHECKING:
    from torch import Tensor

    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights.read import Weights

BODIES = ("fcn", "reduced")

# layer -> torchvision's name; fire modules: (squeeze, expand) channels
_FIRES = {
    "fire2": ("features.3", 16, 64),
    "fire3": ("features.4", 16, 64),
    "fire4": ("features.6", 32, 128),
    "fire5": ("features.7", 32, 128),
    "fire6": ("features.9", 48, 192),
    "fire7": ("features.10", 48, 192),
    "fire8": ("features.11", 64, 256),
    "fire9": ("features.12", 64, 256),
}


class SqueezeNet(Architecture):
    """SqueezeNet 1.1 up to its last feature."""

    def unsupported(self, science: Science) -> str | None:
        """It has one body under two names, and neither skips, big pad nor fc6."""
        if science.body not in self.bodies:
            return f"squeezenet has no body {science.body}, only {' and '.join(self.bodies)}"
        if science.skips != "none":
            return f"skips={science.skips}: squeezenet has no map coarser than pool4 for FCN's skips to join"
        if science.pad100:
            return "pad100: squeezenet has no big pad"
        if science.fc6_pad != "same":
            return f"fc6_pad={science.fc6_pad}: squeezenet has no fc6"
        return None

    def build(self, science: Science) -> Trunk:
        """The same layers for both bodies."""
        return _layers(science.recipe.dropout)

    def skeleton(self, body: str) -> Trunk:
        """The same layers for both bodies."""
        return _layers(dropout=0.0)

    def weights_count(self, body: str, deeplab_kernel: int = 4) -> int:
        """Weights and biases of the first convolution and of the fire modules."""
        channels = [64, *(2 * expand for _, _, expand in _FIRES.values())]
        fires = zip(channels, _FIRES.values(), strict=False)
        return 64 * (3 * 9 + 1) + sum(
            squeeze * (before + 1) + expand * (10 * squeeze + 2) for before, (_, squeeze, expand) in fires
        )

    def body_of(self, weights: Weights) -> str:
        """Both bodies have the same shapes."""
        return self.bodies[0]

    def adapt_weights(self, weights: Weights, body: str, deeplab_kernel: int = 4) -> dict[str, Tensor]:
        """From torchvision's names (`features.3.squeeze.weight`) or our own; its classifier is left out."""
        names = {"features.0": "conv1"} | {theirs: ours for ours, (theirs, _, _) in _FIRES.items()}
        tensors = {}
        for name, tensor in weights.tensors.items():
            prefix = ".".join(name.split(".")[:2])
            if not name.startswith("classifier."):
                tensors[name.replace(prefix, names.get(prefix, prefix), 1)] = tensor
        return tensors


def _layers(dropout: float) -> Trunk:
    from torch import nn

    from parsenet_cli.models.layers import Dropout, Fire
    from parsenet_cli.models.trunk import Trunk

    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, 64, 3, stride=2, padding=1),
        "relu1": nn.ReLU(inplace=True),
        "pool1": nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    }
    channels = 64
    for name, (_, squeeze, expand) in _FIRES.items():
        layers[name] = Fire(channels, squeeze, expand)
        channels = 2 * expand
        if name in ("fire3", "fire5"):
            layers[name.replace("fire", "pool")] = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
    layers["drop9"] = Dropout(dropout)
    taps = {
        "conv1": "relu1",
        "conv3": "fire3",
        "conv4": "fire5",
        "conv5": "fire7",
        "fc7_before_dropout": "fire9",
        "fc7": "drop9",
    }
    return Trunk(layers, taps)


TRUNK = SqueezeNet(
    name="squeezenet",
    bodies=BODIES,
    stages=("conv1", "conv3"),
    layers={
        "pool6": "the context of fc7",
        "fc7": "fire9 (features.12, stride 16)",
        "conv5": "fire7 (features.10, stride 16)",
        "conv4": "fire5 (features.7, stride 8)",
        "conv3": "fire3 (features.4, stride 4)",
    },
    sources={
        "imagenet": Source(
            file="squeezenet1_1-b8a52dc0.pth",
            mirrors=addresses.SQUEEZENET,
            checksum="sha256:b8a52dc0",
            bodies=BODIES,
            origin="torchvision's training of SqueezeNet 1.1 (IMAGENET1K_V1)",
            normalization=TORCHVISION,
        )
    },
    imagenet=dict.fromkeys(BODIES, "imagenet"),
    remarks="bodies fcn and reduced are the same here: SqueezeNet's own features of stride 16; "
    "it has no fc6, and the dropout of fc6 and fc7 acts once, after its last feature",
)
