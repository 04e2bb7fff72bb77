"""1x1 classifiers over a concatenation of branches that is never built (§3.2: early and late fusion)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from parsenet_cli.models import layers
from parsenet_cli.models.geometry import Grid
from parsenet_cli.models.upsample import Size, at_least_float32


def _identity(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True)
class Feature:
    """One branch during a forward pass: small values that stand for a map of `size` cells on `grid`.

    `expand` brings the resolution of `values` to `size`, without changing channels: the identity for a layer of the trunk.
    """

    values: Tensor
    grid: Grid
    size: Size
    expand: Callable[[Tensor], Tensor] = _identity


class JointClassifier(nn.Module):
    """One 1x1 convolution over the concatenation of all branches, kept as one block of weights per branch."""

    def __init__(self, channels: Sequence[int], outputs: int, filler: layers.Filler, generator: Generator) -> None:
        super().__init__()
        self.channels = list(channels)
        self.weight = nn.Parameter(torch.empty(outputs, sum(channels), 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        layers.fill_(self.weight, filler, generator)

    def blocks(self) -> tuple[tuple[Tensor, ...], Tensor]:
        """The weights (K, C, 1, 1) of each branch, and the bias (K,) of their sum."""
        return torch.split(self.weight, self.channels, dim=1), self.bias


class BranchClassifiers(nn.Module):
    """One 1x1 classifier with its own bias per branch, whose scores are added."""

    def __init__(self, channels: Mapping[str, int], outputs: int, filler: layers.Filler, generator: Generator) -> None:
        super().__init__()
        self.branches = nn.ModuleDict(
            {n: JointClassifier([c], outputs, filler, generator) for n, c in channels.items()}
        )

    def blocks(self) -> tuple[tuple[Tensor, ...], Tensor]:
        """The weights (K, C, 1, 1) of each branch, and the bias (K,) of their sum."""
        joints = [branch for branch in self.branches.values() if isinstance(branch, JointClassifier)]
        return tuple(joint.weight for joint in joints), torch.stack([joint.bias for joint in joints]).sum(0)


def classify(features: Sequence[Feature], blocks: Sequence[Tensor]) -> dict[Grid, Tensor]:
    """Every feature times its block of weights, without bias; those that share a grid are added there."""
    maps: dict[Grid, Tensor] = {}
    for feature, block in zip(features, blocks, strict=True):
        scores = feature.expand(at_least_float32(F.conv2d(feature.values, block)))
        maps[feature.grid] = maps[feature.grid] + scores if feature.grid in maps else scores
    return maps
