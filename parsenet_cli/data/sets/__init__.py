"""Data sets: one file each, found by its name (the axis `data`). A new one is a new file that offers what `DataSet` lists."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from parsenet_cli.core import paths
from parsenet_cli.core.errors import unknown

if TYPE_CHECKING:
    from pathlib import Path

    from parsenet_cli.core.run_config import Science
    from parsenet_cli.core.text import Progress
    from parsenet_cli.data.dataset import DataOptions, Dataset
    from parsenet_cli.data.decoding import ReadLabel
    from parsenet_cli.data.layout import Lists


class DataSet(Protocol):
    """What a file of this folder offers. Importing it does not import torch: `plan` asks for the identity.

    `MEAN_RGB`, where there is one, is the mean colour (R, G, B) that was published for the data set; `USUAL` is what stands for
    its images where it is not at hand (`usual`). `layout(options)`, where the data lie in a folder, is what is read of it (a
    `Layout`): by it `plan` tells what they will take in the cache.
    """

    def identity(self, options: DataOptions, progress: Progress = ...) -> str:
        """What the data *is*, part of a run's signature. Raises `UserError` where files are missing or incomplete."""

    def open_dataset(self, options: DataOptions, progress: Progress = ...) -> Dataset:
        """Both splits, decoded."""


class DataSetOnDisk(DataSet, Protocol):
    """What a data set that the user has in a folder offers besides: all that `parsenet data check` looks at.

    Attributes:
        FINGERPRINT_FILES: A folder that has one of these is one of this data set.
    """

    FINGERPRINT_FILES: tuple[str, ...]

    def lists(self, root: Path, /) -> Lists:
        """Every list of ids by its name, with the files of each id. Raises `UserError` where a list is missing."""

    def label_reader(self, root: Path, /) -> ReadLabel:
        """What reads a label file as class ids."""


def names() -> list[str]:
    """The data sets that can be chosen."""
    return paths.modules("data/sets")


def find(name: str) -> DataSet:
    """The data set `name`. Raises `UserError` for an unknown one."""
    if name not in names():
        raise unknown("data set", name, names(), "parsenet data list")
    return cast(DataSet, importlib.import_module(f"{__name__}.{name}"))


def on_disk() -> dict[str, DataSetOnDisk]:
    """The data sets that can lie in a folder of the user's, by name: all but the generated ones."""
    data_sets = {name: find(name) for name in names()}
    return {
        name: cast(DataSetOnDisk, data_set)
        for name, data_set in data_sets.items()
        if hasattr(data_set, "FINGERPRINT_FILES")
    }


def published_mean(name: str) -> tuple[float, float, float] | None:
    """The mean colour (R, G, B) that was published for a data set; None where none was."""
    mean: tuple[float, float, float] | None = getattr(find(name), "MEAN_RGB", None)
    return mean


def usual(name: str) -> tuple[int, int, int]:
    """Number of classes, and height and width of most images, of a data set that need not be at hand; VOC's if unknown."""
    found: tuple[int, int, int] = getattr(find(name), "USUAL", (21, 375, 500))
    return found


def unpublished_mean(science: Science) -> str | None:
    """Why `input_mean=data` cannot be had, as a clause that fits behind "n/a: ", or None."""
    if science.input_mean == "data" and published_mean(science.data) is None:
        return f"input_mean=data: no mean is published for {science.data}; use input_mean=weights"
    return None
