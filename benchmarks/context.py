"""What global context costs: time of a training step of ParseNet over that of its baseline, at full size on the CPU.

    python -m benchmarks.context [ROUNDS]

The networks take turns in one process, so that a busy machine slows all of them; printed are medians and their ratios to
the baseline's. Body reduced, 21 classes, one random image of 321x321, float32, random weights, the paper's recipe.
"""

from __future__ import annotations

import sys

import torch

from benchmarks.full_size import full_size
from benchmarks.loss import ROUNDS, medians

SHAPE = (21, 321, 321)
ROWS = {
    "baseline: fc7": ("layers=[fc7]", "norm=none"),
    "ParseNet: pool6 + fc7, normalised, early": ("layers=[pool6,fc7]", "norm=l2"),
    "all five layers, normalised, early": ("layers=[pool6,fc7,conv5,conv4,conv3]", "norm=l2"),
}


def main(rounds: int = ROUNDS) -> None:
    """Print one line per network."""
    probes = [full_size("body=reduced", "fusion=early", *row, shape=SHAPE) for row in ROWS.values()]
    times = medians(*(probe.step for probe in probes), rounds=rounds)
    print(f"{torch.get_num_threads()} threads, {rounds} rounds, milliseconds a step")
    for name, time, probe in zip(ROWS, times, probes, strict=True):
        parameters = sum(parameter.numel() for parameter in probe.model.parameters())
        print(f"{name:42} {time:7.0f}   {time / times[0]:5.3f}x   {parameters} parameters")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
