"""Launchers whose workers only pretend, and a view that shows nothing: for tests of what is carried out, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parsenet_cli.core import sealed
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner.launcher import Handle, Launcher, Resources, Task
from parsenet_cli.runner.scheduler import Scheduler, SweepOutcome, View
from parsenet_cli.store.run import Run, Store


@dataclass
class FakeHandle:
    """A task that has done all it does when it is submitted, and still seems to live for some looks."""

    lives: int
    cancelled: bool = False
    killed: bool = False

    def alive(self) -> bool:
        self.lives -= 1
        return self.lives >= 0

    def cancel(self) -> None:
        self.cancelled, self.lives = True, 0

    def kill(self) -> None:
        self.killed, self.lives = True, 0


@dataclass
class FakeLauncher:
    """A launcher of such tasks; `behave` says what a training leaves behind, `lives` for how many looks it seems to live."""

    behave: Callable[[Run], object]
    slots: int = 2
    on_gpu: bool = False
    threads: int = 1
    resubmissions: int = 2
    silence_seconds: float = 1e9
    lives: int = 0
    prerequisite: dict[str, Any] = field(default_factory=lambda: {"done": True})
    """What a preparation says."""
    submitted: list[tuple[Task, str]] = field(default_factory=list)
    asked: list[tuple[str, Resources]] = field(default_factory=list)
    """What each training asked of the machine."""
    handles: list[FakeHandle] = field(default_factory=list)

    def fits(self, needs: Resources) -> bool:
        return True

    def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> FakeHandle:
        self.submitted.append((task, run.signature))
        self.handles.append(FakeHandle(self.lives))
        if task == "train":
            self.asked.append((run.signature, needs))
            self.behave(run)
        elif self.prerequisite:
            run.update_prerequisite(task, **self.prerequisite)
        return self.handles[-1]

    @property
    def trained(self) -> list[str]:
        return [signature for task, signature in self.submitted if task == "train"]


class FakeCluster:
    """A launcher with a queue in memory; `work`: what each look at it does to a run that it holds, and whether that ends it."""

    slots, threads, resubmissions, silence_seconds, on_gpu = 1, 1, 2, 1e9, False

    def __init__(self, work: Callable[[Run], object], prerequisite: Mapping[str, Any] | None = None) -> None:
        self._work, self._prerequisite = work, prerequisite or {"done": True}
        self._unsent: list[Run] = []
        self.jobs: dict[str, Run] = {}
        self.arrays: list[list[str]] = []

    def fits(self, needs: Resources) -> bool:
        return True

    def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> FakeJob:
        if task == "train":
            self._unsent.append(run)
        else:
            run.update_prerequisite(task, **self._prerequisite)
        return FakeJob(self, run, task)

    def flush(self) -> list[Run]:
        if self._unsent:
            self.arrays.append([run.signature for run in self._unsent])
        self.jobs |= {run.signature: run for run in self._unsent}
        self._unsent = []
        return []

    def is_queued(self, run: Run) -> bool:
        if run.signature in self.jobs and self._work(run):
            del self.jobs[run.signature]
        return run.signature in self.jobs

    def kill(self, run: Run) -> None:
        self.jobs.pop(run.signature, None)

    def last_error(self, run: Run) -> str:
        return "its job vanished"


@dataclass
class FakeJob:
    """What `FakeCluster.submit` returns."""

    cluster: FakeCluster
    run: Run
    task: Task

    def alive(self) -> bool:
        return self.task == "train" and self.cluster.is_queued(self.run)

    def cancel(self) -> None:
        self.cluster.kill(self.run)

    kill = cancel


class NullView:
    """A view that remembers what failed, what was tried again and why, and how long the rest was said to take."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.repeated: list[str] = []
        self.seconds_left: list[float | None] = []

    def started(self, run: Run) -> None: ...
    def refresh(
        self, active: Sequence[Run], finished: int, seconds_left: float | None, preparing: Sequence[str] = ()
    ) -> None: ...
    def finished(self, run: Run, finished: int, seconds_left: float | None) -> None:
        self.seconds_left.append(seconds_left)

    def again(self, run: Run, reason: str) -> None:
        self.repeated.append(reason)

    def failed(self, run: Run, error: str) -> None:
        self.failures.append(run.signature)


def sweep(
    store: Store, configs: Mapping[str, RunConfig], launcher: Launcher, view: View | None = None, **how: bool
) -> SweepOutcome:
    """What a command does with these runs."""
    return Scheduler(store, configs, launcher, view or NullView()).run(**how)


def succeed(run: Run, **more: Any) -> bool:
    seconds = {"train_seconds": 1, "evaluate_seconds": 1}
    result = {"signature": run.signature, "outcome": "converged", "steps": 2, **seconds, **more}
    sealed.write_json(run.result_file, result)
    return True


def fail(run: Run) -> bool:
    run.update_status(state="failed", failures=run.status().failures + 1, error="broken")
    return True
