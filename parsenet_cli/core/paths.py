"""Where things lie: what is shipped with the package, and what belongs to the user's folder."""

from __future__ import annotations

import os
from pathlib import Path

from parsenet_cli.core.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path:
    """The shipped folder `name` (`conf`, `ablations`, or one in them): inside the wheel, or beside the package in a clone."""
    inside = PACKAGE / "shipped" / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def search(name: str) -> list[Path]:
    """Folders that hold files of kind `name` (`conf/recipe`), the user's own (`./name`) first, where there is a folder."""
    try:
        own = Path.cwd() / name
    except OSError:  # the current folder is gone
        return [shipped(name)]
    folders = [own] if os.path.isdir(own) else []  # noqa: PTH112, never raises
    if shipped(name) not in folders:
        folders.append(shipped(name))
    return folders


def yaml_files(name: str, *, parts: bool = False) -> dict[str, Path]:
    """The YAML files of kind `name` by the name that chooses each.

    A leading underscore marks what is no choice but a part of others; `parts`: those too. Passed over are dot files, as editors
    (`.#x.yaml`) and other systems (`._x.yaml`) leave them, and folders.

    Raises:
        UserError: a folder that cannot be read.
    """
    return {name: file for folder in reversed(search(name)) for name, file in yaml_in(folder, parts=parts).items()}


def yaml_in(folder: Path, *, parts: bool = False) -> dict[str, Path]:
    """The same of one folder."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as problem:
        raise UserError(f"{folder}: cannot be read: {problem.strerror}") from None
    files = {}
    for file in entries:
        hidden = file.name.startswith(".") or (file.name.startswith("_") and not parts) or not is_utf8(file.name)
        if file.suffix == ".yaml" and not hidden and not os.path.isdir(file):  # noqa: PTH112
            files[file.stem] = file
    return files


def user_path(text: str | Path) -> Path:
    """A path as a person writes it, with `~` as in a shell.

    Raises:
        UserError: `~name` of an unknown user, or what no file can be called.
    """
    written = str(text)
    if not written.strip():
        raise UserError("an empty text where a path was expected")
    if not is_utf8(written) or "\0" in written:
        raise UserError(f"'{written}': the path is not in UTF-8; rename the file or folder")
    expanded = os.path.expanduser(written)  # noqa: PTH111, a Path has forgotten the ./ that ./~name begins with
    if expanded.startswith("~"):
        user = written.partition("/")[0]
        raise UserError(f"'{written}': '{user}' has no home folder; a file or folder called so is './{written}'")
    return Path(expanded)


def absolute(text: str | Path) -> Path:
    """`user_path`, absolute and without links. Raises `UserError` as it does."""
    return Path(os.path.realpath(user_path(text)))  # resolve() raises where links lead around in a circle


def is_utf8(text: str) -> bool:
    """Whether a text of the operating system is one: other bytes are lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def modules(package: str) -> list[str]:
    """The names that can be chosen in a folder of the package, e.g. `models/trunks`: one file or folder, one name."""
    found = [file for file in (PACKAGE / package).iterdir() if file.suffix == ".py" or (file / "__init__.py").is_file()]
    return sorted(file.stem for file in found if not file.stem.startswith("_"))


VARIABLE = "PARSENET_DATA"
"""Names a folder with one sub-folder per data set; without it that is `data` in the results folder."""


def home(results: Path) -> Path:
    """The folder with one sub-folder per data set."""
    given = os.environ.get(VARIABLE)
    return absolute(given) if given else results.absolute() / "data"


def prepared_root(name: str, results: Path) -> Path | None:
    """The folder of the data set `name`, None where there is none. It appears by rename, so what is there is whole."""
    folder = home(results) / name
    return folder if folder.is_dir() else None
