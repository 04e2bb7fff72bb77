"""What a head does, in the words of the paper: every map in full, normalised by autograd's operations, nothing left out."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from parsenet_cli.models.context.spp import Pyramid
from parsenet_cli.models.geometry import Grid
from parsenet_cli.models.head import Head
from parsenet_cli.models.trunk import Trunk

Maps = list[tuple[str, Tensor, Grid]]
"""Branches in the order of the concatenation: name, features, and where these lie."""


def features(trunk: Trunk, head: Head, taps: Mapping[str, Tensor]) -> Maps:
    """What is to be concatenated, each in full on its grid: context replicated in memory."""
    maps: Maps = []
    for layer in head.layers:
        if layer != "pool6":
            maps.append((layer, taps[layer], trunk.grids[layer]))
            continue
        fc7 = taps["fc7"]
        size = (fc7.shape[2], fc7.shape[3])
        if isinstance(head.context, Pyramid):
            pyramid = head.context
            pooled = [pyramid.unpool(level, averages, size) for level, averages in enumerate(pyramid(fc7))]
        else:
            pooled = [fc7.mean((2, 3), keepdim=True).repeat(1, 1, *size)]
        names = [name for name in head.norms if name.startswith("pool6")] or ["pool6"] * len(pooled)
        maps += [(name, values, trunk.grids["fc7"]) for name, values in zip(names, pooled, strict=True)]
    return maps


def normalised(head: Head, name: str, values: Tensor) -> Tensor:
    """§3.3, Eq. 1 and 2."""
    if name not in head.norms:
        return values
    scale = head.norms[name].get_parameter("scale")
    return scale.view(1, -1, 1, 1) * values / ((values * values).sum(1, keepdim=True) + 1e-10).sqrt()
