"""The head: normalise each layer's features, classify them, bring the scores to the image and add them (§3.2, §3.3).

Early fusion classifies the concatenation of all layers at the image's resolution. A 1x1 classifier works on channels,
upsampling on space, and both are linear, so they commute: each layer is classified by its own block of the one weight
tensor at its own resolution, and the score maps are upsampled and added. The concatenation (9 472 channels for five
layers of VGG-16) is never built. docs/protocol.md, "Fusion", lists the choices the paper leaves open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from parsenet_cli.core.run_config import LAYERS, Science
from parsenet_cli.models import context, gate
from parsenet_cli.models.classifier import BranchClassifiers, Feature, JointClassifier, classify
from parsenet_cli.models.geometry import IMAGE, Grid
from parsenet_cli.models.layers import Dropout
from parsenet_cli.models.norm import L2Norm, LpNorm, Norm
from parsenet_cli.models.skips import Skips
from parsenet_cli.models.trunk import Trunk
from parsenet_cli.models.upsample import Bilinear, Learned, Size


class Head(nn.Module):
    """From a trunk's taps to scores for every pixel of the image: all that the axes from `layers` to `init` say.

    Args:
        science: the axes.
        num_classes: K.
        trunk: what the taps look like; it is not kept.
        generator: draws the initial weights.
    """

    def __init__(self, science: Science, num_classes: int, trunk: Trunk, generator: Generator) -> None:
        super().__init__()
        self.layers = science.layers
        pooled = science.context_taps
        self.grids = {tap: trunk.grids[tap] for tap in (*pooled, *self.layers) if tap != "pool6"}
        self.context_source = "fc7" if science.context_source == "after_dropout" else "fc7_before_dropout"
        self.upsample_first = science.align == "upsample_first"

        gates = {tap: gate.build(science, trunk.channels[tap]) for tap in science.gate_layers}
        self.gates = nn.ModuleDict({tap: made for tap, made in gates.items() if made is not None})
        channels: dict[str, int] = {}
        made = {tap: context.build(science, trunk.channels[tap]) for tap in pooled}
        # A ModuleDict, which has no type for what is in it.
        self.contexts = cast("Mapping[str, context.Context]", nn.ModuleDict(made))
        for layer in self.layers:
            if layer == "pool6":
                for tap, module in self.contexts.items():
                    channels |= {_level(tap, name): c for name, c in zip(module.levels, module.channels, strict=True)}
            else:
                channels[layer] = trunk.channels[layer]
        self.context_dropout = Dropout(science.context_dropout)
        self.branches = tuple(channels)
        normed = science.layers if science.norm_layers is None else science.norm_layers
        self.norms = nn.ModuleDict(
            {n: _norm(science, c) for n, c in channels.items() if _layer(n) in normed} if science.norm != "none" else {}
        )
        self.factors: dict[str, float] = {str(layer): factor for layer, factor in science.feature_scale.items()}

        grids = list(dict.fromkeys(self.grids.values()))
        self.finest = min(grids, key=lambda grid: grid.stride)
        self.mix: JointClassifier | None = None
        if science.mix == "conv1x1":
            self.mix = JointClassifier(list(channels.values()), science.mix_width, "xavier", generator)
            channels = {"mix": science.mix_width}
        self.mix_dropout = Dropout(science.recipe.dropout)
        if self.mix or self.upsample_first:
            grids = [self.finest]
        self.one_grid = len(grids) == 1

        self.classifier: JointClassifier | BranchClassifiers
        if science.fusion == "early":
            self.classifier = JointClassifier(list(channels.values()), num_classes, science.init, generator)
        else:
            self.classifier = BranchClassifiers(channels, num_classes, science.init, generator)
        self.skips: Skips | None = None
        if science.skips != "none":
            self.skips = Skips(science, num_classes, trunk, generator)
            grids = [self.skips.grid]
        self.bilinear = Bilinear()
        self.upsample = Learned(num_classes, grids) if science.upsample == "learned" else self.bilinear

    @property
    def context(self) -> context.Context | None:
        """That of fc7, where it is pooled."""
        return dict(self.contexts).get("fc7")

    @property
    def wanted(self) -> list[str]:
        """The taps this head reads."""
        layers: list[str] = []
        for layer in self.layers:
            layers += map(self._source, self.contexts) if layer == "pool6" else [layer]
        return list(dict.fromkeys([*layers, *(self.skips.wanted if self.skips else ())]))

    def _source(self, tap: str) -> str:
        """What context reads of a tap."""
        return self.context_source if tap == "fc7" else tap

    def forward(self, taps: Mapping[str, Tensor], size: Size, stride: int = 1) -> Tensor:
        """Taps (N, C, h, w) -> float32 scores (N, K, *size), or those of every `stride`-th row and column alone."""
        features = self.features(taps)
        if self.mix:
            features = [self._mixed(features, self.mix)]
        blocks, bias = self.classifier.blocks()
        maps = classify(features, blocks)
        if not self.one_grid:
            return self._upsample(maps, size, stride) + bias.view(1, -1, 1, 1)
        ((grid, scores),) = maps.items()
        scores = scores + bias.view(1, -1, 1, 1)
        if self.skips:
            grid, scores = self.skips(grid, scores, taps)
        return self._upsample({grid: scores}, size, stride)

    def _upsample(self, maps: Mapping[Grid, Tensor], size: Size, stride: int) -> Tensor:
        """Scores at the image's pixels; a deconvolution makes all of them, also where only some are asked for."""
        if stride > 1 and self.upsample is self.bilinear:
            pixels = replace(IMAGE, stride=stride)
            sparse: Tensor = self.bilinear(maps, (-(-size[0] // stride), -(-size[1] // stride)), pixels)
            return sparse
        upsampled: Tensor = self.upsample(maps, size)
        return upsampled[:, :, ::stride, ::stride] if stride > 1 else upsampled

    def features(self, taps: Mapping[str, Tensor]) -> list[Feature]:
        """The branches, normalised and pool6 then dropped, in the order of their blocks of weights."""
        taps = self.gated(taps) if self.gates else taps
        features: dict[str, Feature] = {}
        kept: dict[str, Feature] = {}  # by the dropout of pool6
        for layer in self.layers:
            if layer != "pool6":
                features[layer] = Feature(taps[layer], self.grids[layer], _size(taps[layer]))
                continue
            for tap, module in self.contexts.items():
                grid, values = self.grids[tap], taps[self._source(tap)]
                size = _size(values)
                for level, (name, pooled) in enumerate(zip(module.levels, module(values), strict=True)):
                    unpool = partial(module.unpool, level, size=size)
                    features[_level(tap, name)] = Feature(pooled, grid, size, unpool)
                    if self.training and self.context_dropout.p:
                        ones = torch.ones_like(pooled, dtype=torch.float32)
                        kept[_level(tap, name)] = Feature(self.context_dropout(ones), grid, size, unpool)
        if self.factors:
            scales = {name: self.factors.get(_layer(name), 1.0) for name in features}
            features = {n: replace(feature, values=feature.values * scales[n]) for n, feature in features.items()}
        if self.upsample_first:
            target = self._finest_size(features.values())
            features = {name: self._upsampled(feature, target) for name, feature in features.items()}
            kept = {name: self._replicated(feature, target) for name, feature in kept.items()}
        if self.norms:
            features |= {n: replace(features[n], values=norm(features[n].values)) for n, norm in self.norms.items()}
        # After the norm: what is left is not brought back to the scale's length.
        features |= {n: replace(features[n], values=features[n].values * mask.values) for n, mask in kept.items()}
        return list(features.values())

    def gated(self, taps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The taps as everything here reads them; what context reads of fc7 before its dropout has fc7's gate."""
        of = {tap: "fc7" if tap == "fc7_before_dropout" else tap for tap in taps}
        return {tap: self.gates[of[tap]](x) if of[tap] in self.gates else x for tap, x in taps.items()}

    def _finest_size(self, features: Iterable[Feature]) -> Size:
        return next(feature.size for feature in features if feature.grid == self.finest)

    def _upsampled(self, feature: Feature, target: Size) -> Feature:
        """A feature on the finest grid, replicated and interpolated in memory."""
        values = feature.expand(feature.values)
        if feature.grid != self.finest:
            values = self.bilinear({feature.grid: values}, target, self.finest)
        return Feature(values, self.finest, target)

    def _replicated(self, feature: Feature, target: Size) -> Feature:
        """What dropout keeps of a level, the same at all cells that stand for one of its cells."""
        values = F.interpolate(feature.expand(feature.values), target, mode="nearest")
        return Feature(values, self.finest, target)

    def _mixed(self, features: Sequence[Feature], mix: JointClassifier) -> Feature:
        """The extra 1x1 convolution over the concatenation on the finest grid, ReLU and dropout (Table 7)."""
        blocks, bias = mix.blocks()
        maps = classify(features, blocks)
        target = self._finest_size(features)
        mixed = maps[self.finest] if len(maps) == 1 else self.bilinear(maps, target, self.finest)
        return Feature(self.mix_dropout(torch.relu(mixed + bias.view(1, -1, 1, 1))), self.finest, target)


def _size(values: Tensor) -> Size:
    return values.shape[2], values.shape[3]


def _level(tap: str, name: str) -> str:
    """The branch of a level of context; a lower layer's has its name in front, which fc7's never had."""
    return name if tap == "fc7" else f"{tap}_{name}"


def _layer(branch: str) -> str:
    """The layer, as `layers` names it, that a branch belongs to."""
    return branch if branch in LAYERS else "pool6"


def _norm(science: Science, channels: int) -> Norm:
    if science.norm == "lp":
        # At the start, channels that are all equal come out as large as under l2.
        power = 0.0 if science.norm_p is None else 1 / science.norm_p
        scale = science.norm_scale * channels ** (power - 0.5)
        return LpNorm(channels, scale, p=science.norm_p, learn=science.norm_learn, shared=science.norm_shared)
    return L2Norm(
        channels,
        science.norm_scale,
        learn=science.norm_learn,
        shared=science.norm_shared,
        across_space=science.norm_across_space,
        gradient=science.norm_gradient,
    )
