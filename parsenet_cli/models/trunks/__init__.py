"""Trunks: one file each, found by its name. A new trunk is a new file that offers what `TrunkModule` lists."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from parsenet_cli import paths
from parsenet_cli.errors import unknown

if TYPE_CHECKING:
    from torch import Tensor

    from parsenet_cli.config import Science
    from parsenet_cli.models.preprocess import Convention
    from parsenet_cli.models.trunk import Trunk
    from parsenet_cli.models.weights import Weights


class TrunkModule(Protocol):
    """What a file of this folder offers. Importing it must not import torch: `plan` and `list` read the declarations."""

    BODIES: tuple[str, ...]
    """What can follow conv4 (the axis `body`)."""
    SKIPS: tuple[str, ...]
    """FCN's skip heads it can feed (the axis `skips`, besides `none`)."""
    LAYERS: dict[str, str]
    """The paper's name of a layer -> this trunk's own feature that stands for it."""
    WEIGHTS: tuple[str, ...]
    """The named weights it knows (the axis `weights`); a file can always be given."""
    IMAGENET: str | None
    """Address of the ImageNet weights, the first digits of their sha256 in the file name."""
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

    def convention(self, weights: Weights | None) -> Convention:
        """The input preprocessing that belongs to these weights."""
        ...

    def fit(self, weights: Weights, science: Science) -> dict[str, Tensor]:
        """The tensors of a file under the names and in the shapes of `build(science)`."""
        ...


def find(name: str) -> TrunkModule:
    """The trunk `name`. Raises `UserError` for an unknown one."""
    names = paths.modules("models/trunks")
    if name not in names:
        raise unknown("trunk", name, names)
    return cast(TrunkModule, importlib.import_module(f"{__name__}.{name}"))
