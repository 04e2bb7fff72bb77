"""Which jobs of this user Slurm still holds, by `squeue`, which needs no accounting database."""

from __future__ import annotations

import subprocess
import time

from parsenet_cli.errors import UserError
from parsenet_cli.launch.slurm_options import JOB_NAME


class Queue:
    """A picture of the queue that is at most `poll_seconds` old: one question for any number of jobs."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._jobs: frozenset[str] | None = None
        self._asked = 0.0

    def holds(self, job: str) -> bool:
        """Whether `job` ("12" or "12_3") is pending, running or about to end.

        While squeue does not answer, what it said before holds: nothing is submitted twice. Raises `UserError` where it
        never answered.
        """
        if self._jobs is None or time.monotonic() - self._asked > self._poll_seconds:
            self._ask()
        assert self._jobs is not None
        return job in self._jobs

    def add(self, jobs: list[str]) -> None:
        """These were accepted after the picture was taken."""
        self._jobs = (self._jobs or frozenset()) | set(jobs)

    def look_again(self) -> None:
        """Something was cancelled."""
        self._asked = 0.0

    def _ask(self) -> None:
        done = subprocess.run(
            ["squeue", "--me", "--noheader", "--array", f"--name={JOB_NAME}", "--format=%i"],
            capture_output=True,
            text=True,
            check=False,
        )
        self._asked = time.monotonic()
        if done.returncode == 0:
            self._jobs = frozenset(done.stdout.split())
        elif self._jobs is None:
            raise UserError(f"squeue does not answer ({done.stderr.strip()}): is this a node of the cluster?")
