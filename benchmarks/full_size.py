"""One optimisation step of a network of the paper at the full size of VGG-16, from random weights, on one random image."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.engine.loss import softmax_loss
from parsenet_cli.engine.optim import learning_rate, sgd
from parsenet_cli.models.build import Segmenter, build_model

Scores = Callable[[Segmenter, Tensor], Tensor]
"""How a network makes logits (N, K, H, W) of images (N, 3, H, W)."""


class Step:
    """Call it for one step: forward, summed loss, backward, SGD. The paper's recipe, batch 1, float32.

    Args:
        overrides: the row, for example `body=fcn`, `norm=none`.
        classes: K.
        size: height and width of the image.
        scores: another way of making logits with the same network.
    """

    def __init__(
        self, *overrides: str, classes: int, size: tuple[int, int], scores: Scores = Segmenter.__call__
    ) -> None:
        with tempfile.TemporaryDirectory() as cache:
            science = Composer(profile.load("paper"), ["weights=none"], Path(cache)).science(overrides)
        self.recipe = science.recipe
        self.model = build_model(science, classes, None)
        self.optimizer = sgd(self.model, self.recipe, science.norm_decay)
        self.scores = scores
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8, generator=generator)
        self.labels = torch.randint(0, classes, (1, *size), dtype=torch.uint8, generator=generator)

    def __call__(self) -> None:
        """Change the parameters once."""
        self.optimizer.zero_grad()
        loss = softmax_loss(self.scores(self.model, self.images), self.labels, 255, 1)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.update(learning_rate(self.recipe, 0))
