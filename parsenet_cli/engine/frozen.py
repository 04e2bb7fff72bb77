"""What the stages that are not trained (`recipe.frozen`) make of the training images: computed once for each, and kept."""

from __future__ import annotations

import torch
from torch import Tensor

from parsenet_cli.core.text import print_line
from parsenet_cli.data.batches import Batches
from parsenet_cli.models.build import Segmenter

MOST_BYTES = 512 << 20
"""That a run keeps: several of the profile quick, whose stand-ins need up to 270 MB, fit beside each other on a laptop."""


class FrozenFeatures:
    """Features of the last frozen stage, by batch.

    A whole image goes through the frozen stages by itself, whichever batch it stands in and whether the outcome is kept or not.
    So the features of an image are the same bits in every step, with and without the cache, and after a resume as well.

    The cache lies in the memory of the process, so that pad, weights and data are the run's; an entry is known by the image and
    by whether it is mirrored. Nothing is kept where all training images would take more than `most_bytes`.
    """

    def __init__(self, model: Segmenter, batches: Batches, device: torch.device, most_bytes: int = MOST_BYTES) -> None:
        self._model, self._batches, self._device = model, batches, device
        self._most_bytes = most_bytes
        self._kept: dict[tuple[int, bool], Tensor] = {}
        self._keeps: bool | None = None
        self._block: Tensor | None = None

    def __call__(self, number: int, images: Tensor) -> Tensor | None:
        """Of batch `number`, whose images are uint8 (N, 3, H, W): (N, C, h, w) on the device of the run.

        None where all stages are trained, and of batches with crops or padding, which no other batch shares: those go through
        the network as they are.
        """
        if not (self._model.frozen and self._batches.of_whole_images):
            return None
        examples = self._batches.examples(number)
        return torch.cat([self._of(example, images[k : k + 1]) for k, example in enumerate(examples)])

    def _of(self, example: tuple[int, bool], image: Tensor) -> Tensor:
        if example in self._kept:
            return self._kept[example]
        features = self._model.frozen_features(image.to(self._device))
        if self._keeps is None:
            self._keeps = self._decide(features.nbytes / (image.shape[2] * image.shape[3]))
            if self._keeps and len(set(self._batches.split.shapes)) == 1:
                self._block = features.expand(self._orientations * len(self._batches.split), -1, -1, -1)
                self._block = torch.empty_like(self._block, memory_format=torch.channels_last)
        if self._keeps:
            if self._block is not None:
                # In one block: pieces between what a step allocates and frees cost it a thousand page faults.
                place = self._block[len(self._kept) : len(self._kept) + 1]
                features = place.copy_(features)
            self._kept[example] = features
        return features

    @property
    def _orientations(self) -> int:
        return 2 if self._batches.mirror else 1

    def _decide(self, bytes_a_pixel: float) -> bool:
        """Whether all training images, in each orientation, are few enough; the log says where they are not."""
        pixels = sum(height * width for height, width in self._batches.split.shapes)
        needed = bytes_a_pixel * pixels * self._orientations
        if needed > self._most_bytes:
            print_line(
                f"features of the frozen stages are not kept: all training images take {needed / 1e6:.0f} MB, and at most "
                f"{self._most_bytes / 1e6:.0f} MB may be used"
            )
        return needed <= self._most_bytes
