"""Launchers: one file or folder each, found by its name (`launcher=local`); `runner/launcher.py` says what each offers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from parsenet_cli.core import paths
from parsenet_cli.core.errors import unknown

if TYPE_CHECKING:
    from typing import Any

    from parsenet_cli.runner.launcher import Launcher


class LauncherModule(Protocol):
    """What a file or folder here offers."""

    def open_launcher(self, options: dict[str, Any], jobs: int) -> Launcher:
        """`options` is conf/launcher/<name>.yaml with its overrides, `jobs` the number of runs at hand."""
        ...


def find(name: str) -> LauncherModule:
    """The launcher `name`. Raises `UserError` for an unknown one."""
    names = paths.modules("runner/launch")
    if name not in names:
        raise unknown("launcher", name, names)
    return cast(LauncherModule, importlib.import_module(f"{__name__}.{name}"))
