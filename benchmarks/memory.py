"""Peak memory of training Table 4's five layers at full size: ours, and the concatenation built as the paper words it.

    python -m benchmarks.memory
    python -m benchmarks.memory ours 500 500      one measurement, in this process

Both train body fcn with 60 classes on one image, from random weights, and take the same steps; the literal one brings
every normalised feature to the image, concatenates and classifies there. Each is measured in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.full_size import full_size
from parsenet_cli.engine.environment import peak_memory_mb
from parsenet_cli.models.build import Segmenter
from parsenet_cli.models.classifier import JointClassifier

ROW = ("body=fcn", "layers=[pool6,fc7,conv5,conv4,conv3]", "norm=l2", "fusion=early")
CLASSES = 60
CHANNELS = 9472
COMPARED = (200, 200)
"""Size at which both are measured: the literal one takes about 1.5 GB for one copy of the concatenation, and more than one."""
FULL = (500, 500)
STEPS = 2
"""From the second step on the optimiser's velocities and the gradients of the step before exist at the same time."""


def literal(model: Segmenter, images: Tensor) -> Tensor:
    """Logits by way of the concatenation at the resolution of the image (§3.2)."""
    head, size = model.head, (images.shape[2], images.shape[3])
    assert isinstance(head.classifier, JointClassifier)
    features = head.features(model.trunk(model.preprocess(images), head.wanted))
    maps = [head.bilinear({feature.grid: feature.expand(feature.values)}, size) for feature in features]
    return F.conv2d(torch.cat(maps, dim=1), head.classifier.weight, head.classifier.bias)


def measure(variant: str, height: int, width: int) -> float:
    """Peak memory, in GB of 1e9 bytes, of a fresh process that takes some steps."""
    command = [sys.executable, "-m", "benchmarks.memory", variant, str(height), str(width)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print one line per measurement, and what the literal one would need at full size."""
    print(f"importing PyTorch alone: {measure('nothing', 1, 1):.1f} GB")
    for variant, size in (("literal", COMPARED), ("ours", COMPARED), ("ours", FULL)):
        print(f"{variant:8} {size[0]}x{size[1]}  {measure(variant, *size):5.1f} GB")
    copy = CHANNELS * FULL[0] * FULL[1] * 4 / 1e9
    print(f"literal  {FULL[0]}x{FULL[1]}  {copy:5.1f} GB for each copy of the concatenation of {CHANNELS} channels")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        name, height, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        if name != "nothing":
            probe = full_size(*ROW, shape=(CLASSES, height, width))
            if name == "literal":
                probe.model.forward = partial(literal, probe.model)  # type: ignore[method-assign]
            for _ in range(STEPS):
                probe.step()
        print(peak_memory_mb(torch.device("cpu")) * 2**20 / 1e9)
    else:
        main()
