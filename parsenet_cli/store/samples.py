"""The small images and true label maps behind the runs' `predictions.npz`: one file for all runs on the same data.

results/samples/<key>.npz is written by the first run on its data that finishes, so that a report can show what was seen
and what is true on a machine that has no data set.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from parsenet_cli.core import npz
from parsenet_cli.core.palette import LONGEST_SIDE, Pixels, is_label_map
from parsenet_cli.core.sealed import Damaged
from parsenet_cli.store.run import Store

QUALITY = 88
"""Of the JPEG that an image is kept as."""


@dataclass(frozen=True)
class Sample:
    """One validation image: JPEG bytes, and its class ids (h, w), 255 where ignored."""

    image: bytes
    truth: Pixels


def key(data_id: str, classes: Sequence[str]) -> str:
    """The name of the file for data of this identity and these classes: twelve hexadecimal digits."""
    return hashlib.sha256(json.dumps([data_id, list(classes)]).encode()).hexdigest()[:12]


def file_of(store: Store, data_id: str, classes: Sequence[str]) -> Path:
    """Where the samples of this data lie."""
    return store.root / "samples" / f"{key(data_id, classes)}.npz"


def write(file: Path, ids: Sequence[str], images: Sequence[Pixels], truths: Sequence[Pixels]) -> None:
    """Keep small RGB images (h, w, 3) and label maps (h, w) under their ids; a file that is there and whole is left alone."""
    if read(file):
        return
    arrays: npz.Arrays = {"ids": np.array(ids)}
    for i, (image, truth) in enumerate(zip(images, truths, strict=True)):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=QUALITY)
        arrays[f"photo{i}"] = np.frombuffer(stream.getvalue(), np.uint8)
        arrays[f"truth{i}"] = truth
    npz.write(file, arrays)


def read(file: Path) -> dict[str, Sample]:
    """The samples by id; {} where there is no file, or a damaged one: the next run on its data writes it again."""
    try:
        stored = npz.read(file)
        ids = stored["ids"]
        if ids.ndim != 1 or ids.dtype.kind != "U":
            return {}
        read = {str(name): (stored[f"photo{i}"], stored[f"truth{i}"]) for i, name in enumerate(ids)}
    except (Damaged, KeyError):
        return {}
    if not all(_is_jpeg(photo) and is_label_map(truth) for photo, truth in read.values()):
        return {}
    return {name: Sample(photo.tobytes(), truth) for name, (photo, truth) in read.items()}


def _is_jpeg(photo: NDArray[Any]) -> bool:
    """Whether these are the bytes of a small JPEG; its pixels are not looked at."""
    if photo.ndim != 1 or photo.dtype != np.uint8:
        return False
    try:
        with Image.open(io.BytesIO(photo.tobytes()), formats=["JPEG"]) as image:
            return max(image.size) <= LONGEST_SIDE
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
