"""A new file in a folder of the package whose files are found by name."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType

import pytest

from parsenet_cli.core import paths


def add(package: ModuleType, name: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this package is a copy below `folder` that has a module `name` too."""
    place = Path(*package.__path__).relative_to(paths.PACKAGE)
    shutil.copytree(paths.PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (folder / place / f"{name}.py").write_text(text)
    monkeypatch.setattr(paths, "PACKAGE", folder)
    monkeypatch.setattr(package, "__path__", [str(folder / place)])
