"""What a network is, in words and numbers that stay with its result."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from torch import nn

from parsenet_cli.models import trunks
from parsenet_cli.models.build import Segmenter
from parsenet_cli.models.trunk import Trunk


def description_of(model: Segmenter, trunk: str) -> dict[str, Any]:
    """Parameters, preprocessing, whose weights the trunk starts from, its remarks, and the layer, channels and grid of each
    feature the head reads.

    `field` is the theoretical receptive field in pixels; cell i is centred on pixel stride * i + offset.
    """
    chain = model.trunk
    return {
        "parameters": _parameters(model),
        "trunk_parameters": _parameters(chain),
        "head_parameters": _parameters(model.head),
        "preprocessing": asdict(model.preprocess.convention),
        "weights": model.start,
        "features": {tap: describe_feature(chain, trunk, tap) for tap in model.head.wanted},
        "remarks": trunks.find(trunk).REMARKS,
    }


def describe_feature(chain: Trunk, trunk: str, tap: str) -> dict[str, Any]:
    """The trunk's own name of a tap, its channels, stride, offset and theoretical receptive field."""
    layer = trunks.find(trunk).LAYERS.get(tap, tap)
    return {"layer": layer, "channels": chain.channels[tap], **asdict(chain.grids[tap])}


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
