"""What DeepLab's CRF costs an image: seconds on all threads, and CPU seconds on one, which a busy machine does not lengthen.

    python -m benchmarks.crf [ROUNDS]

Ten iterations with LargeFOV's parameters in float32, preparing the kernels included; medians. The scene is generated, the
photograph comes with matplotlib, and noise is the worst case: no two of its pixels share a vertex of the lattice. The last line
but one is the largest image whose kernels are exact.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from parsenet_cli.data.synthetic.scenes import voc_scene
from parsenet_cli.models.postprocess.crf import DenseCRF

ROUNDS = 5


def cases() -> Iterator[tuple[str, NDArray[np.uint8], int]]:
    """Name, image and number of classes."""
    rng = np.random.default_rng(0)
    scene = np.asarray(voc_scene(rng).image)
    photograph = np.asarray(Image.open(Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")))
    yield "scene", scene, 12
    yield "photograph", photograph[100:475, 6:506, :3], 21
    yield "noise", rng.integers(0, 256, (144, 144, 3), np.uint8), 12
    yield "noise", rng.integers(0, 256, (375, 500, 3), np.uint8), 21
    yield "scene, exact", scene[:45, :45], 12
    yield "scene, lattice", scene[:45, :46], 12


def seconds(scores: Tensor, image: Tensor, rounds: int) -> tuple[float, float]:
    """Median wall-clock and CPU seconds of one image. A first round is thrown away."""
    wall, processor = [], []
    for _ in range(rounds + 1):
        started, spent = time.perf_counter(), time.process_time()
        DenseCRF()(scores, image)
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - spent)
    return statistics.median(wall[1:]), statistics.median(processor[1:])


def main(rounds: int = ROUNDS) -> None:
    """Print one line per image."""
    threads = torch.get_num_threads()
    print(f"{rounds} rounds; seconds on {threads} threads, CPU seconds on one")
    for name, pixels, classes in cases():
        image = torch.from_numpy(np.array(pixels))
        height, width, _ = image.shape
        scores = torch.randn(classes, height, width, generator=torch.Generator().manual_seed(0))
        wall, _ = seconds(scores, image, rounds)
        torch.set_num_threads(1)
        _, processor = seconds(scores, image, rounds)
        torch.set_num_threads(threads)
        print(f"{f'{name}, {height}x{width}, {classes} classes':36} {wall:6.2f} {processor:6.2f}", flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
