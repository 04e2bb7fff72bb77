"""A launcher whose workers only pretend, and a view that shows nothing: for tests of what is carried out, and how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from parsenet_cli.core import files
from parsenet_cli.runner.launcher import Resources
from parsenet_cli.runner.worker import Task
from parsenet_cli.store.run import Run


@dataclass
class Pretended:
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
class Pretender:
    """A launcher of such tasks; `behave` says what a training leaves behind, `lives` for how many looks it seems to live."""

    behave: Callable[[Run], None]
    slots: int = 2
    threads: int = 1
    resubmissions: int = 2
    silence_seconds: float = 1e9
    lives: int = 0
    submitted: list[tuple[Task, str]] = field(default_factory=list)
    asked: list[tuple[str, Resources]] = field(default_factory=list)
    """What each training asked of the machine."""
    handles: list[Pretended] = field(default_factory=list)

    def has_room(self, needs: Resources) -> bool:
        return True

    def submit(self, run: Run, task: Task, needs: Resources) -> Pretended:
        self.submitted.append((task, run.signature))
        self.handles.append(Pretended(self.lives))
        if task == "train":
            self.asked.append((run.signature, needs))
            self.behave(run)
        else:
            run.update_prerequisite(task, done=True)
        return self.handles[-1]

    @property
    def trained(self) -> list[str]:
        return [signature for task, signature in self.submitted if task == "train"]


class Silent:
    """A view that remembers what failed, and what was tried again and why."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.repeated: list[str] = []

    def preparing(self, texts: Sequence[str]) -> None: ...
    def started(self, run: Run) -> None: ...
    def finished(self, run: Run, finished: int, seconds_left: float | None) -> None: ...
    def refresh(self, active: Sequence[Run], finished: int, seconds_left: float | None) -> None: ...
    def again(self, run: Run, reason: str) -> None:
        self.repeated.append(reason)

    def failed(self, run: Run, error: str) -> None:
        self.failures.append(run.signature)


def succeed(run: Run) -> None:
    result = {"signature": run.signature, "outcome": "converged", "train_seconds": 1, "evaluate_seconds": 1, "steps": 2}
    files.write_json(run.folder / "result.json", result)


def fail(run: Run) -> None:
    run.update_status(state="failed", failures=run.status().failures + 1, error="broken")
