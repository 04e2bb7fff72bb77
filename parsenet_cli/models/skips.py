"""FCN's skip heads: scores of pool4, and of pool3, join those of fc7 on the way up (arXiv 1411.4038, FCN's net.py)."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Generator, Tensor, nn

from parsenet_cli.core.run_config import Science
from parsenet_cli.models.classifier import JointClassifier
from parsenet_cli.models.geometry import Grid
from parsenet_cli.models.trunk import Trunk
from parsenet_cli.models.upsample import Bilinear, Learned, at_least_float32

TAPS = {"16s": ("pool4",), "8s": ("pool4", "pool3")}
AT_ONCE = {"pool4": 0.01, "pool3": 0.0001}
"""Fixed multipliers that tame the large lower features when all is trained at once (FCN's voc-fcn8s-atonce)."""


class Skips(nn.Module):
    """Scores climb from grid to grid: upsampled to the next finer pool, whose own scores are added.

    Climbing in steps is FCN's and differs from upsampling each score map to the image by itself.
    """

    def __init__(self, science: Science, num_classes: int, trunk: Trunk, generator: Generator) -> None:
        super().__init__()
        learned = science.upsample == "learned"
        self.wanted = TAPS[science.skips]
        self.multipliers = dict(AT_ONCE)
        self.grids = {tap: trunk.grids[tap] for tap in self.wanted}
        # Where the scores end.
        self.grid = self.grids[self.wanted[-1]]
        self.classifiers = nn.ModuleDict(
            {tap: JointClassifier([trunk.channels[tap]], num_classes, science.init, generator) for tap in self.wanted}
        )
        climb = zip(self.grids, [trunk.grids["fc7"], *self.grids.values()], self.grids.values(), strict=False)
        self.steps = nn.ModuleDict(
            {tap: Learned(num_classes, [below], grid) if learned else Bilinear() for tap, below, grid in climb}
        )

    def forward(self, grid: Grid, scores: Tensor, taps: Mapping[str, Tensor]) -> tuple[Grid, Tensor]:
        """Scores (N, K, h, w) on fc7's grid -> the last skip's grid, and float32 scores on it."""
        for tap, target in self.grids.items():
            pool, classifier = taps[tap], self.classifiers[tap]
            assert isinstance(classifier, JointClassifier)
            own = F.conv2d(pool, classifier.weight * self.multipliers[tap], classifier.bias)
            scores = self.steps[tap]({grid: scores}, (own.shape[2], own.shape[3]), target) + at_least_float32(own)
            grid = target
        return grid, scores
