"""Trunks: one file each, found by its name. A new trunk is a new file that offers what `TrunkModule` lists."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from parsenet_cli.core import paths
from parsenet_cli.core.errors import unknown

if TYPE_CHECKING:
    from torch import Tensor

    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.preprocessing_spec import InputNormalization
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights.read import Weights
    from parsenet_cli.models.weights.source import Source


class TrunkModule(Protocol):
    """What a file of this folder offers. Importing it must not import torch: `plan` and `list` read the declarations."""

    BODIES: tuple[str, ...]
    """What can follow conv4 (the axis `body`)."""
    SKIPS: tuple[str, ...]
    """FCN's skip heads it can feed (the axis `skips`, besides `none`)."""
    LAYERS: dict[str, str]
    """The paper's name of a layer -> this trunk's own feature that stands for it."""
    SOURCES: dict[str, Source]
    """Published weights by name (the axis `weights`); a file can always be given."""
    IMAGENET: dict[str, str]
    """Body -> the source that `weights=imagenet` means for it; empty where there is none."""
    PRETRAINED: bool
    """Whether `weights=pretrained` makes weights here (`parsenet_cli.engine.pretrain`)."""
    MEAN_RGB: tuple[int, int, int]
    """The colour that becomes zero after preprocessing: what a crop beyond the image is filled with."""
    REMARKS: str
    """What a reader of its results should know."""

    def unsupported(self, science: Science) -> str | None:
        """Why this trunk cannot serve a configuration, as a clause for "n/a: …", or None."""
        ...

    def build(self, science: Science) -> Trunk:
        """The layers, before any weights are loaded."""
        ...

    def convention(self, weights: Weights | None) -> InputNormalization:
        """The input preprocessing that belongs to these weights."""
        ...

    def recognise(self, weights: Weights) -> InputNormalization | None:
        """The preprocessing of weights that are known by their very numbers, whatever their file says; else None."""
        ...

    def outline(self, body: str, deeplab_kernel: int = 4) -> Trunk:
        """The layers of a body, for their names and shapes alone."""
        ...

    def body_of(self, weights: Weights) -> str:
        """The body whose shapes a file has."""
        ...

    def fit(self, weights: Weights, body: str, deeplab_kernel: int = 4) -> dict[str, Tensor]:
        """The tensors of a file under the names and in the shapes of a body, as far as the file holds them."""
        ...


def find(name: str) -> TrunkModule:
    """The trunk `name`. Raises `UserError` for an unknown one."""
    names = paths.modules("models/trunks")
    if name not in names:
        raise unknown("trunk", name, names)
    return cast(TrunkModule, importlib.import_module(f"{__name__}.{name}"))
