"""SqueezeNet 1.1 (arXiv 1602.07360): a small real ImageNet trunk, for photos on a laptop.

Its first convolution and its pools are padded by 1, which its training did not do: as in DeepLab-LargeFOV, cell i of a map
is then centred on pixel stride * i, and the maps reach both borders of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsenet_cli.models.preprocessing_spec import TORCHVISION, InputNormalization
from parsenet_cli.models.weights.source import Source

if TYPE_CHECKING:
    from torch import Tensor

    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights.read import Weights

BODIES = ("fcn", "reduced")
SKIPS = ()
LAYERS = {
    "pool6": "the context of fc7",
    "fc7": "fire9 (features.12, stride 16)",
    "conv5": "fire7 (features.10, stride 16)",
    "conv4": "fire5 (features.7, stride 8)",
    "conv3": "fire3 (features.4, stride 4)",
}
SOURCES = {
    "imagenet": Source(
        file="squeezenet1_1-b8a52dc0.pth",
        mirrors=("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",),
        checksum="sha256:b8a52dc0",
        size=None,
        bodies=BODIES,
        origin="torchvision's training of SqueezeNet 1.1 (IMAGENET1K_V1)",
        convention=TORCHVISION,
    )
}
IMAGENET = dict.fromkeys(BODIES, "imagenet")
PRETRAINED = False
MEAN_RGB = (123, 117, 104)
REMARKS = (
    "bodies fcn and reduced are the same here: SqueezeNet's own features of stride 16; "
    "it has no fc6, and the dropout of fc6 and fc7 acts once, after its last feature"
)

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


def unsupported(science: Science) -> str | None:
    """Why SqueezeNet cannot serve a configuration, or None."""
    if science.body not in BODIES:
        return f"squeezenet has no body {science.body}, only {' and '.join(BODIES)}"
    if science.skips != "none":
        return f"skips={science.skips}: squeezenet has no map coarser than pool4 for FCN's skips to join"
    if science.pad100:
        return "pad100: squeezenet has no big pad"
    if science.fc6_pad != "same":
        return f"fc6_pad={science.fc6_pad}: squeezenet has no fc6"
    return None


def build(science: Science) -> Trunk:
    """The layers of SqueezeNet 1.1 up to its last feature."""
    return _layers(science.recipe.dropout)


def outline(body: str, deeplab_kernel: int = 4) -> Trunk:
    """The layers, for their names and shapes alone: the same for both bodies."""
    return _layers(dropout=0.0)


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
    taps = {"conv3": "fire3", "conv4": "fire5", "conv5": "fire7", "fc7_before_dropout": "fire9", "fc7": "drop9"}
    return Trunk(layers, taps)


def convention(weights: Weights | None) -> InputNormalization:
    """What a file says of itself, otherwise torchvision's."""
    return (weights.convention() if weights else None) or TORCHVISION


def recognise(weights: Weights) -> InputNormalization | None:
    """None: a file's names or metadata say what it is."""
    return None


def body_of(weights: Weights) -> str:
    """Both bodies have the same shapes."""
    return BODIES[0]


def fit(weights: Weights, body: str, deeplab_kernel: int = 4) -> dict[str, Tensor]:
    """torchvision's names (`features.3.squeeze.weight`) or our own; its classifier is left out."""
    names = {"features.0": "conv1"} | {theirs: ours for ours, (theirs, _, _) in _FIRES.items()}
    tensors = {}
    for name, tensor in weights.tensors.items():
        prefix = ".".join(name.split(".")[:2])
        if not name.startswith("classifier."):
            tensors[name.replace(prefix, names[prefix], 1) if prefix in names else name] = tensor
    return tensors
