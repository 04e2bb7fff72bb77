"""What a data set puts into the cache when it is opened: known, or estimated, before anything is drawn or decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parsenet_cli.core.errors import DataNotHere
from parsenet_cli.data import releases, sets
from parsenet_cli.data.cache import CacheFile
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.decoding import BYTES_A_PIXEL
from parsenet_cli.data.synthetic import generate
from parsenet_cli.data.synthetic.scenes import SPLITS

DRAWN_BYTES_A_PIXEL = 0.6
"""Of a generated data set on disk, JPEGs and labels: measured, 0.58 for scenes with animals and 0.65 for those outdoors."""


def cache_files(name: str, options: DataOptions) -> list[CacheFile] | None:
    """The files and folders that the data set `name` needs in the cache; None where it does not say.

    Of data that are not here the official number of images and their usual size are taken.

    Raises:
        UserError: the data are here, and incomplete.
    """
    data_set: Any = sets.find(name)
    if hasattr(data_set, "VERSION"):
        return _drawn(name, data_set.VERSION, options.cache)
    if not hasattr(data_set, "layout"):
        return None
    try:
        files: list[CacheFile] = data_set.layout(options).cache_files(options)
    except DataNotHere:
        return _official(name, options) if name in releases.names() else None
    return files


def _drawn(name: str, version: int, cache: Path) -> list[CacheFile]:
    """A generated data set and its decoded splits. A decoded file is told by its name and size: its hash would need all files."""
    _, height, width = sets.usual(name)
    folder, pixels = generate.folder(name, version, cache), height * width
    files = [CacheFile(folder, DRAWN_BYTES_A_PIXEL * pixels * sum(SPLITS.values()), folder.is_dir())]
    for part, count in SPLITS.items():
        size = BYTES_A_PIXEL * pixels * count
        decoded = (cache / "decoded").glob(f"{name}-{part}-*.u8")
        there = any(file.lstat().st_size == size for file in decoded)
        files.append(CacheFile(cache / "decoded" / f"{name}-{part}.u8", size, there))
    return files


def _official(name: str, options: DataOptions) -> list[CacheFile]:
    counts = releases.find(name).expected.counts
    parts = (
        options.train_split if options.train_split in counts else "train",
        "test" if "test" in counts else "val",
    )
    _, height, width = sets.usual(name)
    return [
        CacheFile(options.cache / "decoded" / f"{name}-{part}.u8", BYTES_A_PIXEL * height * width * counts[part], False)
        for part in parts
    ]
