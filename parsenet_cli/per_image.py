"""What a finished run keeps of single validation images: a confusion matrix of each, small label maps of a few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parsenet_cli import arrays, belonging
from parsenet_cli.files import Damaged
from parsenet_cli.store import Run

CONFUSIONS, PREDICTIONS = "confusion.npz", "predictions.npz"


@dataclass(frozen=True)
class Confusions:
    """Pixels counted by true and predicted class, image by image."""

    matrices: NDArray[np.int32]
    """(n, K, K), rows the true class."""
    ids: tuple[str, ...]
    """Which images they are of."""


def confusions(run: Run) -> Confusions:
    """The confusion matrices of a run. Raises `Damaged`, with what to do, where they are not what was written."""
    stored = _read(run, CONFUSIONS)
    try:
        return Confusions(stored["confusions"], tuple(map(str, stored["ids"])))
    except KeyError as problem:
        raise Damaged(f"{run.folder / CONFUSIONS}: has no array {problem}; {_remedy(run)}") from None


def predictions(run: Run) -> dict[str, NDArray[np.uint8]]:
    """The small label maps (h, w) that were kept, by image. Raises `Damaged` as `confusions` does."""
    return _read(run, PREDICTIONS)


def _read(run: Run, name: str) -> arrays.Arrays:
    try:
        return arrays.read(run.folder / name, belonging.checksums(run).get(name))
    except Damaged as problem:
        raise Damaged(f"{problem}; {_remedy(run)}") from None


def _remedy(run: Run) -> str:
    return f"remove the folder {run.folder} and issue the command again: the run is then trained again"
