"""Where runs are carried out: one file, one launcher, found by its name (`launcher=local`).

A launcher module exposes `open_launcher(options, jobs)`: `options` is conf/launcher/<name>.yaml with its overrides, `jobs` the
number of runs at hand.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol, runtime_checkable

from parsenet_cli.store import Run
from parsenet_cli.worker import Task


class Handle(Protocol):
    """A submitted task."""

    def alive(self) -> bool:
        """Whether it may still do something."""
        ...

    def cancel(self) -> None:
        """Ask it to write a checkpoint and leave."""
        ...

    def kill(self) -> None:
        """End it at once; what its last checkpoint holds is kept."""
        ...


class Launcher(Protocol):
    """Carries tasks out, at most `slots` at a time."""

    slots: int
    threads: int
    """Of each task, on the CPU."""

    def submit(self, run: Run, task: Task) -> Handle:
        """Start a task; returns at once where the launcher can."""
        ...


@runtime_checkable
class Queueing(Launcher, Protocol):
    """A launcher with a queue of its own, in which tasks outlive the command: it is handed all at once and bounds them itself."""

    resubmissions: int
    """How often in one command a run is submitted again whose task left the queue before it was done."""

    def flush(self) -> None:
        """Send what was submitted since the last time."""
        ...

    def holds(self, run: Run) -> bool:
        """Whether the queue still has a task that some command submitted for this run."""
        ...


def open_launcher(options: dict[str, Any], jobs: int) -> Launcher:
    """The launcher that `options["name"]` names."""
    module = importlib.import_module(f"parsenet_cli.launch.{options['name']}")
    launcher: Launcher = module.open_launcher(options, jobs)
    return launcher
