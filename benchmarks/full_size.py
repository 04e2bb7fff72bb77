"""A network of the paper at the full size of VGG-16, from random weights, on one random image, on the CPU."""

from __future__ import annotations

import tempfile
from pathlib import Path

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.text import silent
from parsenet_cli.engine.cost import Configurations
from parsenet_cli.engine.probe import Probe


def full_size(*overrides: str, shape: tuple[int, int, int]) -> Probe:
    """It takes steps by the paper's recipe, batch 1, float32.

    Args:
        overrides: the row, for example `body=fcn`, `norm=none`.
        shape: number of classes, height and width of the image.
    """
    with tempfile.TemporaryDirectory() as cache:
        composer = Composer(profile.load("paper"), ["weights=none", "device=cpu"], Path(cache))
        return Probe(Configurations(composer, silent).config(overrides), shape)
