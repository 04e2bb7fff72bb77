"""Launchers: one file or folder each, found by its name (`launcher=local`); `runner/launcher.py` says what each offers."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from parsenet_cli.config.compose import LauncherConfig
from parsenet_cli.core.errors import NO_TORCH, UserError, unknown
from parsenet_cli.core.run_config import Precision
from parsenet_cli.core.text import shown
from parsenet_cli.models.support import lacks_arithmetic
from parsenet_cli.runner.gpus import least_capability
from parsenet_cli.runner.launch_options import OptionError
from parsenet_cli.runner.launcher import BatchLauncher, BatchQueue, Launcher, LauncherModule


def open_launcher(config: LauncherConfig, jobs: int, results: Path, *, on_gpu: bool = True) -> Launcher:
    """The launcher that the options name, for so many runs of this results folder; `on_gpu`: of which some may use a GPU.

    Raises:
        UserError: an unknown one, or a wrong option; with the file that has it.
    """
    name = config.options.get("name")
    try:
        if not isinstance(name, str) or name not in _names():
            raise OptionError("name", f"launcher.name={shown(name)}: expected one of {', '.join(_names())}")
        return find(name).open_launcher(config.options, jobs, results, on_gpu)
    except OptionError as problem:
        raise problem if problem.option in config.overridden else UserError(f"{config.file}: {problem}") from None


def check_device(launcher: Launcher, asked: Iterable[tuple[str, Precision]]) -> None:
    """Look at the devices and precisions of runs before any is begun; a cluster's nodes are another matter.

    Raises:
        UserError: a run has to have a GPU, would be carried out here, and there is none; or what it would be carried out on
            has no such arithmetic.
    """
    if isinstance(launcher, BatchLauncher):
        return
    for device, precision in sorted(set(asked)):
        kind = "cpu" if device == "cpu" else "cuda"
        if device == "cuda" or (device == "auto" and precision == "tf32"):
            from parsenet_cli.engine.device import choose_device

            kind = choose_device(device, given_gpu=launcher.on_gpu).type
        capability = None if kind == "cpu" or precision == "float32" else least_capability()
        if reason := lacks_arithmetic(precision, kind, capability):
            elsewhere = ", or device=cpu, under which cells that ask for it are n/a" if device == "auto" else ""
            raise UserError(f"precision={precision} device={device}: {reason}{elsewhere}")


def check_torch(launcher: Launcher) -> None:
    """Raises `UserError` where runs would be carried out here, by this Python, and torch is not installed."""
    if not isinstance(launcher, BatchLauncher) and find_spec("torch") is None:
        raise UserError(NO_TORCH)


def find(name: str) -> LauncherModule:
    """The launcher `name`. Raises `UserError` for an unknown one."""
    if name not in _names():
        raise unknown("launcher", name, _names())
    return cast(LauncherModule, importlib.import_module(f"{__name__}.{name}"))


def queue(results: Path) -> BatchQueue | None:
    """The jobs of this results folder in the queue of whatever launcher has one that can be reached from this machine."""
    return cast("BatchQueue | None", _first_answer("queue", results))


def current_job() -> str | None:
    """The id of the job that this process is part of, by whatever launcher knows it; None outside of one."""
    return cast("str | None", _first_answer("current_job"))


def _first_answer(function: str, *arguments: object) -> object:
    """What the first launcher says that offers this function and does not answer with None."""
    offered = (getattr(find(name), function, None) for name in _names())
    return next((answer for ask in offered if ask is not None and (answer := ask(*arguments)) is not None), None)


def _names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))
