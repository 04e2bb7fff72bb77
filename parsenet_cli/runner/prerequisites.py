"""What several runs share and is made once before they start: decoded data, initial weights.

A run waits for its own prerequisites alone. Only what a preparation says counts, not silence: a second command that prepares
the same for the same run says it in the same place. A run whose preparation exited without saying why prepares what it needs
itself, and its own end is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner.launcher import PREPARATION, Handle, Launcher, Task
from parsenet_cli.store.heartbeat import StallDetector
from parsenet_cli.store.run import Run


@dataclass(frozen=True)
class FailedPrerequisite:
    """A preparation that said why it could not be made."""

    key: str
    error: str
    bad_input: bool

    def concerns(self, config: RunConfig) -> bool:
        """Whether a run needs it."""
        return self.key in _needed(config)


class Prerequisites:
    """Those of one command, each with the run in whose folder it says how far it is."""

    def __init__(self) -> None:
        self._begun: set[str] = set()
        self._active: dict[str, tuple[Run, Task, Handle]] = {}

    def unbegun(self, config: RunConfig) -> tuple[str, Task] | None:
        """The name and task of one that a run needs and nobody has begun."""
        return next((item for item in _needed(config).items() if item[0] not in self._begun), None)

    def start(self, run: Run, key: str, task: Task, launcher: Launcher) -> None:
        """Submit what `unbegun` named, on behalf of this run."""
        run.clear_prerequisite(task)  # what an interrupted command has left
        self._begun.add(key)
        self._active[key] = (run, task, launcher.submit(run, task, PREPARATION))

    def under_way(self, config: RunConfig) -> list[Handle]:
        """Those that a run has to wait for."""
        return [self._active[key][2] for key in _needed(config) if key in self._active]

    def failed(self) -> list[FailedPrerequisite]:
        """Those that have ended since the last look and said why they failed."""
        failed = []
        for key, (run, task, handle) in list(self._active.items()):
            if handle.alive():
                continue
            del self._active[key]
            status = run.prerequisite(task)
            run.clear_prerequisite(task)
            if status.error is not None:
                error = status.error if status.bad_input else f"preparing {task}: {status.error}"
                failed.append(FailedPrerequisite(key, error, status.bad_input))
        return failed

    def kill_stalled(self, detector: StallDetector, in_queue: bool) -> None:
        """What they were to make is then made by those who need it. A job that waits in a queue is not stalled."""
        for key, (run, task, handle) in self._active.items():
            beat = run.prerequisite(task).beat
            if detector.stalled(key, beat) and (beat is not None or not in_queue):
                handle.kill()

    @property
    def names(self) -> list[str]:
        """Of those under way."""
        return list(self._active)

    @property
    def handles(self) -> list[Handle]:
        """Of those under way."""
        return [handle for _, _, handle in self._active.values()]

    @property
    def texts(self) -> list[str]:
        """What they say of how far they are."""
        return [run.prerequisite(task).text for run, task, _ in self._active.values()]


def _needed(config: RunConfig) -> dict[str, Task]:
    """By a name that runs which share it have in common: initial weights that are not the user's, and data."""
    needed: dict[str, Task] = {}
    if config.science.weights != "none" and config.runtime.weights_file is None:
        needed[f"{config.science.trunk}: {config.science.weights}"] = "weights"
    needed[config.science.data_id] = "data"
    return needed
