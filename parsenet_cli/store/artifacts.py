"""The files that belong to a run's result: result.json names their checksums, so that a damaged or exchanged one is seen.

A result from before checksums were recorded names none, and its files are believed as far as their own formats say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.core import npz
from parsenet_cli.core.files import Damaged, crc32_of
from parsenet_cli.store.run import Run


def checksums(run: Run) -> dict[str, str]:
    """The CRC-32 of each file when the result was written, by name; {} where there is no result, or an older one."""
    found: dict[str, str] = (run.result() or {}).get("files", {})
    return found


def damaged(run: Run) -> list[str]:
    """The names of those that are not what was written: gone, changed, or another training's.

    The model is left out, which may be large: `check_model` looks at it when it is used.
    """
    known = checksums(run).items()
    return [name for name, crc in known if name != run.model_file.name and _crc(run, name) != crc]


def damage_reports(runs: Iterable[Run]) -> list[str]:
    """What to say of each damaged file of these runs."""
    return [
        f"{run.folder / name}: is damaged, gone or another training's; what follows from it is left out"
        for run in runs
        for name in damaged(run)
    ]


def verify_model(run: Run) -> None:
    """Raises `Damaged` where the model is not the one that was written with the result."""
    name, known = run.model_file.name, checksums(run)
    if known and _crc(run, name) != known.get(name):
        from parsenet_cli.runner import retrain

        raise Damaged(
            f"{run.model_file}: is damaged or another training's: its checksum is not the one in result.json. Remove it; "
            f"{retrain.command(run)} then trains the run again and keeps its model"
        )


def _crc(run: Run, name: str) -> str | None:
    try:
        return crc32_of(run.folder / name)
    except OSError:
        return None


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


def _read(run: Run, name: str) -> npz.Arrays:
    try:
        return npz.read(run.folder / name, checksums(run).get(name))
    except Damaged as problem:
        raise Damaged(f"{problem}; {_remedy(run)}") from None


def _remedy(run: Run) -> str:
    return f"remove the folder {run.folder} and issue the command again: the run is then trained again"
