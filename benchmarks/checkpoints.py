"""What checkpoints cost: their share of a training at the default cadence and at the quickest, and a full-size network's.

python -m benchmarks.checkpoints [SECONDS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn import Module

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.errors import Stopped
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.engine import checkpoint, inputs
from parsenet_cli.engine.checkpoint import SHARE, TrainState
from parsenet_cli.engine.optim import SGD
from parsenet_cli.engine.train import Trainer
from parsenet_cli.models.build import build_model
from parsenet_cli.store.run import Run

SECONDS = 60.0
CPU = torch.device("cpu")


class Timed:
    """`checkpoint.save`, with a clock."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._save = checkpoint.save

    def __call__(self, run: Run, model: Module, optimizer: SGD, progress: TrainState) -> None:
        started = time.perf_counter()
        self._save(run, model, optimizer, progress)
        self.seconds.append(time.perf_counter() - started)


def quick(root: Path, every: float, seconds: float) -> None:
    """Train the quick profile's ParseNet for so long; print how many were written and what that took."""
    config = _config(
        "quick", root, [f"checkpoint_seconds={every}", "recipe.iterations=1000000", "weights=none", "recipe.frozen=[]"]
    )
    dataset = inputs.data(config, root / "cache", lambda _: None)
    trainer = Trainer(config, build_model(config.science, len(dataset.classes), None), dataset, CPU)
    run = Run(root / f"every{every}")
    run.folder.mkdir()
    timed, started = Timed(), time.perf_counter()
    checkpoint.save = timed
    try:
        trainer.fit(run, lambda: time.perf_counter() - started > seconds)
    except Stopped:
        pass
    finally:
        checkpoint.save = timed._save
    took, spent = time.perf_counter() - started, sum(timed.seconds[:-1])  # the last one is that of the end
    print(
        f"checkpoint_seconds={every}: {len(timed.seconds) - 1} written in {took:.0f} s of training, "
        f"{100 * spent / took:.2f} % of it (at most {100 * SHARE:.0f} %)",
        flush=True,
    )


def full_size(root: Path) -> None:
    """Write the checkpoint of ParseNet with VGG-16; print its size, seconds, and the interval that follows."""
    config = _config("paper", root, ["data=synthetic_voc", "weights=none", "body=fcn"])
    model = build_model(config.science, 21, None)
    dataset = inputs.data(_config("quick", root, ["weights=none", "recipe.frozen=[]"]), root / "cache", lambda _: None)
    trainer = Trainer(config, model, dataset, CPU)
    run = Run(root / "full")
    seconds = []
    for iteration in range(3):
        started = time.perf_counter()
        checkpoint.save(run, model, trainer.optimizer, TrainState(iteration))
        seconds.append(time.perf_counter() - started)
    size = run.checkpoints[0].stat().st_size / 1e9
    longest = max(seconds)
    print(
        f"VGG-16 with 4096 channels in fc6 and fc7: {size:.2f} GB, {min(seconds):.1f} to {longest:.1f} s each; "
        f"one every {max(config.runtime.checkpoint_seconds, longest / SHARE):.0f} s at most"
    )


def _config(name: str, root: Path, overrides: list[str]) -> RunConfig:
    return Composer(profile.load(name), overrides, root / "composed").run_config()


def main() -> None:
    """Measure; the trainings take two minutes unless told otherwise."""
    seconds = float(sys.argv[1]) if __name__ == "__main__" and len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        quick(root, 30, seconds)
        quick(root, 0, seconds)
        full_size(root)


if __name__ == "__main__":
    main()
