"""The files that belong to a run's result, checked by the checksums that it names: a damaged or exchanged one is seen.

A result from before checksums were recorded names none, and its files are believed as far as their own formats say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parsenet_cli.core import npz
from parsenet_cli.core.palette import is_label_map
from parsenet_cli.core.sealed import Damaged, crc32_of
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run


@dataclass(frozen=True)
class Confusions:
    """Pixels counted by true and predicted class, image by image.

    Attributes:
        matrices: (n, K, K), rows the true class.
        ids: Which images they are of.
    """

    matrices: NDArray[np.int32]
    ids: tuple[str, ...]


def write_confusions(run: Run, matrices: NDArray[np.int32], ids: Sequence[str]) -> Path:
    """Keep one confusion matrix (K, K) per validation image; returns the file."""
    return npz.write(run.confusions_file, {"confusions": matrices, "ids": np.array(ids)})


def write_predictions(run: Run, maps: Mapping[str, NDArray[np.uint8]]) -> Path:
    """Keep small label maps (h, w) by image; returns the file."""
    return npz.write(run.predictions_file, maps)


def confusions(run: Run, result: RunResult | None = None) -> Confusions:
    """The confusion matrices of a run, whose `result` is read unless it is given.

    Raises:
        Damaged: they are not what was written; the message says what to do.
    """
    result = result or run.result()
    stored = _read(run, run.confusions_file, result)
    try:
        return _confusions(stored, len(result.classes) if result and result.classes else None)
    except (KeyError, ValueError) as problem:
        text = f"has no array {problem}" if isinstance(problem, KeyError) else problem
        raise Damaged(f"{run.confusions_file}: {text}; {_remedy(run)}") from None


def predictions(run: Run) -> dict[str, NDArray[np.uint8]]:
    """The small label maps (h, w) that were kept, by image. Raises `Damaged` as `confusions` does."""
    maps = _read(run, run.predictions_file, None)
    if strange := next((name for name, map_ in maps.items() if not is_label_map(map_)), None):
        raise Damaged(f"{run.predictions_file}: '{strange}' is no label map; {_remedy(run)}")
    return maps


def damaged(run: Run, result: RunResult | None = None) -> list[str]:
    """The names of those that are not what was written: gone, changed, or another training's.

    The model is left out, which may be large: `verify_model` looks at it when it is used.
    """
    result = result or run.result()
    checksums = result.files.items() if result else ()
    return [name for name, crc in checksums if name != run.model_file.name and _crc(run.folder / name) != crc]


def damage_reports(runs: Iterable[Run]) -> list[str]:
    """A sentence for each damaged file of these runs."""
    return [
        f"{run.folder / name}: is damaged, gone or another training's; what follows from it is left out"
        for run in runs
        for name in damaged(run)
    ]


def verify_model(run: Run) -> None:
    """Raises `Damaged` where the model is not the one that was written with the result."""
    result = run.result()
    if result and result.files and _crc(run.model_file) != result.files.get(run.model_file.name):
        raise Damaged(
            f"{run.model_file}: is damaged or another training's: its checksum is not the one in {run.result_file.name}. "
            f"Remove it; {run.retrain_command()} then trains the run again and keeps its model"
        )


def verify_weights_file(file: str | None) -> None:
    """Raises `Damaged` where a file of initial weights is a run's model that was damaged since."""
    if file is not None and (run := Run(Path(file).parent)).model_file == Path(file):
        verify_model(run)


def _read(run: Run, file: Path, result: RunResult | None) -> npz.Arrays:
    result = result or run.result()
    try:
        return npz.read(file, result.files.get(file.name) if result else None)
    except Damaged as problem:
        raise Damaged(f"{problem}; {_remedy(run)}") from None


def _confusions(stored: npz.Arrays, classes: int | None) -> Confusions:
    """Raises `ValueError` where the arrays are no counts of pixels, or not of so many classes."""
    matrices, ids = stored["confusions"], stored["ids"]
    if ids.ndim != 1 or ids.dtype.kind != "U" or len(set(ids.tolist())) != len(ids):
        raise ValueError("expected the name of each image, none twice")
    side = classes or (matrices.shape[-1] if matrices.ndim else 0)
    if matrices.dtype.kind not in "iu" or matrices.shape != (len(ids), side, side):
        raise ValueError(
            f"expected whole numbers ({len(ids)}, {side}, {side}), found {matrices.dtype} {matrices.shape}"
        )
    if not matrices.any() or matrices.min() < 0 or matrices.max() > np.iinfo(np.int32).max:
        raise ValueError("expected counts of pixels, which are not negative and not all zero")
    return Confusions(matrices.astype(np.int32, copy=False), tuple(map(str, ids)))


def _crc(file: Path) -> str | None:
    try:
        return crc32_of(file)
    except OSError:
        return None


def _remedy(run: Run) -> str:
    return f"remove the folder {run.folder} and issue the command again: the run is then trained again"
