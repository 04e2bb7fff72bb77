"""Where the data sets lie that `parsenet data get` prepares, and where a run looks when no data_root is given."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "PARSENET_DATA"
"""Names a folder with one sub-folder per data set; without it that is `data` in the results folder."""


def home(results: Path) -> Path:
    """The folder with one sub-folder per data set."""
    given = os.environ.get(VARIABLE)
    return Path(given).expanduser().resolve() if given else results.absolute() / "data"


def prepared_root(name: str, results: Path) -> Path | None:
    """The folder of the data set `name`, None where there is none. It appears by rename, so what is there is whole."""
    folder = home(results) / name
    return folder if folder.is_dir() else None
