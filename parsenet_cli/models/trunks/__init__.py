"""Trunks: one file each, found by its name. A new trunk is a new file that ends with `TRUNK = …`, an `Architecture`."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parsenet_cli.core import paths
from parsenet_cli.core.errors import unknown
from parsenet_cli.models.preprocessing_spec import TORCHVISION, InputNormalization

if TYPE_CHECKING:
    from torch import Tensor

    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights.read import Weights
    from parsenet_cli.models.weights.source import Source


@dataclass(frozen=True, kw_only=True)
class Architecture(ABC):
    """What a trunk declares, and how its layers are built. Importing it does not import torch: `plan` and `list` read it.

    Attributes:
        name: its file's.
        bodies: what can follow conv4 (the axis `body`).
        skips: FCN's skip heads it can feed (the axis `skips`, besides `none`).
        stages: its first stages, from the image on, that `recipe.frozen` can name; each is a tap of the `Trunk`.
        layers: the paper's name of a layer -> this trunk's own feature that stands for it.
        sources: published weights by name (the axis `weights`); a file can always be given.
        imagenet: body -> the source that `weights=imagenet` means for it; empty where there is none.
        pretrained: whether `weights=pretrained` makes weights here, by training `pretraining_body`.
        default_input: the normalization of random weights, and of a file that does not show its own.
        mean_rgb: the colour that becomes zero after preprocessing: what a crop beyond the image is filled with.
        remarks: what a reader of its results should know.
    """

    name: str
    bodies: tuple[str, ...]
    layers: dict[str, str]
    remarks: str
    skips: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    sources: dict[str, Source] = field(default_factory=dict)
    imagenet: dict[str, str] = field(default_factory=dict)
    pretrained: bool = False
    default_input: InputNormalization = TORCHVISION
    mean_rgb: tuple[int, int, int] = (123, 117, 104)

    @abstractmethod
    def unsupported(self, science: Science) -> str | None:
        """Why this trunk cannot serve a configuration, as a clause for "n/a: …", or None."""

    @abstractmethod
    def build(self, science: Science) -> Trunk:
        """The layers, before any weights are loaded."""

    @abstractmethod
    def skeleton(self, body: str) -> Trunk:
        """The layers of a body, for their names and shapes alone."""

    @abstractmethod
    def body_of(self, weights: Weights) -> str:
        """The body whose shapes a file has."""

    @abstractmethod
    def adapt_weights(self, weights: Weights, body: str, deeplab_kernel: int = 4) -> dict[str, Tensor]:
        """The tensors of a file under the names and in the shapes of a body, as far as the file holds them."""

    def pretraining_body(self, dropout: float) -> Trunk:
        """The body as which the weights of every body are trained here, where `pretrained`."""
        raise NotImplementedError

    def weights_count(self, body: str, deeplab_kernel: int = 4) -> int | None:
        """How many numbers the layers of a body hold, without building them; None where that is not declared."""
        return None

    def detect_input(self, weights: Weights) -> InputNormalization | None:
        """The normalization of weights that are known by their very numbers, whatever their file says; else None."""
        return None

    def normalization(self, weights: Weights | None) -> InputNormalization:
        """What a file says of itself, or its numbers do; else torchvision's for torchvision's names, else the default."""
        if weights is None:
            return self.default_input
        assumed = TORCHVISION if "features.0.weight" in weights.tensors else self.default_input
        return weights.normalization() or self.detect_input(weights) or assumed


def names() -> list[str]:
    """The trunks that can be chosen."""
    return paths.modules("models/trunks")


def find(name: str) -> Architecture:
    """The trunk `name`. Raises `UserError` for an unknown one."""
    if name not in names():
        raise unknown("trunk", name, names())
    trunk = importlib.import_module(f"{__name__}.{name}").TRUNK
    assert isinstance(trunk, Architecture)
    return trunk
