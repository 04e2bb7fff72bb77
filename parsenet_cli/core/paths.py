"""Where things lie: what is shipped with the package, and what belongs to the user's folder."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path:
    """The shipped folder `name` (`conf`, `ablations`, or one in them): inside the wheel, or beside the package in a clone."""
    inside = PACKAGE / "shipped" / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def search(name: str) -> list[Path]:
    """Folders that hold files of kind `name` (`conf/recipe`), the user's own (`./name`) first."""
    own = Path.cwd() / name
    folders = [own] if own.is_dir() else []
    if shipped(name) not in folders:
        folders.append(shipped(name))
    return folders


def yaml_files(name: str) -> dict[str, Path]:
    """The YAML files of kind `name` by the name that chooses each. A leading underscore marks what is no choice."""
    return {file.stem: file for folder in reversed(search(name)) for file in folder.glob("[!_]*.yaml")}


def modules(package: str) -> list[str]:
    """The names that can be chosen in a folder of the package, e.g. `models/trunks`: one file or folder, one name."""
    found = [file for file in (PACKAGE / package).iterdir() if file.suffix == ".py" or (file / "__init__.py").is_file()]
    return sorted(file.stem for file in found if not file.stem.startswith("_"))


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
