"""What a network is, in words and numbers that stay with its result."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from parsenet_cli.core.run_config import Science
from parsenet_cli.models import trunks
from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.models.trunk import Trunk
from parsenet_cli.models.weights import sources

TAPS = ("conv3", "pool3", "conv4", "pool4", "conv5", "fc7")
"""The maps that `describe_network` shows, from the image to the head; a pool only where the head reads it."""


def describe_network(
    science: Science, classes: int, size: tuple[int, int], mean: tuple[float, float, float] | None = None
) -> dict[str, Any]:
    """A network that is built without memory, data or weights: `describe_model`, with the maps for an image of `size`.

    Each feature has `cells`, the height and width of its map. Published weights say their origin and normalization; a file
    of the user's says both for itself, where it is read.

    Args:
        science: the axes.
        classes: K.
        size: height and width of the image.
        mean: the published mean colour (R, G, B) of the data, for `input_mean=data`.

    Raises:
        UserError: there is no such network, or the image is too small for it.
    """
    architecture = trunks.find(science.trunk)
    with torch.device("meta"):
        model = build_model(science, classes, None, mean).eval()
        image = torch.empty(1, 3, *size)
    trunk, reads = model.trunk, model.head.wanted
    taps = [tap for tap in TAPS if tap in trunk.taps and (tap in reads or not tap.startswith("pool"))]
    maps = trunk(image, taps)
    description = describe_model(model, science.trunk) | {"weights": science.weights}
    if source := architecture.sources.get(sources.resolve(architecture, science.weights, science.body)):
        normalization = source.normalization if mean is None else source.normalization.with_mean(mean)
        description |= {"weights": source.origin, "preprocessing": asdict(normalization)}
    return description | {
        "features": {
            tap: describe_feature(trunk, science.trunk, tap) | {"cells": list(maps[tap].shape[2:])} for tap in taps
        },
        "reads": list(dict.fromkeys([*science.layers, *reads])),
        "classes": classes,
        "size": list(size),
    }


def describe_model(model: Segmenter, trunk_name: str) -> dict[str, Any]:
    """Parameters, preprocessing, whose weights the trunk starts from, its remarks, and the layer, channels and grid of each
    feature the head reads.

    `field` is the theoretical receptive field in pixels; cell i is centred on pixel stride * i + offset.
    """
    return {
        "parameters": _parameters(model),
        "trunk_parameters": _parameters(model.trunk),
        "head_parameters": _parameters(model.head),
        "preprocessing": asdict(model.preprocess.normalization),
        "weights": model.start,
        "features": {tap: describe_feature(model.trunk, trunk_name, tap) for tap in model.head.wanted},
        "remarks": trunks.find(trunk_name).remarks,
    }


def describe_feature(trunk: Trunk, trunk_name: str, tap: str) -> dict[str, Any]:
    """The trunk's own name of a tap, its channels, stride, offset and theoretical receptive field."""
    layer = trunks.find(trunk_name).layers.get(tap, tap)
    return {"layer": layer, "channels": trunk.channels[tap], **asdict(trunk.grids[tap])}


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
