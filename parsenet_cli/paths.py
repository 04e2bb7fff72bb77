"""Where things lie: what is shipped with the package, and what belongs to the user's folder."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The shipped folder `name` (`conf` or `ablations`): inside the wheel, or beside the package in a clone."""
    inside = _PACKAGE / "shipped" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def search(name: str) -> list[Path]:
    """Folders that hold files of kind `name`, the user's own (`./name`) first."""
    own = Path.cwd() / name
    folders = [own] if own.is_dir() else []
    if shipped(name) not in folders:
        folders.append(shipped(name))
    return folders


def modules(package: str) -> list[str]:
    """The names that can be chosen in a folder of the package, e.g. `models/trunks`: one file, one name."""
    return sorted(f.stem for f in (_PACKAGE / package).glob("*.py") if not f.stem.startswith("_"))
