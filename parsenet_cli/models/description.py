"""What a network is, in words and numbers that stay with its result."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from parsenet_cli.models import trunks
from parsenet_cli.models.build import Segmenter


def describe(model: Segmenter, trunk: str) -> dict[str, Any]:
    """Parameters, input preprocessing, the trunk's remarks, and for each feature the head reads its channels and grid.

    `field` is the theoretical receptive field in pixels; cell i is centred on pixel stride * i + offset.
    """
    chain = model.trunk
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "preprocessing": asdict(model.preprocess.convention),
        "features": {tap: {"channels": chain.channels[tap], **asdict(chain.grids[tap])} for tap in model.head.wanted},
        "remarks": trunks.find(trunk).REMARKS,
    }
