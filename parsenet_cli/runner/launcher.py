"""What a launcher is: it carries tasks out, each as a handle. Those that exist lie in `launch/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from parsenet_cli.runner import launch
from parsenet_cli.runner.worker import Task
from parsenet_cli.store.run import Run


@dataclass(frozen=True)
class Resources:
    """What a task asks of the machine."""

    gpu_mb: float | None = None
    """Memory it takes on a GPU, as others of its kind did; None where none was measured yet: it gets a GPU for itself."""
    alone: bool = False
    """Nothing beside it: on its GPU, or on the whole machine where there is none."""


ANY = Resources()
"""Of a task that nothing is known of."""


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
    resubmissions: int
    """How often in one command a run is started again that ended without a result and without an error."""
    silence_seconds: float
    """How long a worker may show no sign of life before it is ended."""

    def has_room(self, needs: Resources) -> bool:
        """Whether such a task could be started now; `slots` is checked by the caller."""
        ...

    def submit(self, run: Run, task: Task, needs: Resources) -> Handle:
        """Start a task there is room for; returns at once where the launcher can."""
        ...


@runtime_checkable
class BatchLauncher(Launcher, Protocol):
    """A launcher with a queue of its own, in which tasks outlive the command: it is handed all at once and bounds them itself."""

    def flush(self) -> list[Run]:
        """Send what was submitted since the last time. Returns the runs that turn out to be another command's task already."""
        ...

    def holds(self, run: Run) -> bool:
        """Whether the queue still has a task that some command submitted for this run."""
        ...

    def end(self, run: Run) -> None:
        """Take that task out of the queue, without asking it."""
        ...

    def last_words(self, run: Run) -> str:
        """What is known of a task that left the queue before the run was done."""
        ...


def open_launcher(options: dict[str, Any], jobs: int) -> Launcher:
    """The launcher that `options["name"]` names."""
    return launch.find(options["name"]).open_launcher(options, jobs)
