"""What several runs share and is made once before they start: decoded data, initial weights.

Only what a preparation says counts, not silence: a second command that prepares the same for the same run says it in the same
place. A run whose preparation died without a word prepares what it needs itself, and its own end is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner.launcher import ANY, Handle, Launcher
from parsenet_cli.runner.worker import Task
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
        return self.key in _shared(config)


class Prerequisites:
    """Those of one command, each with the run in whose folder it says how far it is."""

    def __init__(self) -> None:
        self._wanted: dict[str, tuple[Run, Task]] = {}
        self._active: dict[str, tuple[Run, Task, Handle]] = {}

    def want(self, run: Run, config: RunConfig) -> None:
        """All that this run needs."""
        for key, task in _shared(config).items():
            self._wanted.setdefault(key, (run, task))

    def start(self, launcher: Launcher) -> bool:
        """Submit the next one; False where there is none, or no room for it."""
        if not self._wanted or not launcher.has_room(ANY):
            return False
        key, (run, task) = next(iter(self._wanted.items()))
        del self._wanted[key]
        run.clear_prerequisite(task)  # what an interrupted command has left
        self._active[key] = (run, task, launcher.submit(run, task, ANY))
        return True

    def lacking(self, config: RunConfig) -> bool:
        """Whether something that a run needs is not there yet."""
        return any(key in self._active or key in self._wanted for key in _shared(config))

    def failed(self) -> list[FailedPrerequisite]:
        """Those that have ended since the last look and said why they failed."""
        failed = []
        for key, (run, task, handle) in list(self._active.items()):
            if handle.alive():
                continue
            del self._active[key]
            said = run.prerequisite(task)
            run.clear_prerequisite(task)
            if (error := said.error) is not None:
                bad_input = said.bad_input
                failed.append(FailedPrerequisite(key, error if bad_input else f"preparing {task}: {error}", bad_input))
        return failed

    def end_the_silent(self, vigil: StallDetector, queueing: bool) -> None:
        """What they were to make is then made by those who need it. A job that waits in a queue is not silent."""
        for key, (run, task, handle) in self._active.items():
            beat = run.prerequisite(task).beat
            if vigil.stalled(key, beat) and (beat is not None or not queueing):
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


def _shared(config: RunConfig) -> dict[str, Task]:
    """By a name that runs which share it have in common."""
    shared: dict[str, Task] = {}
    if config.science.weights != "none" and config.runtime.weights_file is None:
        shared[f"{config.science.trunk}: {config.science.weights}"] = "weights"
    shared[config.science.data_id] = "data"
    return shared
