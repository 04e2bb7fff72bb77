"""Data sets that `parsenet data get` can fetch: one file each, found by its name, with `RELEASE`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from parsenet_cli.core import paths
from parsenet_cli.core.errors import unknown

if TYPE_CHECKING:
    from parsenet_cli.data.download.release import Release


def names() -> list[str]:
    """The data sets that can be had."""
    return paths.modules("data/releases")


def find(name: str) -> Release:
    """Raises `UserError` for a data set that cannot be had."""
    if name not in names():
        raise unknown("data set", name, names(), "parsenet data list")
    release: Release = importlib.import_module(f"{__name__}.{name}").RELEASE
    return release
