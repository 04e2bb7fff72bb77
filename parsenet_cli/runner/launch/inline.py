"""One run after the other inside the command's own process: for debuggers and profilers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from parsenet_cli.core.bounds import Processes
from parsenet_cli.core.files import append_to, make_folder, os_errors_as_user_errors
from parsenet_cli.runner import worker
from parsenet_cli.runner.gpus import visible
from parsenet_cli.runner.launch_options import LauncherOptions, validated
from parsenet_cli.runner.launcher import Handle, Resources, Task
from parsenet_cli.store.run import Run


class InlineOptions(LauncherOptions):
    """conf/launcher/inline.yaml says what they mean."""

    slots: Literal[1]
    threads: Processes | None


@dataclass(frozen=True)
class _Finished:
    """Submitting has already carried the task out."""

    def alive(self) -> bool:
        return False

    def cancel(self) -> None:
        return

    def kill(self) -> None:
        return


class Inline:
    """Carries a task out in `submit` itself."""

    slots = 1
    resubmissions = 0  # a run that is killed takes the command with it
    silence_seconds = float("inf")

    def __init__(self, threads: int, *, on_gpu: bool = False) -> None:
        self.threads, self.on_gpu = threads, on_gpu

    def fits(self, needs: Resources) -> bool:
        return True

    def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> _Finished:
        with os_errors_as_user_errors(run.log):
            make_folder(run.folder)
            descriptor = append_to(run.log)
        with os.fdopen(descriptor, "a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            code = worker.run_task(run, task, self.threads, given_gpu=self.on_gpu)
        if code == worker.STOPPED:
            raise KeyboardInterrupt
        return _Finished()


def open_launcher(options: dict[str, Any], jobs: int, results: Path, on_gpu: bool = True) -> Inline:
    """One slot with all cores, or with `threads` of them; where the machine has GPUs, the one that CUDA takes for the first."""
    threads = validated(InlineOptions, options).threads or len(os.sched_getaffinity(0))
    return Inline(threads, on_gpu=on_gpu and bool(visible()))
