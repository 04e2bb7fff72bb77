"""What a launcher is: it carries tasks out, each as a handle. Those that exist lie in `launch/`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from parsenet_cli.store.run import Run

Task = Literal["train", "data", "weights"]
"""`train` carries the run out; `data` and `weights` only prepare what several runs share."""


@dataclass(frozen=True)
class Resources:
    """What a task asks of the machine.

    Attributes:
        gpu_mb: Memory it takes on a GPU, as others of its kind did; None where none was measured yet: it gets a GPU for
            itself until it has said what it takes.
        alone: Nothing beside it: on its GPU, or on the whole machine where there is none.
        gpu: Whether it computes on a GPU where there is one.
    """

    gpu_mb: float | None = None
    alone: bool = False
    gpu: bool = True


PREPARATION = Resources(gpu=False)
"""Of `data` and `weights`."""


class Handle(Protocol):
    """A submitted task."""

    def alive(self) -> bool:
        """Whether it may still do something."""

    def cancel(self) -> None:
        """Ask it to write a checkpoint and leave."""

    def kill(self) -> None:
        """End it at once; what its last checkpoint holds is kept."""


class Launcher(Protocol):
    """Carries tasks out, at most `slots` at a time.

    Attributes:
        threads: Of each task, on the CPU.
        resubmissions: How often in one command a run is started again that ended without a result and without an error.
        silence_seconds: How long a worker may send no heartbeat before it is killed.
        on_gpu: Whether runs that leave it open (device=auto) are given a GPU.
    """

    slots: int
    on_gpu: bool
    threads: int
    resubmissions: int
    silence_seconds: float

    def fits(self, needs: Resources) -> bool:
        """Whether such a task could be started now; `slots` is checked by the caller."""

    def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> Handle:
        """Start a task that fits; returns at once where the launcher can.

        `after`: those that have to end before it starts. Only a launcher with a queue is given any that have not.
        """


@runtime_checkable
class BatchLauncher(Launcher, Protocol):
    """A launcher with a queue of its own, in which tasks outlive the command: it is handed all at once, and bounds them itself.

    What is submitted takes effect with `flush`.
    """

    def flush(self) -> list[Run]:
        """Send what was submitted since the last time. Returns the runs that turn out to be another command's task already."""

    def is_queued(self, run: Run) -> bool:
        """Whether the queue still has a task that some command submitted for this run."""

    def kill(self, run: Run) -> None:
        """Take that task out of the queue, without asking it."""

    def last_error(self, run: Run) -> str:
        """What is known of a task that left the queue before the run was done."""


class BatchQueue(Protocol):
    """The queue of a cluster as this machine sees it, for commands that submit nothing. It knows jobs by their ids."""

    def held(self, jobs: Iterable[str]) -> set[str]:
        """Those of `jobs` that are in the queue, whoever submitted them; all of them where it does not answer."""

    def stop(self, jobs: Iterable[str]) -> set[str] | None:
        """Those of this user's `jobs` that wait leave the queue and are returned; those that run are asked to end.

        None where the queue does not answer and nothing was done.
        """


class LauncherModule(Protocol):
    """What a file or folder in `launch/` offers.

    If it likes, also `queue(results: Path) -> BatchQueue | None` and `current_job() -> str | None`.
    """

    def open_launcher(self, options: dict[str, Any], jobs: int, results: Path, on_gpu: bool = True) -> Launcher:
        """`options` is conf/launcher/<name>.yaml with its overrides, `jobs` the number of runs at hand.

        Args:
            options: As they are written; the launcher validates them.
            jobs: Of them the number is all that is known.
            results: The folder that they lie in.
            on_gpu: Whether any of them may compute on a GPU; else none is asked for.
        """
